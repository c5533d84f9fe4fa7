// See mstats.h. Ports mstats.go.
//
// Locks: counts of Ms without a P go to noPStats, under mheap_.lock. ReadMemStats stops the world,
// after which all counts stand still.
#include "mstats.h"

#include "mcache.h"
#include "mgc.h"
#include "proc.h"

namespace gort::runtime {

mstats memstats;

namespace {

// What was counted without a P, and by Ps that are gone.
heapStatsDelta noPStats;

void add(heapStatsDelta* sum, const heapStatsDelta* d) {
  sum->tinyAllocCount += d->tinyAllocCount;
  sum->largeAlloc += d->largeAlloc;
  sum->largeAllocCount += d->largeAllocCount;
  sum->largeFree += d->largeFree;
  sum->largeFreeCount += d->largeFreeCount;
  for (int i = 0; i < _NumSizeClasses; i++) {
    sum->smallAllocCount[i] += d->smallAllocCount[i];
    sum->smallFreeCount[i] += d->smallFreeCount[i];
  }
}

void clear(heapStatsDelta* d) {
  d->tinyAllocCount = d->largeAlloc = d->largeAllocCount = d->largeFree = d->largeFreeCount = 0;
  for (int i = 0; i < _NumSizeClasses; i++) d->smallAllocCount[i] = d->smallFreeCount[i] = 0;
}

// The world must be stopped.
void flushallmcaches() {
  assertWorldStopped();
  for (std::int32_t i = 0; i < allp.len; i++)
    if (mcache* c = allp[i]->mcache; c != nullptr) c->releaseAll();
}

// The sum of all counts; the world must be stopped.
void readHeapStats(heapStatsDelta* sum) {
  assertWorldStopped();
  clear(sum);
  add(sum, &noPStats);
  for (std::int32_t i = 0; i < allp.len; i++) add(sum, &allp[i]->statsDelta);
}

// What the objects amount to. As in Go, what is in tiny blocks counts as freed as soon as it is
// allocated, besides the blocks themselves.
void fillObjects(MemStats* m, const heapStatsDelta& d) {
  std::uint64_t totalFree = d.largeFree;
  m->TotalAlloc = d.largeAlloc;
  m->Mallocs = d.largeAllocCount + d.tinyAllocCount;
  m->Frees = d.largeFreeCount + d.tinyAllocCount;
  constexpr int nsizes = sizeof m->BySize / sizeof m->BySize[0];
  for (int i = 0; i < _NumSizeClasses; i++) {
    std::uint64_t mallocs = d.smallAllocCount[i], frees = d.smallFreeCount[i];
    m->TotalAlloc += mallocs * class_to_size[i];
    totalFree += frees * class_to_size[i];
    m->Mallocs += mallocs;
    m->Frees += frees;
    if (i >= nsizes) continue;
    m->BySize[i].Size = class_to_size[i];
    m->BySize[i].Mallocs = mallocs;
    m->BySize[i].Frees = frees;
  }
  m->Alloc = m->HeapAlloc = m->TotalAlloc - totalFree;
  m->HeapObjects = m->Mallocs - m->Frees;
}

// Where the system's memory went. Pages of stacks and work buffers belong to the page heap but not
// to HeapSys.
void fillMemory(MemStats* m) {
  std::uint64_t stacks = memstats.stacksInUse.Load(), wbufs = memstats.workBufsInUse.Load();
  m->HeapInuse = memstats.heapInUse.Load();
  m->HeapSys = memstats.heapSys.Load() - stacks - wbufs;
  m->HeapIdle = m->HeapSys - m->HeapInuse;
  m->HeapReleased = memstats.heapReleased.Load();
  m->StackInuse = m->StackSys = stacks;
  m->MSpanInuse = mheap_.spanalloc.inuse;
  m->MSpanSys = mheap_.spanalloc.sys;
  m->MCacheInuse = mheap_.cachealloc.inuse;
  m->MCacheSys = mheap_.cachealloc.sys;
  m->GCSys = memstats.gcMiscSys.Load() + wbufs;
  m->BuckHashSys = memstats.buckHashSys.Load();
  m->OtherSys = memstats.otherSys.Load() - m->MSpanSys - m->MCacheSys - m->BuckHashSys;
  m->Sys = m->HeapSys + m->StackSys + m->MSpanSys + m->MCacheSys + m->BuckHashSys + m->GCSys +
           m->OtherSys;
}

void fillCycles(MemStats* m) {
  m->NextGC = gcController.heapGoal();
  m->LastGC = memstats.lastGC;
  m->PauseTotalNs = memstats.pauseTotalNs;
  for (int i = 0; i < 256; i++) {
    m->PauseNs[i] = memstats.pauseNs[i];
    m->PauseEnd[i] = memstats.pauseEnd[i];
  }
  m->NumGC = memstats.numgc;
  m->NumForcedGC = memstats.numforcedgc;
  m->GCCPUFraction = memstats.gcCPUFraction;
  m->EnableGC = true;
  m->DebugGC = false;
}

// On the system stack, the world stopped. m may be on the caller's stack, which does not move.
void readmemstats_m(MemStats* m) {
  flushallmcaches();
  static heapStatsDelta sum;  // one reader at a time: the world is stopped
  readHeapStats(&sum);
  m->Lookups = 0;
  fillObjects(m, sum);
  fillMemory(m);
  fillCycles(m);
}

}  // namespace

void ReadMemStats(MemStats* m) {
  stopTheWorld(stwReadMemStats);
  systemstack([&] { readmemstats_m(m); });
  startTheWorld();
}

heapStatsDelta* acquireHeapStats() {
  m* mp = acquirem();
  if (p* pp = mp->p; pp != nullptr) return &pp->statsDelta;
  lock(&mheap_.lock);
  return &noPStats;
}

void releaseHeapStats() {
  m* mp = getg()->m;
  if (mp->p == nullptr) unlock(&mheap_.lock);
  releasem(mp);
}

void mergeHeapStats(p* pp) {
  assertWorldStopped();
  lock(&mheap_.lock);
  add(&noPStats, &pp->statsDelta);
  clear(&pp->statsDelta);
  unlock(&mheap_.lock);
}

}  // namespace gort::runtime
