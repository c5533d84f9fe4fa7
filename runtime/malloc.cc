// See malloc.h. Ports malloc.go: the allocation entry, and memory that is never freed.
//
// Invariants:
//  - While m.mallocing is set the goroutine keeps its M and P, and no signal handler allocates.
//  - An object is zeroed and its pointer bits are set before freeIndexForScan says that it is there.
//    Large objects without pointers are the exception: nobody looks into them, so they are zeroed
//    last, in pieces, with safe points between.
//  - During marking a new object is marked before anybody can know its address.
//
// Locks: globalAlloc.mu protects the current chunk of persistentalloc. An mcache belongs to its P.
#include "malloc.h"

#include "mbitmap.h"
#include "mgc.h"
#include "mprof.h"
#include "os_linux.h"
#include "proc.h"
#include "runtime1.h"

namespace gort::runtime {

namespace {

constexpr uintptr persistentChunkSize = 256 << 10;
constexpr uintptr zeroChunkBytes = 256 << 10;

struct {
  mutex mu;
  uintptr base;  // protected by mu
  uintptr off;
} globalAlloc;

// The address of every object without size.
alignas(16) uintptr zerobase;

// What others do with an object must not become visible before the object itself is.
GORT_INLINE void publicationBarrier() { __atomic_thread_fence(__ATOMIC_RELEASE); }

// A new object of s if its index is in allocCache, else 0 (also when the cache has to be refilled).
GORT_INLINE uintptr nextFreeFast(mspan* s) {
  if (s->allocCache == 0) return 0;
  auto bit = static_cast<uintptr>(__builtin_ctzll(s->allocCache));
  uintptr result = s->freeindex + bit;
  if (result >= s->nelems) return 0;
  uintptr freeidx = result + 1;
  if (freeidx % 64 == 0 && freeidx != s->nelems) return 0;
  s->allocCache = s->allocCache >> bit >> 1;
  s->freeindex = freeidx;
  s->allocCount++;
  return result * s->elemsize + s->startAddr;
}

struct nextFreeResult {
  uintptr v;
  mspan* s;
  bool shouldhelpgc;  // a span was taken from mcentral
};

// The slow form, which gets c another span if it has to. On the system stack, where a stack that is
// nearly used up does not matter.
GORT_NOINLINE nextFreeResult nextFree(mcache* c, spanClass spc) {
  mspan* s = c->alloc[spc.v];
  bool shouldhelpgc = false;
  uintptr i = s->nextFreeIndex();
  if (i == s->nelems) {
    if (s->allocCount != s->nelems) throw_("s.allocCount != s.nelems && freeIndex == s.nelems");
    systemstack([&] { c->refill(spc); });
    shouldhelpgc = true;
    s = c->alloc[spc.v];
    i = s->nextFreeIndex();
  }
  if (i >= s->nelems) throw_("freeIndex is not valid");
  s->allocCount++;
  if (s->allocCount > s->nelems) throw_("s.allocCount > s.nelems");
  return {i * s->elemsize + s->startAddr, s, shouldhelpgc};
}

GORT_NOINLINE mspan* mallocLarge(mcache* c, uintptr size, bool noscan) {
  mspan* s = nullptr;
  systemstack([&] { s = c->allocLarge(size, noscan); });
  s->freeindex = 1;
  s->allocCount = 1;
  return s;
}

// Every call is a point where the goroutine can be preempted.
GORT_NOINLINE void clearChunk(uintptr p, uintptr n) {
  memclrNoHeapPointers(reinterpret_cast<void*>(p), n);
}

void memclrNoHeapPointersChunked(uintptr p, uintptr size) {
  for (uintptr off = 0; off < size; off += zeroChunkBytes)
    clearChunk(p + off, size - off < zeroChunkBytes ? size - off : zeroChunkBytes);
}

// Before there are Ps, what is allocated lives for ever.
GORT_NOINLINE void* mallocWithoutP(m* mp, uintptr size) {
  if (gomaxprocs != 0) throw_("mallocgc called without a P or outside bootstrapping");
  mp->mallocing = 0;
  releasem(mp);
  return persistentalloc(size, 16);
}

[[noreturn]] GORT_NOINLINE void badMalloc(m* mp) {
  if (gcphase == _GCmarktermination) throw_("mallocgc called with gcphase == _GCmarktermination");
  throw_(mp->mallocing != 0 ? "malloc deadlock" : "malloc during signal");
}

GORT_INLINE void unlockMalloc(m* mp) {
  mp->mallocing = 0;
  releasem(mp);
}

// GODEBUG=gcevery=N: starts a cycle at every Nth allocation, unless one is running.
GORT_NOINLINE void collectEvery() {
  static atomic::Uint32 count;
  if (count.AddRelaxed(1) % static_cast<std::uint32_t>(dbg.gcevery) != 0) return;
  gcStart({gcTriggerCycle, 0, work.cycles.Load() + 1});
}

// The memory of a small object, a multiple of 8 bytes. (TSan shall not see it: it knows no order
// between this and what was there before.)
GORT_INLINE void clearObject(uintptr x, uintptr size) {
  if (raceenabled || size > 64) {
    memclrNoHeapPointers(reinterpret_cast<void*>(x), size);
    return;
  }
  for (uintptr i = 0; i < size; i += sys::PtrSize)
    *reinterpret_cast<volatile std::uint64_t*>(x + i) = 0;
}

// Where in a tiny block an object of size bytes may begin, at or after off. Its size is a multiple of
// its alignment.
GORT_INLINE uintptr tinyAlign(uintptr off, uintptr size) {
  if ((size & 7) == 0) return alignUp(off, 8);
  if ((size & 3) == 0) return alignUp(off, 4);
  if ((size & 1) == 0) return alignUp(off, 2);
  return off;
}

}  // namespace

void mallocinit() {
  lockInit(&globalAlloc.mu, lockRankGlobalAlloc);
  gcBitsInit();
  mheap_.init();
}

void* persistentalloc(uintptr size, uintptr align) {
  if (align == 0) align = 8;
  if ((align & (align - 1)) != 0) throw_("persistentalloc: align is not a power of 2");
  uintptr p = 0;
  systemstack([&] {
    if (size >= persistentChunkSize / 4) {
      uintptr bytes = alignUp(size, physPageSize);
      p = reinterpret_cast<uintptr>(POINT_FAILS(persistentalloc_mmap) ? nullptr : sysAlloc(bytes));
      if (p == 0) throw_("runtime: cannot allocate memory");
      memstats.otherSys.Add(bytes);
      return;
    }
    lock(&globalAlloc.mu);
    globalAlloc.off = alignUp(globalAlloc.off, align);
    if (globalAlloc.base == 0 || globalAlloc.off + size > persistentChunkSize) {
      globalAlloc.base = reinterpret_cast<uintptr>(
          POINT_FAILS(persistentalloc_mmap) ? nullptr : sysAlloc(persistentChunkSize));
      globalAlloc.off = 0;
      if (globalAlloc.base == 0) {
        unlock(&globalAlloc.mu);
        throw_("runtime: cannot allocate memory");
      }
      memstats.otherSys.Add(persistentChunkSize);
    }
    p = globalAlloc.base + globalAlloc.off;
    globalAlloc.off += size;
    unlock(&globalAlloc.mu);
  });
  return reinterpret_cast<void*>(p);
}

void* mallocgc(uintptr size, const _type* typ, bool needzero) {
  POINT(mallocgc_begin);
  if (size == 0) return &zerobase;
  if (GORT_UNLIKELY(getg() == nullptr)) throw_("mallocgc on a thread that is not the runtime's");
  // While marking, whoever allocates has to help.
  g* assistG = nullptr;
  if (GORT_UNLIKELY(gcBlackenEnabled.LoadRelaxed() != 0)) assistG = deductAssistCredit(size);

  m* mp = acquirem();
  if (GORT_UNLIKELY(gcphase == _GCmarktermination || mp->mallocing != 0 || mp->gsignal == getg()))
    badMalloc(mp);
  mp->mallocing = 1;
  mcache* c = getMCache(mp);
  if (GORT_UNLIKELY(c == nullptr)) return mallocWithoutP(mp, size);

  const bool noscan = typ == nullptr || typ->ptrdata == 0;
  const uintptr dataSize = size;
  bool shouldhelpgc = false, delayedZeroing = false;
  mspan* span;
  uintptr x;
  if (GORT_LIKELY(size <= maxSmallSize)) {
    const bool isTiny = noscan && size < maxTinySize;
    spanClass spc = tinySpanClass;
    if (isTiny) {
      // Several small objects without pointers share a block, and are freed together.
      uintptr off = tinyAlign(c->tinyoffset, size);
      if (off + size <= maxTinySize && c->tiny != 0) {
        x = c->tiny + off;
        c->tinyoffset = off + size;
        c->tinyAllocs++;
        unlockMalloc(mp);
        return reinterpret_cast<void*>(x);
      }
    } else {
      spc = makeSpanClass(sizeToClass(size), noscan);
    }
    span = c->alloc[spc.v];
    x = nextFreeFast(span);
    if (GORT_UNLIKELY(x == 0)) {
      nextFreeResult r = nextFree(c, spc);
      x = r.v;
      span = r.s;
      shouldhelpgc = r.shouldhelpgc;
    }
    size = span->elemsize;
    if (isTiny) {
      // Keep the block with more room left.
      reinterpret_cast<std::uint64_t*>(x)[0] = reinterpret_cast<std::uint64_t*>(x)[1] = 0;
      if (dataSize < c->tinyoffset || c->tiny == 0) {
        c->tiny = x;
        c->tinyoffset = dataSize;
      }
    } else if (needzero && span->needzero) {
      clearObject(x, size);
    }
  } else {
    shouldhelpgc = true;
    span = mallocLarge(c, size, noscan);
    size = span->elemsize;
    x = span->startAddr;
    if (needzero && span->needzero) {
      if (noscan)
        delayedZeroing = true;
      else
        memclrNoHeapPointers(reinterpret_cast<void*>(x), size);
    }
  }
  if (!noscan) c->scanAlloc += heapBitsSetType(x, size, dataSize, typ);

  POINT(mallocgc_before_publish);
  publicationBarrier();
  span->freeIndexForScan = static_cast<std::uint16_t>(span->freeindex);
  if (GORT_UNLIKELY(gcphase != _GCoff)) gcmarknewobject(span, x);
  if (GORT_UNLIKELY((c->nextSample -= static_cast<std::int64_t>(size)) <= 0))
    profilealloc(c, reinterpret_cast<void*>(x), size);
  unlockMalloc(mp);

  if (GORT_UNLIKELY(delayedZeroing)) memclrNoHeapPointersChunked(x, size);
  if (GORT_UNLIKELY(assistG != nullptr))
    assistG->gcAssistBytes -= static_cast<std::int64_t>(size - dataSize);
  if (GORT_UNLIKELY(dbg.gcevery > 0)) collectEvery();
  if (GORT_UNLIKELY(shouldhelpgc)) {
    gcTrigger t{gcTriggerHeap};
    if (t.test()) gcStart(t);
  }
  return reinterpret_cast<void*>(x);
}

}  // namespace gort::runtime
