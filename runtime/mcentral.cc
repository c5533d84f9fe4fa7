// See mcentral.h. Ports mcentral.go.
#include "mcentral.h"

#include "malloc.h"
#include "mgc.h"
#include "panic_throw.h"
#include "trace.h"

namespace gort::runtime {

namespace {

// Spans that one call sweeps in search of a free object before it takes a new span: of the memory
// that is found in this way at most 1% is lost.
constexpr int maxSpanBudget = 100;

// Sweeps spans of c until one has a free object; null when none was found within the budget. The
// caller keeps its M.
mspan* sweepForSpan(mcentral* c, std::uint32_t sg) {
  traceSweeping traced;
  sweepLocker sl = sweepLockerBegin();
  if (!sl.valid) return nullptr;
  mspan* found = nullptr;
  int budget = maxSpanBudget;
  // A span that cannot be acquired is somebody else's: whoever sweeps it frees it or puts it in the
  // right swept set, and the entry popped here was a leftover.
  for (; found == nullptr && budget >= 0; budget--) {
    mspan* s = c->partialUnswept(sg)->pop();
    if (s == nullptr) break;
    if (!sl.tryAcquire(s)) continue;
    sweepSpan(s, true);
    found = s;
  }
  for (; found == nullptr && budget >= 0; budget--) {
    mspan* s = c->fullUnswept(sg)->pop();
    if (s == nullptr) break;
    if (!sl.tryAcquire(s)) continue;
    sweepSpan(s, true);
    uintptr freeIndex = s->nextFreeIndex();
    if (freeIndex != s->nelems) {
      // nextFreeIndex has taken the object; it is to be found again.
      s->freeindex = freeIndex;
      found = s;
    } else {
      c->fullSwept(sg)->push(s);
    }
  }
  sweepLockerEnd(&sl);
  return found;
}

}  // namespace

void mcentral::init(struct spanClass spc) {
  spanclass = spc;
  for (spanSet* set : {&partial[0], &partial[1], &full[0], &full[1]})
    lockInit(&set->spineLock, lockRankSpanSetSpine);
}

mspan* mcentral::cacheSpan() {
  deductSweepCredit(class_to_allocnpages[spanclass.sizeclass()] * _PageSize, 0);
  std::uint32_t sg = mheap_.sweepgen.Load();
  mspan* s = partialSwept(sg)->pop();
  if (s == nullptr) s = sweepForSpan(this, sg);
  if (s == nullptr) s = grow();
  if (s == nullptr) return nullptr;
  if (s->allocCount == s->nelems || s->freeindex == s->nelems) throw_("span has no free objects");
  s->refillAllocCache(alignDown(s->freeindex, 64) / 8);
  // Bit 0 is to be object freeindex.
  s->allocCache >>= s->freeindex % 64;
  return s;
}

void mcentral::uncacheSpan(mspan* s) {
  if (s->allocCount == 0) throw_("uncaching span but s.allocCount == 0");
  std::uint32_t sg = mheap_.sweepgen.Load();
  if (s->sweepgen.Load() == sg + 1) {
    // Cached before the sweep began: it is up to us to sweep it, and nobody else can, since it is in
    // no set. Mark termination waits for all caches, so no sweepLocker is needed.
    s->sweepgen.Store(sg - 1);
    sweepSpan(s, false);
    return;
  }
  s->sweepgen.Store(sg);
  (s->nelems > s->allocCount ? partialSwept(sg) : fullSwept(sg))->push(s);
}

mspan* mcentral::grow() {
  return mheap_.alloc(class_to_allocnpages[spanclass.sizeclass()], spanclass);
}

}  // namespace gort::runtime
