// The page heap and its spans. Ports mheap.go. Pages are kept in free lists that join neighbours, as
// Go's heap did until 2018; everything that the collector and the allocator see of it is today's.
//
// Invariants (protected by mheap_.lock unless said otherwise):
//  - Every page of an arena that was handed out or freed belongs to exactly one span. heapArena.spans
//    maps the first and the last page of a free span, and every page of one in use, to it; entries
//    of a span in use do not change while it is in use, so lookups of pages known to be in use need
//    no lock.
//  - A span is free when it is on a free list (onFreeList). Two free spans never touch. A span that
//    is mSpanDead and not free is on its way from one state to another, or a struct without pages.
//  - mspan structs are never freed, and all that were ever made are in allspans, also the dead ones.
//    The array is replaced when it grows; the old one is freed unless it is gcspans: the collector
//    goes through that copy (work.spans) without the lock.
//  - sweepgen of a span in use (h is the heap's, which is raised by 2 in each cycle):
//      h-2  needs sweeping             h-1  is being swept       h    is swept
//      h+1  was cached before the sweep began and is still cached: needs sweeping
//      h+3  was swept and then cached
//  - state becomes mSpanInUse last when a span is made, and changes first when it is freed; whoever
//    reads mSpanInUse may read the rest of the span.
#pragma once

#include "atomic.h"
#include "lock_futex.h"
#include "mfixalloc.h"
#include "runtime2.h"
#include "sizeclasses.h"

namespace gort::runtime {

inline constexpr uintptr physPageSize = 4096;
inline constexpr uintptr heapArenaBytes = uintptr(64) << 20;
inline constexpr uintptr pagesPerArena = heapArenaBytes / _PageSize;
inline constexpr uintptr arenaIndexCount = (uintptr(1) << 48) / heapArenaBytes;
inline constexpr uintptr maxAlloc = uintptr(1) << 48;

// Size class << 1, and 1 for objects without pointers.
struct spanClass {
  std::uint8_t v = 0;
  constexpr std::uint8_t sizeclass() const { return v >> 1; }
  constexpr bool noscan() const { return (v & 1) != 0; }
  constexpr bool operator==(const spanClass&) const = default;
};
constexpr spanClass makeSpanClass(std::uint8_t sizeclass, bool noscan) {
  return {static_cast<std::uint8_t>(sizeclass << 1 | (noscan ? 1 : 0))};
}
inline constexpr int numSpanClasses = _NumSizeClasses << 1;
inline constexpr spanClass tinySpanClass = makeSpanClass(2, true);

enum mSpanState : std::uint8_t {
  mSpanDead,  // free pages, or an unused mspan struct
  mSpanInUse,  // objects
  mSpanManual,  // memory that its owner manages: stacks
};

using gcBits = atomic::Value<std::uint8_t>;  // first byte of an array
struct special;
struct mSpanList;
struct mcentral;

// On cache lines of its own; what the marker reads of each object's span is in the first.
struct alignas(sys::CacheLineSize) mspan {
  uintptr startAddr;
  uintptr limit;  // end of the last object
  uintptr elemsize;  // bytes
  // Replaced by the sweeper only; no sweep while marking.
  gcBits* allocBits;
  gcBits* gcmarkBits;
  std::uint32_t divMul;  // for objIndex
  atomic::Uint32 sweepgen;
  // As freeindex, but raised only once the object below it can be scanned (its memory is zeroed and
  // its pointer bits are set). What a conservative scan goes by (isFree).
  atomic::Racy<std::uint16_t> freeIndexForScan;
  spanClass spanclass;
  atomic::Value<mSpanState> state;
  bool needzero;  // the memory is not zero
  // Protected by mheap_.lock:
  bool onFreeList;
  bool scavenged;  // free span: all its pages were given back to the system

  // Objects below freeindex are allocated, or were when freeindex passed them. allocCache holds the
  // complement of allocBits from freeindex on (bit 0 is object freeindex). Both belong to the P
  // whose mcache has the span, or to its sweeper.
  uintptr freeindex;
  uintptr nelems;
  std::uint64_t allocCache;
  // Objects allocated. As freeindex; ReadMemStats and others look from outside.
  atomic::Racy<std::uint16_t> allocCount;
  std::uint16_t allocCountBeforeCache;  // allocCount when the span was cached; the mcache's P

  mspan* next;  // in an mSpanList, protected by what protects the list
  mspan* prev;
  uintptr npages;
  uintptr firstStack;  // mSpanManual: address of the lowest stack in a span of stackpool
  mutex speciallock;
  // By offset. Changed under speciallock, or by the sweeper when nobody else can; the marker looks
  // whether there are any before it locks: what a finalizer that it misses refers to was marked by
  // setfinalizer.
  atomic::Racy<special*> specials;

  uintptr base() const { return startAddr; }
  GORT_INLINE uintptr objIndex(uintptr p) const {
    return static_cast<uintptr>(static_cast<std::uint64_t>(p - startAddr) * divMul >> 32);
  }
  struct markBits markBitsForIndex(uintptr i) const;  // inline, mbitmap.h
  // Whether object i is not allocated, as far as a conservative scan can know.
  GORT_INLINE bool isFree(uintptr i) const {
    if (i < freeIndexForScan) return false;
    return (allocBits[i / 8].LoadRelaxed() & 1 << i % 8) == 0;
  }
  // Index of the next free object at or after freeindex, nelems when there is none; raises
  // freeindex to it.
  uintptr nextFreeIndex();
  void refillAllocCache(uintptr whichByte);
  // Number of marked objects.
  std::uint16_t countAlloc() const;
};

// What a manual span is for; decides under which heading it is counted.
enum spanAllocType : std::uint8_t { spanAllocStack, spanAllocWorkBuf };

struct mSpanList {
  mspan* first = nullptr;
  bool isEmpty() const { return first == nullptr; }
  void insert(mspan* s);
  void remove(mspan* s);
};

// Everything is zero at first: made of zeroed memory from the system, without a constructor.
struct heapArena {
  // One bit for each word: it may hold a pointer. Written by the allocator of the object; others
  // read bits of other objects in the same word meanwhile.
  atomic::Relaxed<uintptr> bitmap[heapArenaBytes / 64 / 8];
  atomic::Racy<mspan*> spans[pagesPerArena];
  // Bits for GODEBUG=gccheckmark=1, one for each word; null until then.
  atomic::Value<std::uint8_t>* checkmarks;
};

struct mheap {
  mutex lock;

  // Raised while the world is stopped (gcSweep); read anywhere.
  atomic::Uint32 sweepgen;

  struct {
    mspan** ptr;
    uintptr len;
    uintptr cap;
  } allspans;  // protected by lock
  // The array that work.spans refers to: not to be freed. Protected by lock.
  mspan** gcspans;

  // Pages in use for objects (mSpanInUse), and in all kinds of spans. Atomic: readers without lock.
  atomic::Uintptr pagesInUse;
  atomic::Uint64 pagesSwept;  // pages of spans swept in this cycle
  atomic::Uint64 pagesSweptBasis;  // pagesSwept to start the proportion from
  // How much to sweep for each byte allocated, in pages; 0: no proportional sweep. Written while the
  // world is stopped, and set to 0 by who finds that sweeping is done; with sweepHeapLiveBasis a
  // reader may get values that do not fit each other, and sweeps too much or too little once.
  atomic::Racy<double> sweepPagesPerByte;
  atomic::Racy<std::uint64_t> sweepHeapLiveBasis;  // heapLive to start the proportion from

  mcentral* central;  // [numSpanClasses]; constant

  fixalloc spanalloc;
  fixalloc cachealloc;
  fixalloc specialfinalizeralloc;
  fixalloc specialprofilealloc;
  mutex speciallock;  // protects the allocators of specials

  atomic::Pointer<heapArena>* arenas;  // by address / heapArenaBytes; constant once made
  // The indices of all arenas lie in [arenaIndexLo, arenaIndexHi). Written under lock, the arena's
  // table first; read without. Relaxed: who has got the address of an object from its allocator has
  // seen its arena counted, and the bounds only ever grow apart.
  atomic::Relaxed<uintptr> arenaIndexLo, arenaIndexHi;
  uintptr arenaHint;
  uintptr curBase, curEnd;  // tail of the newest arena, not handed out yet

  static constexpr uintptr maxSmallList = 128;
  // Free spans: [1] those whose pages were given back to the system, [0] the others, so that the
  // scavenger need not look for them.
  mSpanList free[2][maxSmallList];  // by number of pages
  mSpanList freelarge[2];  // maxSmallList pages and more

  void init();
  // npages of zeroed-or-needzero memory for objects of class spc; for class 0 the one object is as
  // long as the span. Null when the system has none. Not on a goroutine's stack.
  mspan* alloc(uintptr npages, spanClass spc);
  // Takes back a span of objects; nothing in it may be reachable.
  void freeSpan(mspan* s);
  // Memory that the caller manages itself. Null when the system has none. On the system stack.
  mspan* allocManual(uintptr npages, spanAllocType typ = spanAllocStack);
  void freeManual(mspan* s, spanAllocType typ = spanAllocStack);

  // ---- mheap_pages.cc; lock must be held, on the system stack ----

  // npages that are free, as a mSpanDead span off all lists; null when the system has none.
  mspan* takePages(uintptr npages);
  // Makes a mSpanDead span a free one, joined with its free neighbours.
  void putPages(mspan* s);
  // The largest free span with pages that the system has not been given back, off its list; null
  // when there is none. For putPages, once it is scavenged.
  mspan* takeUnscavenged();
  mSpanList* freeList(const mspan* s);
  // Adds to the free pages a run of at least npages; false when the system has none.
  bool grow(uintptr npages);
  // A mspan for npages from base on, mSpanDead, off all lists, and not in heapArena.spans.
  mspan* newSpan(uintptr base, uintptr npages);
  void dropSpan(mspan* s);
};
extern mheap mheap_;

// The span that holds address p; p must lie in a span.
GORT_INLINE mspan* spanOfUnchecked(uintptr p) {
  return mheap_.arenas[p / heapArenaBytes].LoadAcq()->spans[p % heapArenaBytes / _PageSize];
}
// The span that holds p, in use or not; null when p is not in an arena, or its page was never used.
// The span must not change meanwhile: the caller owns it, or holds the lock.
GORT_INLINE mspan* spanOf(uintptr p) {
  if (p >= maxAlloc) return nullptr;
  heapArena* ha = mheap_.arenas[p / heapArenaBytes].LoadAcq();
  if (ha == nullptr) return nullptr;
  mspan* s = ha->spans[p % heapArenaBytes / _PageSize];
  if (s == nullptr || p < s->startAddr || p >= s->startAddr + (s->npages << _PageShift))
    return nullptr;
  return s;
}
// The span in use for objects that holds p, null when there is none. p may be any value, while no
// span is freed: during marking, or when an object keeps the span.
GORT_INLINE mspan* spanOfHeap(uintptr p) {
  if (p >= maxAlloc) return nullptr;
  heapArena* ha = mheap_.arenas[p / heapArenaBytes].LoadAcq();
  if (ha == nullptr) return nullptr;
  mspan* s = ha->spans[p % heapArenaBytes / _PageSize];
  // The state first: who reads mSpanInUse may read the rest.
  if (s == nullptr || s->state.LoadAcq() != mSpanInUse || p < s->startAddr || p >= s->limit)
    return nullptr;
  return s;
}

}  // namespace gort::runtime
