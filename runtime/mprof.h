// What profiles are made of: samples of allocations, waits and stacks. Ports mprof.go. Programs as a
// rule use runtime::pprof (pprof.h), which writes them in a tool's format.
//
//   mprof.cc            the heap profile, and the buckets that all of these are counted in
//   mprof_block.cc      waits: the block and the mutex profile
//   mprof_goroutine.cc  goroutines and threads
//
// A bucket counts for one stack. Stacks are kept as return addresses; functions that were inlined are
// found when a profile is written.
//
// Invariants:
//  - A bucket is never changed but for its counts, and never freed. New ones are linked in under
//    profInsertLock; readers follow the links without it.
//  - Counts of waits are protected by profBlockLock, the published counts of the heap profile by
//    profMemActiveLock, those of a cycle that is not published yet by its profMemFutureLock.
//  - Allocations count when they are made, frees when the sweeper finds them, up to a cycle later. So
//    that a profile is that of one moment, counts are collected for each cycle and published when all
//    that is known of it: allocations count for cycle C+2, frees for C+1, and C is what mark
//    termination makes of C+1 once the sweep is over. All profiles show the heap as it was when
//    the last complete collection found it.
#pragma once

#include <span>

#include "os_linux.h"
#include "runtime2.h"

namespace gort::runtime {

struct bucket;

// ---- for the allocator and the collector ----

void mprofinit();
// Bytes to the next sample, on average MemProfileRate, exponentially distributed. On the system stack.
std::int64_t nextSample();
// What mallocgc calls for an object that c's countdown has chosen. The M is held by m.mallocing.
void profilealloc(struct mcache* c, void* x, uintptr size);
void mProf_Free(bucket* b, uintptr size);
// Begins a new cycle; the world is stopped. mProf_Flush must come before the next call.
void mProf_NextCycle();
// Publishes the current cycle.
void mProf_Flush();
// Publishes what the sweep that has just ended has found as well.
void mProf_PostSweep();

// ---- for what blocks goroutines ----

// In cputicks; 1 for every wait, 0 for none. Read without a lock: a recent value is good enough.
extern atomic::Int64 blockprofilerate;
extern atomic::Int64 mutexprofilerate;

// The time at which a wait begins, 0 if waits are not profiled.
GORT_INLINE std::int64_t blockprofiletime() {
  if (GORT_LIKELY(blockprofilerate.LoadRelaxed() <= 0)) return 0;
  return static_cast<std::int64_t>(cputicks());
}
// Before sg's goroutine is made ready.
GORT_INLINE void setreleasetime(sudog* sg) {
  if (GORT_UNLIKELY(sg->releasetime != 0)) sg->releasetime = static_cast<std::int64_t>(cputicks());
}
// The calling goroutine has waited for that long, or has made others wait. No runtime lock may be held.
void blockevent(std::int64_t cycles);
void mutexevent(std::int64_t cycles);

// ---- for programs ----

// One allocation is sampled for each so many bytes allocated, on average: MemProfileRate = 1 samples
// all, 0 none; at first it is 512 KiB. Best set once, before anything is allocated: what a profile says
// is computed from the rate at which it is written. Stops the world, if there is one.
class memProfileRate {
 public:
  operator int() const { return rate_; }  // NOLINT(google-explicit-constructor): reads like an int
  memProfileRate& operator=(int rate);

 private:
  atomic::Racy<int> rate_{512 * 1024};
};
extern memProfileRate MemProfileRate;

struct ProfileResult {
  int n;  // records that there are
  bool ok;  // they fitted, and have been stored
};

inline std::span<const uintptr> profileStack(const uintptr (&stack0)[32]) {
  std::size_t n = 0;
  while (n < 32 && stack0[n] != 0) n++;
  return {stack0, n};
}

// Where something was: return addresses, innermost first, up to the first 0.
struct StackRecord {
  uintptr Stack0[32] = {};
  std::span<const uintptr> Stack() const { return profileStack(Stack0); }
};

// Objects sampled that were allocated at one place; not scaled up.
struct MemProfileRecord {
  std::int64_t AllocBytes = 0, FreeBytes = 0;
  std::int64_t AllocObjects = 0, FreeObjects = 0;
  uintptr Stack0[32] = {};
  std::int64_t InUseBytes() const { return AllocBytes - FreeBytes; }
  std::int64_t InUseObjects() const { return AllocObjects - FreeObjects; }
  std::span<const uintptr> Stack() const { return profileStack(Stack0); }
};
// Copies the heap profile to p if it fits. inuseZero: also places of which all objects are freed. The
// profile may be up to two collections old.
ProfileResult MemProfile(std::span<MemProfileRecord> p, bool inuseZero);

// Waits at one place.
struct BlockProfileRecord {
  std::int64_t Count = 0;
  std::int64_t Cycles = 0;  // of cputicks
  uintptr Stack0[32] = {};
  std::span<const uintptr> Stack() const { return profileStack(Stack0); }
};
// One wait is sampled for each rate nanoseconds that goroutines are blocked; 1: all, 0: none.
void SetBlockProfileRate(int rate);
// One of rate contentions of a mutex is sampled; 0: none; negative: no change. Returns the former rate.
int SetMutexProfileFraction(int rate);
ProfileResult BlockProfile(std::span<BlockProfileRecord> p);
ProfileResult MutexProfile(std::span<BlockProfileRecord> p);

// The stacks of all goroutines, the caller's first, and, if labels is of the same size, their labels.
// Stops the world.
ProfileResult GoroutineProfile(std::span<StackRecord> p, std::span<void*> labels = {});
// Where each thread was made, if a goroutine's code did that; else an empty stack.
ProfileResult ThreadCreateProfile(std::span<StackRecord> p);

// ---- inside mprof*.cc ----

enum bucketType : std::int32_t {
  memProfile = 1,
  blockProfile,
  mutexProfile,
};

inline constexpr int maxStack = 32;  // frames kept

struct memRecordCycle {
  uintptr allocs, frees;
  uintptr alloc_bytes, free_bytes;
  void add(const memRecordCycle& b) {
    allocs += b.allocs;
    frees += b.frees;
    alloc_bytes += b.alloc_bytes;
    free_bytes += b.free_bytes;
  }
};

struct memRecord {
  memRecordCycle active;  // published
  memRecordCycle future[3];  // by cycle % 3: C (until it is published), C+1 and C+2
};

struct blockRecord {
  double count;
  std::int64_t cycles;
};

// Constant once it is linked in, but for the record. The stack follows it in memory.
struct bucket {
  bucket* next;  // in its hash chain
  bucket* allnext;  // of its type
  bucketType typ;
  std::int32_t nstk;
  uintptr hash;
  uintptr size;  // of the objects; 0 for waits
  union {
    memRecord mem;
    blockRecord block;
  };
  uintptr* stk() { return reinterpret_cast<uintptr*>(this + 1); }
  memRecord* mp();
  blockRecord* bp();
};

// The bucket of that stack; makes it if there is none. On the system stack.
bucket* stkbucket(bucketType typ, uintptr size, const uintptr* stk, int nstk);
// The newest bucket of each type, from which allnext leads to the others.
extern atomic::Pointer<bucket> mbuckets, bbuckets, xbuckets;
void copystk(uintptr (&to)[32], bucket* b);

}  // namespace gort::runtime
