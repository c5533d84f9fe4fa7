// See mheap.h. Ports the part of mheap.go about spans; the pages below them are in mheap_pages.cc.
//
// Invariants, besides those of mheap.h:
//  - Every entry of heapArena.spans for a span in use is set before its state says so. Between
//    takePages and that moment the span belongs to the caller alone, without the lock.
//  - Nothing is swept with the lock held: sweeping frees spans.
#include "mheap.h"

#include "malloc.h"
#include "mbitmap.h"
#include "mcentral.h"
#include "mfinal.h"
#include "mgc.h"
#include "os_linux.h"
#include "panic_throw.h"
#include "point.h"
#include "print.h"
#include "proc.h"
#include "trace.h"

namespace gort::runtime {

mheap mheap_;

namespace {

// Entries of the first array of all spans.
constexpr uintptr allspansMin = explore::capacity<uintptr>((64 << 10) / sys::PtrSize, 32);

// Called once for each mspan struct there will ever be, with the lock held: makes it, and enters it
// in allspans. The sweeper goes through work.spans, which is the array that gcspans names, without
// the lock; so an array that is outgrown is freed here, unless it is that one, which is freed by who
// replaces work.spans.
void recordspan(void* arg, void* p) {
  auto* h = static_cast<mheap*>(arg);
  assertLockHeld(&h->lock);
  auto& all = h->allspans;
  if (all.len >= all.cap) {
    uintptr n = allspansMin;
    if (n < all.cap * 3 / 2) n = all.cap * 3 / 2;
    auto* nptr =
        static_cast<mspan**>(POINT_FAILS(recordspan_mmap) ? nullptr : sysAlloc(n * sys::PtrSize));
    if (nptr == nullptr) throw_("runtime: cannot allocate memory");
    memstats.otherSys.Add(n * sys::PtrSize);
    memmove(nptr, all.ptr, all.len * sys::PtrSize);
    if (all.ptr != nullptr && all.ptr != h->gcspans) {
      sysFree(all.ptr, all.cap * sys::PtrSize);
      memstats.otherSys.Add(-std::uint64_t(all.cap * sys::PtrSize));
    }
    all.ptr = nptr;
    all.cap = n;
    POINT(recordspan_grown);
  }
  auto* s = new (p) mspan();
  lockInit(&s->speciallock, lockRankMspanSpecial);
  all.ptr[all.len++] = s;
}

// Spans that reclaim may sweep for one allocation, as in mcentral.cc.
constexpr int reclaimBudget = 100;

// Pages that sweeping gave back beyond what was asked for: they pay for later calls.
atomic::Uintptr reclaimCredit;

// Sweeps until npages have gone back to the page heap, or the budget is used up, or nothing is left:
// so that garbage is used before the heap grows. The lock must not be held.
void reclaim(uintptr npages) {
  traceSweeping traced;
  for (int budget = reclaimBudget; npages > 0 && budget > 0; budget--) {
    uintptr credit = reclaimCredit.Load();
    if (credit > 0) {
      uintptr take = credit < npages ? credit : npages;
      if (reclaimCredit.CompareAndSwap(credit, credit - take)) npages -= take;
      continue;
    }
    uintptr freed = sweepone();
    if (freed == ~uintptr(0)) return;
    if (freed > npages) {
      reclaimCredit.Add(freed - npages);
      return;
    }
    npages -= freed;
  }
}

// Lets every page of s lead to it. The pages are the caller's.
void setSpans(mspan* s) {
  for (uintptr i = 0; i < s->npages; i++) {
    uintptr p = s->startAddr + (i << _PageShift);
    mheap_.arenas[p / heapArenaBytes].LoadAcq()->spans[p % heapArenaBytes / _PageSize] = s;
  }
}

// Makes s, which the caller alone knows, a span of objects.
void initSpan(mspan* s, spanClass spc) {
  uintptr bytes = s->npages << _PageShift;
  s->spanclass = spc;
  if (spc.sizeclass() == 0) {
    s->elemsize = bytes;
    s->nelems = 1;
    s->divMul = 0;
  } else {
    s->elemsize = class_to_size[spc.sizeclass()];
    s->divMul = class_to_divmagic[spc.sizeclass()];
    s->nelems = static_cast<std::uint64_t>(bytes) * s->divMul >> 32;
  }
  s->limit = s->startAddr + s->elemsize * s->nelems;
  s->freeindex = 0;
  s->freeIndexForScan = 0;
  s->allocCount = 0;
  s->allocCountBeforeCache = 0;
  s->allocCache = ~std::uint64_t(0);
  s->gcmarkBits = newMarkBits(s->nelems);
  s->allocBits = newAllocBits(s->nelems);
  s->specials = nullptr;
  // The caller runs on the system stack, so the world does not stop and sweepgen stays.
  s->sweepgen.Store(mheap_.sweepgen.Load());
  setSpans(s);
  POINT(initspan_before_publish);
  // Publishes all of it: whoever has found an address in s by chance looks at the state first.
  s->state.Store(mSpanInUse);
}

std::uint64_t bytesOf(const mspan* s) {
  return static_cast<std::uint64_t>(s->npages) << _PageShift;
}

atomic::Uint64* statOf(spanAllocType typ) {
  return typ == spanAllocStack ? &memstats.stacksInUse : &memstats.workBufsInUse;
}

[[noreturn]] GORT_NOINLINE void invalidFree(const mspan* s) {
  print("mheap.freeSpanLocked - span ", static_cast<const void*>(s), " ptr ", hex(s->startAddr),
        " allocCount ", static_cast<std::uint16_t>(s->allocCount), " sweepgen ", s->sweepgen.Load(),
        "/", mheap_.sweepgen.Load(), "\n");
  throw_("mheap.freeSpanLocked - invalid free");
}

// The pages of s are nobody's any more. The lock must be held.
void release(mspan* s) {
  s->needzero = true;
  s->state.Store(mSpanDead);
  mheap_.putPages(s);
}

}  // namespace

void mheap::init() {
  lockInit(&lock, lockRankMheap);
  lockInit(&speciallock, lockRankMheapSpecial);
  spanalloc.init(sizeof(mspan), recordspan, this);
  cachealloc.init(sizeof(mcache), nullptr, nullptr);
  specialfinalizeralloc.init(sizeof(specialfinalizer), nullptr, nullptr);
  specialprofilealloc.init(sizeof(specialprofile), nullptr, nullptr);
  // A sweeper may look at a mspan while it is made again: what it sees must stay as it is.
  spanalloc.zero = false;
  void* mem = sysReserve(nullptr, arenaIndexCount * sys::PtrSize);
  if (mem == nullptr || !sysMap(mem, arenaIndexCount * sys::PtrSize))
    throw_("runtime: cannot reserve arena index");
  arenas = static_cast<atomic::Pointer<heapArena>*>(mem);
  central =
      static_cast<mcentral*>(persistentalloc(numSpanClasses * sizeof(mcentral), alignof(mcentral)));
  for (int i = 0; i < numSpanClasses; i++)
    (new (&central[i]) mcentral())->init(spanClass{static_cast<std::uint8_t>(i)});
}

mspan* mheap::alloc(uintptr npages, spanClass spc) {
  mspan* s = nullptr;
  systemstack([&] {
    if (!isSweepDone()) reclaim(npages);
    runtime::lock(&lock);
    s = takePages(npages);
    unlock(&lock);
    if (s == nullptr) return;
    initSpan(s, spc);
    pagesInUse.Add(npages);
    memstats.heapInUse.Add(bytesOf(s));
  });
  return s;
}

void mheap::freeSpan(mspan* s) {
  systemstack([&] {
    runtime::lock(&lock);
    if (s->state.Load() != mSpanInUse) throw_("mheap.freeSpanLocked - invalid span state");
    if (s->allocCount != 0 || s->sweepgen.Load() != sweepgen.Load()) invalidFree(s);
    pagesInUse.Add(-s->npages);
    memstats.heapInUse.Add(-bytesOf(s));
    release(s);
    unlock(&lock);
  });
}

mspan* mheap::allocManual(uintptr npages, spanAllocType typ) {
  runtime::lock(&lock);
  mspan* s = takePages(npages);
  unlock(&lock);
  if (s == nullptr) return nullptr;
  s->firstStack = 0;
  s->allocCount = 0;
  s->elemsize = 0;
  s->nelems = 0;
  s->limit = s->startAddr + (npages << _PageShift);
  setSpans(s);
  s->state.Store(mSpanManual);
  statOf(typ)->Add(bytesOf(s));
  return s;
}

void mheap::freeManual(mspan* s, spanAllocType typ) {
  runtime::lock(&lock);
  if (s->state.Load() != mSpanManual) throw_("mheap.freeSpanLocked - invalid span state");
  if (s->allocCount != 0) throw_("mheap.freeSpanLocked - invalid stack free");
  statOf(typ)->Add(-bytesOf(s));
  release(s);
  unlock(&lock);
}

}  // namespace gort::runtime
