// The write barrier: its switch, the per-P buffer that it fills, and copies of typed memory that go
// through it. Ports mbarrier.go and mwbbuf.go.
//
// The collector marks while goroutines run. It scans each stack once, at one moment; afterwards that
// stack is black. The hybrid barrier (Yuasa's deletion, Dijkstra's insertion) keeps everything that
// was reachable when the stacks were scanned: a store *slot = val into memory marks what *slot
// pointed to, so that a pointer cannot be hidden in a black stack by removing it from the heap; and
// marks val, so that a pointer that still stands in a grey stack only cannot be hidden in a black
// object. (Go leaves out the second mark for stores that it sees; here it is always made.)
//
// Invariants:
//  - writeBarrier.enabled changes only while the world is stopped, so it does not change between the
//    test and the store: there is no safe point in between. In the runtime that holds because the slow
//    path is nosplit until it has put both pointers in the buffer; programs' code, which a signal may
//    stop between any two instructions, uses storePointer, whose test and store are one place of
//    the section gort_unsafepoints (preempt.cc).
//  - Both pointers are in the buffer before the store is made.
//  - A P's buffer belongs to that P; its pointers are marked by wbBufFlush1 before the P's mark queue
//    counts as empty.
#pragma once

#include "runtime2.h"
#include "sys.h"
#include "type.h"

namespace gort::runtime {

struct writeBarrierT {
  // World stopped when written. Relaxed suffices: who runs has seen the start of the world.
  atomic::Racy<bool> enabled;
};
extern writeBarrierT writeBarrier;

// Slow paths; the barrier must be on. Pointers may be null, or no pointers to the heap.
void gcWriteBarrier1(const void* p);
void gcWriteBarrier2(const void* p, const void* q);

// Before every store of val into *slot, where slot may be in collected memory, in data, or on the
// own stack.
GORT_INLINE void gcWriteBarrier(void* slot, const void* val) {
  if (GORT_UNLIKELY(writeBarrier.enabled)) gcWriteBarrier2(*static_cast<void**>(slot), val);
}
// *slot = val with the barrier, by the runtime.
void storePointerSlow(void** slot, void* val);
// *slot = val with the barrier, anywhere: either both have been told to the collector when the store
// is made, or the barrier has been off from before the store on.
GORT_INLINE void storePointer(void** slot, void* val) {
#if GORT_TSAN
  storePointerSlow(slot, val);
#else
  // "?": the table's entry is dropped together with the function, if the linker drops that.
  asm goto volatile(
      "1:\tcmpb $0, %[enabled]\n\t"
      "2:\tjne %l[slow]\n\t"
      "movq %[val], %[slot]\n"
      "3:\n\t"
      ".pushsection gort_unsafepoints, \"a?\", @progbits\n\t"
      ".balign 4\n\t"
      ".long 2b - ., 3b - .\n\t"
      ".popsection"
      : [slot] "+m"(*slot)
      : [val] "r"(val), [enabled] "m"(writeBarrier.enabled)
      : "cc"
      : slow);
  return;
slow:
  storePointerSlow(slot, val);
#endif
}

// Before a pointer is written to new memory: there is no old value to tell about. A signal may come
// between the test and the write: then the pointer is in a register or on the stack, which is scanned
// after the barrier has gone on, and the new memory is not black, for it was made before.
GORT_INLINE void gcWriteBarrierInit(const void* val) {
  if (GORT_UNLIKELY(writeBarrier.enabled)) gcWriteBarrier1(val);
}

// *dst = *src, and *dst = T{}, for values of typ; either may be in the heap, and the types must be
// bitwise. On a goroutine, or on g0 with a P.
void typedmemmove(const _type* typ, void* dst, const void* src);
void typedmemclr(const _type* typ, void* p);
// The same for n values in a row; source and destination may overlap.
void typedslicemove(const _type* typ, void* dst, const void* src, std::int64_t n);

// Tells the write barrier of the pointers in the value of typ at p, which has just been constructed
// in new memory. The barrier must be on.
void publishSlow(const _type* typ, const void* p);
// To be called before the address of a new object in collected memory goes to anybody else: plain
// pointers that its constructor has put there had no barrier. If the goroutine is stopped before that,
// and its stack scanned, the object is found there and scanned again (scanConservativeStack).
template <class T>
GORT_INLINE void publish(const T* p) {
  if constexpr (!types::noscan<T>)
    if (GORT_UNLIKELY(writeBarrier.enabled)) publishSlow(typeOf<T>(), p);
}

}  // namespace gort::runtime
