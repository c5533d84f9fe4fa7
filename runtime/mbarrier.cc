// Copies and clears of memory with pointers. Ports mbarrier.go.
//
// Invariants:
//  - Between what is told to the write barrier and the copy itself there is no safe point: the M is
//    held (acquirem), so the goroutine is neither preempted nor stopped there. Its stack may grow,
//    which changes neither side: addresses in stacks are corrected.
//  - Nothing is told for values without pointers. In that case no M is held either, and any thread may
//    call these functions.
#include "mbarrier.h"

#include "mbitmap.h"
#include "stubs.h"
#include "tsan.h"

namespace gort::runtime {

GORT_NOSPLIT void storePointerSlow(void** slot, void* val) {
  gcWriteBarrier(slot, val);
  *slot = val;
}

namespace {

// [dst, dst+size) becomes a copy of [src, src+size), or zero when src is null. With pointers both ends
// are multiples of 8.
void movePointers(void* dst, const void* src, uintptr size) {
  m* mp = acquirem();
  if (writeBarrier.enabled)
    bulkBarrierPreWrite(reinterpret_cast<uintptr>(dst), reinterpret_cast<uintptr>(src), size);
  if (src != nullptr)
    memmove(dst, src, size);
  else
    memclrNoHeapPointers(dst, size);
  releasem(mp);
}

void move(const _type* typ, void* dst, const void* src, uintptr size) {
  if (dst == src || size == 0) return;
  if (src != nullptr) raceReadRange(src, size);
  raceWriteRange(dst, size);
  if (typ->ptrdata != 0)
    movePointers(dst, src, size);
  else if (src != nullptr)
    memmove(dst, src, size);
  else
    memclrNoHeapPointers(dst, size);
}

}  // namespace

void typedmemmove(const _type* typ, void* dst, const void* src) { move(typ, dst, src, typ->size); }

void typedmemclr(const _type* typ, void* p) { move(typ, p, nullptr, typ->size); }

void typedslicemove(const _type* typ, void* dst, const void* src, std::int64_t n) {
  move(typ, dst, src, static_cast<uintptr>(n) * typ->size);
}

GORT_NOINLINE void publishSlow(const _type* typ, const void* p) {
  const auto* w = static_cast<void* const*>(p);
  for (uintptr i = 0; i < typ->ptrdata / sys::PtrSize; i++)
    if ((typ->gcdata[i / 8] >> i % 8 & 1) != 0 && writeBarrier.enabled) gcWriteBarrier1(w[i]);
}

}  // namespace gort::runtime
