// Memory statistics. Ports mstats.go: MemStats for programs, and the counters behind it.
//
// Invariants:
//  - What mallocgc and the sweeper count goes to the P's own heapStatsDelta; readers stop the world
//    or take the heap's lock and add them up. Between acquire and release the M does not change.
//  - Counters of the system's memory are atomic and need no lock.
#pragma once

#include "atomic.h"
#include "sizeclasses.h"

namespace gort::runtime {

struct p;

// What ReadMemStats fills in. Names, units and meanings are Go's; bytes unless said otherwise.
struct MemStats {
  std::uint64_t Alloc = 0, TotalAlloc = 0, Sys = 0, Lookups = 0, Mallocs = 0, Frees = 0;
  std::uint64_t HeapAlloc = 0, HeapSys = 0, HeapIdle = 0, HeapInuse = 0, HeapReleased = 0;
  std::uint64_t HeapObjects = 0;
  std::uint64_t StackInuse = 0, StackSys = 0, MSpanInuse = 0, MSpanSys = 0, MCacheInuse = 0,
                MCacheSys = 0, BuckHashSys = 0, GCSys = 0, OtherSys = 0;
  std::uint64_t NextGC = 0;  // heap goal of the next cycle
  std::uint64_t LastGC = 0;  // ns since 1970
  std::uint64_t PauseTotalNs = 0;
  std::uint64_t PauseNs[256] = {};  // the latest is at (NumGC+255)%256
  std::uint64_t PauseEnd[256] = {};  // ns since 1970
  std::uint32_t NumGC = 0, NumForcedGC = 0;
  double GCCPUFraction = 0;
  bool EnableGC = true, DebugGC = false;
  struct {
    std::uint32_t Size = 0;
    std::uint64_t Mallocs = 0, Frees = 0;
  } BySize[61];
};
void ReadMemStats(MemStats* m);

// Counts of one P (or of all). Racy: written by the owner, added up by others.
struct heapStatsDelta {
  atomic::Racy<std::uint64_t> tinyAllocCount;
  atomic::Racy<std::uint64_t> largeAlloc, largeAllocCount;  // bytes, objects
  atomic::Racy<std::uint64_t> smallAllocCount[_NumSizeClasses];
  atomic::Racy<std::uint64_t> largeFree, largeFreeCount;
  atomic::Racy<std::uint64_t> smallFreeCount[_NumSizeClasses];
};
// The delta that the calling M may add to: its P's, or a shared one under the heap's lock when it has
// none. Keeps the M until releaseHeapStats.
heapStatsDelta* acquireHeapStats();
void releaseHeapStats();
// Adds the counts of a P that goes away to the shared ones. The world must be stopped.
void mergeHeapStats(p* pp);

// Bytes from the system by use; set by who asks for memory.
struct mstats {
  atomic::Uint64 heapSys;  // mapped for the page heap
  atomic::Uint64 heapReleased;  // of it, given back and not used again
  atomic::Uint64 heapInUse;  // spans of objects
  atomic::Uint64 stacksInUse;  // manual spans, of stacks
  atomic::Uint64 workBufsInUse;  // and of work buffers
  atomic::Uint64 gcMiscSys;  // arena tables, mark bits, work buffers
  atomic::Uint64 otherSys;
  atomic::Uint64 buckHashSys;  // of otherSys, what profiles take
  std::uint64_t lastGC;  // ns since 1970; world stopped or heap lock
  std::uint64_t pauseTotalNs;
  std::uint64_t pauseNs[256];
  std::uint64_t pauseEnd[256];
  std::uint32_t numgc;
  std::uint32_t numforcedgc;
  double gcCPUFraction;
  atomic::Racy<bool> enablegc;  // off while booting
};
extern mstats memstats;

}  // namespace gort::runtime
