// Memory for the runtime and for programs. Ports the part of malloc.go, mcache.go, mfixalloc.go and
// mheap.go that does not need the collector.
#pragma once

#include <new>

#include "runtime2.h"

namespace gort::runtime {

void mallocinit();

// Zeroed memory of size bytes, 16-byte aligned from 16 bytes on, for programs and for the runtime's
// objects that programs can reach. Throws «out of memory» when the system has none.
void* mallocgc(uintptr size, bool needzero = true);

// Zeroed memory that is never freed, for the runtime's own structures; align a power of two, 0 for
// the default of 8. Needs no P.
void* persistentalloc(uintptr size, uintptr align = 0);

// A new T in memory that is never freed.
template <class T>
T* newpersistent() {
  return new (persistentalloc(sizeof(T), alignof(T))) T();
}
template <class T>
T* new_() {
  return new (mallocgc(sizeof(T))) T();
}

// ---- the page heap ----

inline constexpr uintptr _PageShift = 13;
inline constexpr uintptr _PageSize = uintptr(1) << _PageShift;
inline constexpr uintptr physPageSize = 4096;

enum mSpanState : std::uint8_t { mSpanDead, mSpanInUse, mSpanManual };

// A run of pages. Protected by mheap_.lock while free; while in use by its owner (stackpool's lock,
// stackLarge.lock, or the one goroutine whose stack it is).
struct mspan {
  mspan* next;
  mspan* prev;
  uintptr startAddr;
  uintptr npages;
  uintptr firstStack;  // address of the lowest stack in a span of stackpool
  std::uint16_t allocCount;
  atomic::Racy<mSpanState> state;
  bool needzero;  // freed before: the memory is not zero
  uintptr elemsize;
  uintptr base() const { return startAddr; }
};

struct mSpanList {
  mspan* first = nullptr;
  bool isEmpty() const { return first == nullptr; }
  void insert(mspan* s);
  void remove(mspan* s);
};

// npages of memory that the caller manages itself (stacks). Null when the system has none.
mspan* allocManual(uintptr npages);
void freeManual(mspan* s);
// The span that holds address p; p must lie in a span.
mspan* spanOfUnchecked(uintptr p);
// The span that holds p, null when p is not in the heap.
mspan* spanOf(uintptr p);
extern mutex mheaplock;  // mheap_.lock

struct mcache {
  struct {
    uintptr list;  // free stacks of this order, linked through their first word
    uintptr size;  // bytes in list
  } stackcache[4];
  uintptr chunk;  // rest of the current allocation chunk
  uintptr chunkend;
};
mcache* allocmcache();
void freemcache(mcache* c);

}  // namespace gort::runtime
