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
//  - Queued finalizers are in blocks, which are roots. The queue grows by sweeping only, so not while
//    the collector marks; it may shrink at any time.
//  - One goroutine runs all finalizers, one after the other. It counts as the runtime's own while it
//    has none to run.
#pragma once

#include <cstddef>
#include <new>
#include <type_traits>
#include <utility>

#include "goslice.h"
#include "malloc.h"
#include "mbarrier.h"
#include "mheap.h"
#include "panic_throw.h"
#include "stack.h"
#include "type.h"

namespace gort::runtime {

enum : std::uint8_t { _KindSpecialFinalizer = 1, _KindSpecialProfile = 2 };

struct special {
  special* next;
  std::uint16_t offset;  // of the object in its span, in bytes; 0 in a span of one large object
  std::uint8_t kind;
};

struct specialfinalizer {
  struct special special;
  // Calls the finalizer: fn(obj, closure).
  void (*call)(void* obj, void* closure);
  void* closure;  // in collected memory; null for none
  const _type* ot;  // what the object was when SetFinalizer was called
};

// An object that is in the heap profile.
struct specialprofile {
  struct special special;
  struct bucket* b;
};

// Queues the finalizer of the dead object p, of size bytes, or tells the heap profile, and frees s.
// Called by the sweeper, with the span to itself.
void freespecial(special* s, void* p, uintptr size);
// Takes the special of that kind off p's span, null if there is none.
special* removespecial(void* p, std::uint8_t kind);
bool addspecial(void* p, special* s);
// Says that the sample of object p is in bucket b. On the system stack.
void setprofilebucket(void* p, struct bucket* b);

// For markroot: calls f(address of a word, bytes) for everything that queued finalizers refer to.
void forEachQueuedFinalizer(void (*f)(void* obj, void* closure, void* arg), void* arg);

// State of the goroutine that runs finalizers: bits of fingStatus.
enum : std::uint32_t {
  fingUninitialized = 0,
  fingCreated = 1 << 0,
  fingRunningFinalizer = 1 << 1,
  fingWait = 1 << 2,  // it sleeps
  fingWake = 1 << 3,  // it has work
};
extern atomic::Uint32 fingStatus;
extern atomic::Racy<g*> fing;  // null until it runs; written once
extern mutex finlock;  // rank fin; protects the queue
// The finalizer goroutine if it has work and sleeps, _Gwaiting, for the caller to make ready; else
// null.
g* wakefing();
void createfing();

// SetFinalizer on raw pointers: ot is the type that obj points to. Throws Go's texts:
// «runtime.SetFinalizer: pointer not in allocated block», null pointers included, «... pointer not at
// beginning of allocated block», «... finalizer already set». Objects of the program's image
// (global variables) are not collected: nothing happens for them.
void setfinalizer(void* obj, const _type* ot, void (*call)(void*, void*), void* closure);
// Takes the finalizer off again, if there is one; the same checks.
void removefinalizer(void* obj, const _type* ot);

// Memory for a finalizer's closure. Not a tiny object: it would keep the others in its block, of which
// its own may be one.
inline void* newclosure(uintptr size, const _type* typ) {
  return mallocgc(size < maxTinySize ? maxTinySize : size, typ->ptrdata == 0 ? nullptr : typ);
}

namespace detail {
template <class T>
constexpr const _type* finalizedType() {
  if constexpr (std::is_abstract_v<T>)
    return nullptr;
  else
    return typeOf<T>();
}
}  // namespace detail

// Calls f(obj) once, on a goroutine that runs all finalizers in turn, some time after obj has become
// unreachable; f(obj) makes it reachable again, without a finalizer. obj is what make returned, or
// the start of a slice's array. Objects that point to each other in a circle are not finalized.
// What f captures is kept as long as the finalizer, so it must not lead to obj. (A destructor for a
// made object: [](T* p) { p->~T(); }.)
template <class T, class F>
void SetFinalizer(T* obj, F&& f);
template <class T, class F>
void SetFinalizer(const ptr<T>& obj, F&& f) {
  SetFinalizer(obj.get(), std::forward<F>(f));
}

// A nil without a type.
template <class F>
[[noreturn]] void SetFinalizer(std::nullptr_t, F&&) {
  throw_("runtime.SetFinalizer: first argument is nil");
}

template <class T, class F>
void SetFinalizer(T* obj, F&& f) {
  using Fn = std::decay_t<F>;
  using Obj = std::remove_cv_t<T>;
  static_assert(std::is_object_v<T>, "runtime.SetFinalizer: pointer to an object wanted");
  void* p = const_cast<Obj*>(obj);
  if constexpr (std::is_null_pointer_v<Fn>) {
    removefinalizer(p, detail::finalizedType<Obj>());
  } else {
    static_assert(std::is_invocable_v<Fn&, T*>,
                  "runtime.SetFinalizer: cannot pass the object to the finalizer, which is to be "
                  "called as f(T*)");
    Fn* closure = ::new (newclosure(sizeof(Fn), typeOf<Fn>())) Fn(std::forward<F>(f));
    checkclosure(closure, sizeof(Fn));
    publish(closure);
    setfinalizer(
        p, detail::finalizedType<Obj>(),
        [](void* o, void* c) { static_cast<void>((*static_cast<Fn*>(c))(static_cast<T*>(o))); },
        closure);
  }
}

}  // namespace gort::runtime
