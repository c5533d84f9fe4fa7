// The page heap: runs of 8 KiB pages, taken from arenas and joined again when freed. Ports the
// part of mheap.go and mfixalloc.go that stacks need, with the free lists that Go had until 2018.
//
// Invariants (all protected by mheaplock unless said otherwise):
//  - Every page of an arena that was handed out or freed belongs to exactly one span; pagemap maps
//    the first and last page of a free span, and every page of one in use, to it.
//  - Two free spans never touch: freeManual joins them.
//  - A free span of n pages is on freeList(n).
//  - pagemap entries of a span in use do not change while it is in use, so its owner looks them up
//    without the lock.
#include "malloc.h"
#include "os_linux.h"
#include "proc.h"

namespace gort::runtime {

mutex mheaplock;

namespace {

constexpr uintptr heapArenaBytes = uintptr(64) << 20;
constexpr uintptr pagesPerArena = heapArenaBytes / _PageSize;
constexpr uintptr arenaIndexCount = (uintptr(1) << 48) / heapArenaBytes;
// Arenas lie in one part of each 4 GiB from 0xc0'0000'0000 on: stacks are adjusted without maps
// (stack.cc), and 4 bytes of data below 4 that an old address left must not look like an address.
// With these low 32 bits they are no integer of moderate size, no ASCII text, and as a float a
// negative number closer to 0 than 1e-9.
constexpr uintptr arenaBaseHint = uintptr(0x00c0) << 32;
constexpr uintptr arenaWindow = uintptr(4) << 30;
constexpr uintptr arenaWindowLo = 0x8000'0000, arenaWindowHi = 0xb000'0000;
constexpr uintptr maxSmallList = 128;

struct heapArena {
  atomic::Racy<mspan*> spans[pagesPerArena];
};

struct {
  atomic::Pointer<heapArena>* arenas;  // indexed by address / heapArenaBytes; constant once made
  uintptr arenaHint;                   // where to ask for the next arena
  uintptr curBase, curEnd;             // tail of the newest arena, not handed out yet
  mSpanList free[maxSmallList];        // by number of pages
  mSpanList freelarge;                 // maxSmallList pages and more
  mspan* spancache;                    // unused mspan structs
} heap;

atomic::Racy<mspan*>* pageSlot(uintptr p) {
  heapArena* ha = heap.arenas[p / heapArenaBytes].LoadAcq();
  return ha == nullptr ? nullptr : &ha->spans[p % heapArenaBytes / _PageSize];
}

mspan* lookup(uintptr p) {
  if (heap.arenas == nullptr || p >= uintptr(1) << 48) return nullptr;
  atomic::Racy<mspan*>* slot = pageSlot(p);
  return slot == nullptr ? nullptr : static_cast<mspan*>(*slot);
}

mspan* newSpan(uintptr base, uintptr npages) {
  mspan* s = heap.spancache;
  if (s != nullptr)
    heap.spancache = s->next;
  else
    s = newpersistent<mspan>();
  s->next = s->prev = nullptr;
  s->startAddr = base;
  s->npages = npages;
  s->firstStack = 0;
  s->allocCount = 0;
  s->elemsize = 0;
  s->state = mSpanDead;
  s->needzero = false;
  return s;
}

void dropSpan(mspan* s) {
  s->state = mSpanDead;
  s->next = heap.spancache;
  heap.spancache = s;
}

mSpanList* freeList(uintptr npages) {
  return npages < maxSmallList ? &heap.free[npages] : &heap.freelarge;
}

void mapEnds(mspan* s) {
  *pageSlot(s->startAddr) = s;
  *pageSlot(s->startAddr + (s->npages - 1) * _PageSize) = s;
}

// Puts a free span in its list, joined with free neighbours.
void freeSpan(mspan* s) {
  s->state = mSpanDead;
  mspan* before = lookup(s->startAddr - _PageSize);
  if (before != nullptr && before->state == mSpanDead) {
    freeList(before->npages)->remove(before);
    s->startAddr = before->startAddr;
    s->npages += before->npages;
    s->needzero |= before->needzero;
    dropSpan(before);
  }
  mspan* after = lookup(s->startAddr + s->npages * _PageSize);
  if (after != nullptr && after->state == mSpanDead) {
    freeList(after->npages)->remove(after);
    s->npages += after->npages;
    s->needzero |= after->needzero;
    dropSpan(after);
  }
  mapEnds(s);
  freeList(s->npages)->insert(s);
}

// The next address to ask for, at or after hint, for ask bytes.
uintptr arenaHintFor(uintptr hint, uintptr ask) {
  uintptr off = hint % arenaWindow;
  if (off < arenaWindowLo) return hint - off + arenaWindowLo;
  if (off + ask > arenaWindowHi) return hint - off + arenaWindow + arenaWindowLo;
  return hint;
}

// Makes at least npages of new free memory; false when the system has none.
bool grow(uintptr npages) {
  uintptr ask = alignUp(npages << _PageShift, heapArenaBytes);
  if (heap.curEnd - heap.curBase < npages << _PageShift) {
    uintptr hint = arenaHintFor(heap.arenaHint, ask);
    uintptr v = reinterpret_cast<uintptr>(sysReserve(reinterpret_cast<void*>(hint), ask));
    if (v == 0) return false;
    if (v % heapArenaBytes != 0) {
      // The hint was taken. Reserve more, keep the aligned part.
      sysFree(reinterpret_cast<void*>(v), ask);
      uintptr raw = reinterpret_cast<uintptr>(sysReserve(nullptr, ask + heapArenaBytes));
      if (raw == 0) return false;
      v = alignUp(raw, heapArenaBytes);
      if (v != raw) sysFree(reinterpret_cast<void*>(raw), v - raw);
      sysFree(reinterpret_cast<void*>(v + ask), raw + heapArenaBytes - v);
    }
    heap.arenaHint = v + ask;
    for (uintptr a = v; a < v + ask; a += heapArenaBytes) {
      void* mem = sysAlloc(alignUp(sizeof(heapArena), physPageSize));
      if (mem == nullptr) return false;
      heap.arenas[a / heapArenaBytes].StoreRel(new (mem) heapArena());
    }
    if (v == heap.curEnd) {
      heap.curEnd += ask;
    } else {
      // What is left of the old arena stays usable.
      uintptr rest = (heap.curEnd - heap.curBase) >> _PageShift;
      uintptr base = heap.curBase;
      heap.curBase = v;
      heap.curEnd = v + ask;
      if (rest != 0 && sysMap(reinterpret_cast<void*>(base), rest << _PageShift))
        freeSpan(newSpan(base, rest));
    }
  }
  // Take it in pieces of 512 KiB at least, to make few system calls.
  uintptr n = alignUp(npages << _PageShift, uintptr(512) << 10);
  if (n > heap.curEnd - heap.curBase) n = heap.curEnd - heap.curBase;
  if (!sysMap(reinterpret_cast<void*>(heap.curBase), n)) return false;
  uintptr base = heap.curBase;
  heap.curBase += n;
  freeSpan(newSpan(base, n >> _PageShift));
  return true;
}

mspan* takeFree(uintptr npages) {
  for (uintptr n = npages; n < maxSmallList; n++)
    if (!heap.free[n].isEmpty()) return heap.free[n].first;
  mspan* best = nullptr;
  for (mspan* s = heap.freelarge.first; s != nullptr; s = s->next)
    if (s->npages >= npages && (best == nullptr || s->npages < best->npages ||
                                (s->npages == best->npages && s->startAddr < best->startAddr)))
      best = s;
  return best;
}

}  // namespace

void mSpanList::insert(mspan* s) {
  s->prev = nullptr;
  s->next = first;
  if (first != nullptr) first->prev = s;
  first = s;
}

void mSpanList::remove(mspan* s) {
  if (s->prev != nullptr)
    s->prev->next = s->next;
  else if (first == s)
    first = s->next;
  else
    throw_("mSpanList.remove");
  if (s->next != nullptr) s->next->prev = s->prev;
  s->next = s->prev = nullptr;
}

mspan* allocManual(uintptr npages) {
  lock(&mheaplock);
  if (heap.arenas == nullptr) {
    void* mem = sysReserve(nullptr, arenaIndexCount * sizeof(void*));
    if (mem == nullptr || !sysMap(mem, arenaIndexCount * sizeof(void*)))
      throw_("runtime: cannot reserve arena index");
    heap.arenas = static_cast<atomic::Pointer<heapArena>*>(mem);
    heap.arenaHint = arenaBaseHint;
  }
  mspan* s = takeFree(npages);
  if (s == nullptr) {
    if (!grow(npages)) {
      unlock(&mheaplock);
      return nullptr;
    }
    s = takeFree(npages);
  }
  freeList(s->npages)->remove(s);
  if (s->npages > npages) {
    mspan* rest = newSpan(s->startAddr + (npages << _PageShift), s->npages - npages);
    rest->needzero = s->needzero;
    s->npages = npages;
    rest->state = mSpanDead;
    mapEnds(rest);
    freeList(rest->npages)->insert(rest);
  }
  for (uintptr i = 0; i < npages; i++) *pageSlot(s->startAddr + (i << _PageShift)) = s;
  s->firstStack = 0;
  s->allocCount = 0;
  s->state = mSpanManual;
  unlock(&mheaplock);
  return s;
}

void freeManual(mspan* s) {
  lock(&mheaplock);
  s->needzero = true;
  freeSpan(s);
  unlock(&mheaplock);
}

mspan* spanOfUnchecked(uintptr p) { return *pageSlot(p); }
mspan* spanOf(uintptr p) {
  mspan* s = lookup(p);
  if (s == nullptr || p < s->startAddr || p >= s->startAddr + (s->npages << _PageShift))
    return nullptr;
  return s;
}

}  // namespace gort::runtime
