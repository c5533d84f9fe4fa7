// The collector's side of the allocator for a runtime without a collector: never marking, never
// sweeping, everything lives.
#include "mbarrier.h"
#include "mgc.h"

namespace gort::runtime {

writeBarrierT writeBarrier;
void gcWriteBarrier1(const void*) {}
void gcWriteBarrier2(const void*, const void*) {}

atomic::Racy<std::uint32_t> gcphase;
atomic::Uint32 gcBlackenEnabled;
gcControllerState gcController;

bool gcTrigger::test() const { return false; }
void gcStart(gcTrigger) {}

void gcControllerState::update(std::int64_t dHeapLive, std::int64_t dHeapScan) {
  heapLive.Add(static_cast<std::uint64_t>(dHeapLive));
  heapScan.Add(static_cast<std::uint64_t>(dHeapScan));
}
std::uint64_t gcControllerState::heapGoal() const { return ~std::uint64_t(0); }

g* deductAssistCredit(uintptr) { return nullptr; }
void gcmarknewobject(mspan*, uintptr) {}

bool sweepLocker::tryAcquire(mspan*) { return false; }
sweepLocker sweepLockerBegin() { return {mheap_.sweepgen.Load(), false}; }
void sweepLockerEnd(sweepLocker*) {}
bool sweepSpan(mspan*, bool) { return false; }
uintptr sweepone() { return ~uintptr(0); }
bool isSweepDone() { return true; }
void deductSweepCredit(uintptr, uintptr) {}
void ensureSwept(mspan*) {}
void shade(uintptr) {}
void GC() {}
std::int32_t setGCPercent(std::int32_t in) {
  std::int32_t old = gcController.gcPercent;
  gcController.gcPercent = in;
  return old;
}
uintptr scavenge(uintptr) { return 0; }

}  // namespace gort::runtime
