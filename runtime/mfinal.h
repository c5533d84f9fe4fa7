// Finalizers and the specials list that they stand on. Ports mfinal.go and the special part of
// mheap.go.
//
// Invariants:
//  - A span's specials are sorted by offset, then kind; one of a kind for each object.
//    span.speciallock protects the list. Adding one needs the span to be swept (the sweeper goes
//    through the list too), so addspecial ensures that and does not let go of its M meanwhile.
//  - While an object has a finalizer, everything it points to is kept (markroot), but not it itself.
//    When it is found unmarked it is marked once more and its finalizer is queued: so it lives until
//    a cycle after the finalizer ran and nobody made it reachable again.
//  - Queued finalizers are in blocks, which are roots.
#pragma once

#include <type_traits>

#include "mheap.h"
#include "type.h"

namespace gort::runtime {

enum : std::uint8_t { _KindSpecialFinalizer = 1 };

struct special {
  special* next;
  std::uint16_t offset;  // of the object in its span (bytes / 1, small objects) -- see specialOffset
  std::uint8_t kind;
};

struct specialfinalizer {
  struct special special;
  // Calls the finalizer: fn(obj, closure).
  void (*call)(void* obj, void* closure);
  void* closure;  // in collected memory; null for none
  const _type* ot;  // type of the pointer
};

// Queues the finalizer of the dead object p and frees s; or just frees it. Called by the sweeper,
// with the span to itself.
void freespecial(special* s, void* p, uintptr size);
// Takes the special of that kind off p's span, null if there is none.
special* removespecial(void* p, std::uint8_t kind);
bool addspecial(void* p, special* s);

// For markroot: calls f(address of a word, bytes) for everything that queued finalizers refer to.
void forEachQueuedFinalizer(void (*f)(void* obj, void* closure, void* arg), void* arg);

extern atomic::Bool fingWake, fingWait;
g* wakefing();  // the finalizer goroutine if it has work and sleeps, _Gwaiting; else null
void createfing();

// SetFinalizer on raw pointers: ot is the type that obj points to. Throws Go's texts:
// «runtime.SetFinalizer: pointer not in heap», «... pointer not at beginning of allocated block»,
// «... finalizer already set», «... first argument is nil».
void setfinalizer(void* obj, const _type* ot, void (*call)(void*, void*), void* closure);
void removefinalizer(void* obj);

}  // namespace gort::runtime
