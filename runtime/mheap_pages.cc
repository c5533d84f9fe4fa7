// Pages: arenas from the system, runs of free pages, joining and splitting. Ports the part of mheap.go
// below spans, with the free lists that Go had until 2018; Go's later page allocator (mpagealloc.go)
// stands in the same place.
//
// Invariants are those of mheap.h, and:
//  - A free span is on the list for its number of pages and for whether it is scavenged; neither
//    changes while it is there.
//  - A free span that joins another needs zeroing if one of the two does, and counts as scavenged if
//    both do: the pages of a scavenged half count as in use by the process again, although the system
//    has not given them back before somebody touches them. (Go kept such neighbours apart.)
//
// Locks: everything here expects mheap_.lock.
#include "malloc.h"
#include "os_linux.h"
#include "panic_throw.h"
#include "print.h"
#include "proc.h"

namespace gort::runtime {

namespace {

// Arenas lie in one part of each 4 GiB from 0xc0'0000'0000 on: stacks are adjusted without maps
// (stack.cc), and 4 bytes of data below 4 that an old address left must not look like an address.
// With these low 32 bits they are no integer of moderate size, no ASCII text, and as a float a
// negative number closer to 0 than 1e-9.
constexpr uintptr arenaBaseHint = uintptr(0x00c0) << 32;
constexpr uintptr arenaWindow = uintptr(4) << 30;
constexpr uintptr arenaWindowLo = 0x8000'0000, arenaWindowHi = 0xb000'0000;

// Pages are taken from an arena in pieces of this many bytes at least, to make few system calls.
constexpr uintptr growBytes = uintptr(512) << 10;

void* ptr(uintptr p) { return reinterpret_cast<void*>(p); }

atomic::Racy<mspan*>* pageSlot(uintptr p) {
  heapArena* ha = mheap_.arenas[p / heapArenaBytes].LoadAcq();
  return ha == nullptr ? nullptr : &ha->spans[p % heapArenaBytes / _PageSize];
}

mspan* lookup(uintptr p) {
  if (p >= maxAlloc) return nullptr;
  atomic::Racy<mspan*>* slot = pageSlot(p);
  return slot == nullptr ? nullptr : static_cast<mspan*>(*slot);
}

void mapEnds(mspan* s) {
  *pageSlot(s->startAddr) = s;
  *pageSlot(s->startAddr + (s->npages - 1) * _PageSize) = s;
}

bool isFree(const mspan* s) { return s != nullptr && s->onFreeList; }

void unlist(mheap* h, mspan* s) {
  h->freeList(s)->remove(s);
  s->onFreeList = false;
}

void enlist(mheap* h, mspan* s) {
  mapEnds(s);
  s->onFreeList = true;
  h->freeList(s)->insert(s);
}

// Takes the free span other off its list and gives its pages to its neighbour s.
void merge(mheap* h, mspan* s, mspan* other) {
  unlist(h, other);
  if (other->startAddr < s->startAddr) s->startAddr = other->startAddr;
  s->npages += other->npages;
  s->needzero |= other->needzero;
  if (s->scavenged != other->scavenged) {
    uintptr bytes = (s->scavenged ? s->npages - other->npages : other->npages) << _PageShift;
    memstats.heapReleased.Add(-std::uint64_t(bytes));
    s->scavenged = false;
  }
  h->dropSpan(other);
}

// The smallest free span of npages or more, the lowest among equals of the large ones.
mspan* bestFit(mheap* h, uintptr npages) {
  for (uintptr n = npages; n < mheap::maxSmallList; n++)
    for (auto& lists : h->free)
      if (!lists[n].isEmpty()) return lists[n].first;
  mspan* best = nullptr;
  for (mSpanList& list : h->freelarge)
    for (mspan* s = list.first; s != nullptr; s = s->next)
      if (s->npages >= npages && (best == nullptr || s->npages < best->npages ||
                                  (s->npages == best->npages && s->startAddr < best->startAddr)))
        best = s;
  return best;
}

// The next address to ask for, at or after hint, for ask bytes.
uintptr arenaHintFor(uintptr hint, uintptr ask) {
  if (hint == 0) hint = arenaBaseHint;
  uintptr off = hint % arenaWindow;
  if (off < arenaWindowLo) return hint - off + arenaWindowLo;
  if (off + ask > arenaWindowHi) return hint - off + arenaWindow + arenaWindowLo;
  return hint;
}

// Address space for ask bytes, a multiple of heapArenaBytes, aligned to them; 0 when there is none.
uintptr reserveArenas(uintptr hint, uintptr ask) {
  if (POINT_FAILS(reservearenas_mmap)) return 0;
  uintptr v = reinterpret_cast<uintptr>(sysReserve(ptr(hint), ask));
  if (v % heapArenaBytes == 0) return v;
  // The hint was taken. Reserve more, keep the aligned part.
  sysFree(ptr(v), ask);
  uintptr raw = reinterpret_cast<uintptr>(sysReserve(nullptr, ask + heapArenaBytes));
  if (raw == 0) return 0;
  v = alignUp(raw, heapArenaBytes);
  if (v != raw) sysFree(ptr(raw), v - raw);
  sysFree(ptr(v + ask), raw + heapArenaBytes - v);
  return v;
}

// Gives each arena of [v, v+ask) its tables.
bool makeArenas(mheap* h, uintptr v, uintptr ask) {
  constexpr uintptr bytes = alignUp(sizeof(heapArena), physPageSize);
  for (uintptr a = v; a < v + ask; a += heapArenaBytes) {
    void* mem = POINT_FAILS(makearenas_mmap) ? nullptr : sysAlloc(bytes);
    if (mem == nullptr) return false;
    memstats.gcMiscSys.Add(bytes);
    uintptr i = a / heapArenaBytes;
    h->arenas[i].StoreRel(static_cast<heapArena*>(mem));
    if (h->arenaIndexLo == h->arenaIndexHi || i < h->arenaIndexLo) h->arenaIndexLo = i;
    if (i >= h->arenaIndexHi) h->arenaIndexHi = i + 1;
  }
  return true;
}

bool commit(uintptr v, uintptr n) {
  if (POINT_FAILS(commit_mmap) || !sysMap(ptr(v), n)) return false;
  memstats.heapSys.Add(n);
  return true;
}

// Makes [curBase, curEnd) at least need bytes long, by more arenas.
bool growArena(mheap* h, uintptr need) {
  uintptr ask = alignUp(need, heapArenaBytes);
  if (ask < need || ask >= maxAlloc) return false;
  uintptr hint = arenaHintFor(h->arenaHint, ask);
  uintptr v = reserveArenas(hint, ask);
  if (v == 0) return false;
  // What the system cannot give is found out before tables are made for it.
  if (POINT_FAILS(growarena_mmap) || !sysMap(ptr(v), need) || !makeArenas(h, v, ask)) {
    sysFree(ptr(v), ask);
    return false;
  }
  h->arenaHint = v + ask;
  if (v == h->curEnd) {
    h->curEnd += ask;
    return true;
  }
  // What is left of the old arena stays usable.
  uintptr base = h->curBase, rest = h->curEnd - h->curBase;
  h->curBase = v;
  h->curEnd = v + ask;
  if (rest != 0 && commit(base, rest)) h->putPages(h->newSpan(base, rest >> _PageShift));
  return true;
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

mSpanList* mheap::freeList(const mspan* s) {
  int i = s->scavenged ? 1 : 0;
  return s->npages < maxSmallList ? &free[i][s->npages] : &freelarge[i];
}

// The struct may be one that was used before, and a sweeper that goes through allspans may look at
// it at any time: sweepgen stays, so that it never seems to need sweeping.
mspan* mheap::newSpan(uintptr base, uintptr npages) {
  auto* s = static_cast<mspan*>(spanalloc.alloc());
  s->next = s->prev = nullptr;
  s->startAddr = base;
  s->npages = npages;
  s->needzero = false;
  s->onFreeList = false;
  s->scavenged = false;
  return s;
}

void mheap::dropSpan(mspan* s) { spanalloc.free(s); }

void mheap::putPages(mspan* s) {
  assertLockHeld(&lock);
  if (mspan* before = lookup(s->startAddr - _PageSize); isFree(before)) merge(this, s, before);
  if (mspan* after = lookup(s->startAddr + s->npages * _PageSize); isFree(after))
    merge(this, s, after);
  enlist(this, s);
}

mspan* mheap::takePages(uintptr npages) {
  assertLockHeld(&lock);
  mspan* s = bestFit(this, npages);
  if (s == nullptr) {
    if (!grow(npages)) return nullptr;
    s = bestFit(this, npages);
  }
  unlist(this, s);
  if (s->scavenged) memstats.heapReleased.Add(-std::uint64_t(npages << _PageShift));
  if (s->npages > npages) {
    mspan* rest = newSpan(s->startAddr + (npages << _PageShift), s->npages - npages);
    rest->needzero = s->needzero;
    rest->scavenged = s->scavenged;
    s->npages = npages;
    enlist(this, rest);
  }
  s->scavenged = false;
  // The ends now, so that a neighbour that becomes free finds this span and not an older one.
  mapEnds(s);
  return s;
}

mspan* mheap::takeUnscavenged() {
  assertLockHeld(&lock);
  mspan* largest = nullptr;
  for (mspan* s = freelarge[0].first; s != nullptr; s = s->next)
    if (largest == nullptr || s->npages > largest->npages) largest = s;
  for (uintptr n = maxSmallList - 1; largest == nullptr && n > 0; n--) largest = free[0][n].first;
  if (largest != nullptr) unlist(this, largest);
  return largest;
}

bool mheap::grow(uintptr npages) {
  assertLockHeld(&lock);
  uintptr need = npages << _PageShift;
  bool ok = need >> _PageShift == npages;
  if (ok && curEnd - curBase < need) ok = growArena(this, need);
  if (ok) {
    uintptr n = alignUp(need, growBytes);
    if (n > curEnd - curBase) n = curEnd - curBase;
    ok = commit(curBase, n);
    if (ok) {
      uintptr base = curBase;
      curBase += n;
      putPages(newSpan(base, n >> _PageShift));
      return true;
    }
  }
  print("runtime: out of memory: cannot allocate ", need, "-byte block (", memstats.heapSys.Load(),
        " in use)\n");
  return false;
}

}  // namespace gort::runtime
