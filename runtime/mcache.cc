// See mcache.h. Ports mcache.go.
//
// How the heap's size is counted: when a span is cached, all its free objects count as allocated
// (gcController.heapLive), so that mallocgc has nothing to count; when it is taken back the unused
// ones are subtracted again. What was allocated is counted for statistics when the span is taken
// back.
#include "mcache.h"

#include "malloc.h"
#include "mcentral.h"
#include "mgc.h"
#include "mprof.h"
#include "panic_throw.h"
#include "print.h"
#include "stack.h"
#include "stubs.h"

namespace gort::runtime {

mspan emptymspan;

namespace {

// Counts what was allocated from s while c had it. The caller keeps its M.
void countAllocs(mcache* c, mspan* s, struct spanClass spc) {
  std::uint64_t slotsUsed = s->allocCount - s->allocCountBeforeCache;
  s->allocCountBeforeCache = 0;
  heapStatsDelta* stats = acquireHeapStats();
  stats->smallAllocCount[spc.sizeclass()] += slotsUsed;
  if (spc == tinySpanClass) {
    stats->tinyAllocCount += c->tinyAllocs;
    c->tinyAllocs = 0;
  }
  releaseHeapStats();
}

}  // namespace

mcache* allocmcache() {
  mcache* c = nullptr;
  systemstack([&] {
    lock(&mheap_.lock);
    c = new (mheap_.cachealloc.alloc()) mcache();
    c->flushGen.Store(mheap_.sweepgen.Load());
    unlock(&mheap_.lock);
    c->nextSample = nextSample();
  });
  for (mspan*& s : c->alloc) s = &emptymspan;
  return c;
}

void freemcache(mcache* c) {
  systemstack([&] {
    c->releaseAll();
    stackcache_clear(c);
    lock(&mheap_.lock);
    mheap_.cachealloc.free(c);
    unlock(&mheap_.lock);
  });
}

void mcache::refill(struct spanClass spc) {
  mspan* s = alloc[spc.v];
  if (s->allocCount != s->nelems) throw_("refill of span with free space remaining");
  if (s != &emptymspan) {
    if (s->sweepgen.Load() != mheap_.sweepgen.Load() + 3) throw_("bad sweepgen in refill");
    // Counted first: from uncacheSpan on the span may be another cache's.
    countAllocs(this, s, spc);
    mheap_.central[spc.v].uncacheSpan(s);
  }
  s = mheap_.central[spc.v].cacheSpan();
  if (s == nullptr) throw_("out of memory");
  if (s->allocCount == s->nelems) throw_("span has no free space");
  // Keeps sweepers off, in the next cycle too.
  s->sweepgen.Store(mheap_.sweepgen.Load() + 3);
  s->allocCountBeforeCache = s->allocCount;
  gcController.update(
      static_cast<std::int64_t>(s->npages * _PageSize - s->allocCount * s->elemsize),
      static_cast<std::int64_t>(scanAlloc));
  scanAlloc = 0;
  alloc[spc.v] = s;
}

mspan* mcache::allocLarge(uintptr size, bool noscan) {
  if (size + _PageSize < size) throw_("out of memory");
  uintptr npages = alignUp(size, _PageSize) >> _PageShift;
  uintptr bytes = npages << _PageShift;
  // The page heap sweeps for npages itself, so that only what the debt exceeds them by is paid.
  deductSweepCredit(bytes, npages);
  struct spanClass spc = makeSpanClass(0, noscan);
  mspan* s = mheap_.alloc(npages, spc);
  if (s == nullptr) throw_("out of memory");
  heapStatsDelta* stats = acquireHeapStats();
  stats->largeAlloc += bytes;
  stats->largeAllocCount += 1;
  releaseHeapStats();
  gcController.update(static_cast<std::int64_t>(bytes), 0);
  mheap_.central[spc.v].fullSwept(mheap_.sweepgen.Load())->push(s);
  return s;
}

void mcache::releaseAll() {
  auto dHeapScan = static_cast<std::int64_t>(scanAlloc);
  scanAlloc = 0;
  std::uint32_t sg = mheap_.sweepgen.Load();
  std::int64_t dHeapLive = 0;
  for (int i = 0; i < numSpanClasses; i++) {
    mspan* s = alloc[i];
    if (s == &emptymspan) continue;
    countAllocs(this, s, spanClass{static_cast<std::uint8_t>(i)});
    // heapLive was computed afresh since a stale span was cached.
    if (s->sweepgen.Load() != sg + 1)
      dHeapLive -= static_cast<std::int64_t>((s->nelems - s->allocCount) * s->elemsize);
    mheap_.central[i].uncacheSpan(s);
    alloc[i] = &emptymspan;
  }
  tiny = 0;
  tinyoffset = 0;
  heapStatsDelta* stats = acquireHeapStats();
  stats->tinyAllocCount += tinyAllocs;
  tinyAllocs = 0;
  releaseHeapStats();
  gcController.update(dHeapLive, dHeapScan);
}

void mcache::prepareForSweep() {
  std::uint32_t sg = mheap_.sweepgen.Load();
  std::uint32_t gen = flushGen.Load();
  if (gen == sg) return;
  if (gen != sg - 2) {
    println("bad flushGen", gen, "in prepareForSweep; sweepgen", sg);
    throw_("bad flushGen");
  }
  releaseAll();
  stackcache_clear(this);
  flushGen.Store(sg);
}

}  // namespace gort::runtime
