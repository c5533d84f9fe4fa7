// The collector's interface inside the runtime. Ports mgc.go, mgcmark.go, mgcsweep.go and
// mgcpacer.go; each group names the file that implements it.
//
// A cycle: sweep termination (world stopped: finish sweeping, turn the write barrier and assists on)
// - concurrent mark - mark termination (gcMarkDone finds no work anywhere by ragged barriers; world
// stopped: check, turn the barrier off) - concurrent sweep.
#pragma once

#include "mgcwork.h"
#include "mheap.h"
#include "runtime2.h"

namespace gort::runtime {

// ---- mgc.cc: phases ----

inline constexpr std::uint32_t _GCoff = 0;  // not marking; sweeping perhaps; barrier off
inline constexpr std::uint32_t _GCmark = 1;  // marking; new objects black; barrier on
inline constexpr std::uint32_t _GCmarktermination = 2;  // the same, world stopped

// Written while the world is stopped.
extern atomic::Racy<std::uint32_t> gcphase;
void setGCPhase(std::uint32_t x);
// Mark workers and assists may blacken objects. Set during _GCmark, cleared by gcMarkDone before it
// stops the world.
extern atomic::Uint32 gcBlackenEnabled;

enum gcTriggerKind : std::uint8_t {
  gcTriggerHeap,  // the heap has reached the trigger
  gcTriggerTime,  // more than forcegcperiod since the last cycle
  gcTriggerCycle,  // unless cycle n has begun
};
struct gcTrigger {
  gcTriggerKind kind;
  std::int64_t now = 0;  // gcTriggerTime: nanotime
  std::uint32_t n = 0;  // gcTriggerCycle
  bool test() const;
};
// Starts a cycle if trigger says so. On a goroutine that may be preempted.
void gcStart(gcTrigger trigger);
void gcMarkDone();
void gcinit();
void gcenable();  // starts the background sweeper and scavenger; in main
void GC();

extern std::int64_t forcegcperiod;  // ns
struct forcegcstate {
  mutex lock;
  g* g;
  atomic::Bool idle;
};
extern forcegcstate forcegc;
void forcegchelper();

enum gcMarkWorkerMode : std::uint8_t {
  gcMarkWorkerNotWorker,
  gcMarkWorkerDedicatedMode,  // runs until there is no work; its P does nothing else
  gcMarkWorkerFractionalMode,  // runs until it has had its share of the P
  gcMarkWorkerIdleMode,  // runs while the P has nothing else to do
};
struct gcBgMarkWorkerNode {
  gcBgMarkWorkerNode* next;  // on gcBgMarkWorkerPool
  g* gp;
  m* mp;
};
void gcBgMarkStartWorkers();
// For the scheduler: a worker to run on pp now, null for none; _Gwaiting -> _Grunnable done.
g* gcControllerFindRunnableGCWorker(p* pp, std::int64_t* now);
// Is there something to do for an idle worker? For findRunnable.
bool gcMarkWorkAvailable(p* pp);
// An idle-priority worker if there is mark work and room for one; null otherwise.
g* findIdleGCWorker(p* pp);
struct idleGCWorker {
  struct p* pp;
  g* gp;
};
idleGCWorker checkIdleGCNoP();

struct workType {
  lfstack full;  // buffers with work
  lfstack empty;
  struct {
    mutex lock;
    mspan* free;  // spans whose buffers are all unused
    mspan* busy;  // spans whose buffers are in use or on the lists
  } wbufSpans;

  atomic::Uint64 bytesMarked;  // by this cycle, without what gcWorks still hold back

  // Copy of mheap_.allspans for the marker or the sweeper, who go through it without the lock: new
  // spans that are made meanwhile are not their concern (new stacks, or objects that are allocated
  // marked or swept). Replaced with the lock held.
  mspan** spans;
  std::uint32_t nspan;

  atomic::Uint32 markrootNext;
  std::uint32_t markrootJobs;
  std::uint32_t nDataRoots, nSpanRoots, nStackRoots;
  std::uint32_t baseData, baseSpans, baseStacks, baseEnd;
  g** stackRoots;
  uintptr nstackRoots;

  atomic::Uint32 nwait;
  std::uint32_t nproc;

  // Held while one goroutine looks whether marking is done, and while the transition is made.
  atomic::Uint32 startSema, markDoneSema;
  gcTriggerKind mode;
  bool userForced;
  std::uint64_t initialHeapLive;

  struct {
    mutex lock;
    gQueue q;
  } assistQueue;
  struct {
    mutex lock;
    gList list;
  } sweepWaiters;
  atomic::Uint32 cycles;  // cycles begun

  std::int64_t stwprocs, maxprocs;
  std::int64_t tSweepTerm, tMark, tMarkTerm, tEnd;  // ns
  std::int64_t pauseNS, pauseStart;
  std::uint64_t heap0, heap1, heap2;  // bytes: at the start, at mark termination, marked
  std::int64_t totaltime;
  struct {
    std::int64_t assistTime, dedicatedTime, fractionalTime, idleTime;
  } cpu;
};
extern workType work;

// ---- mgcpacer.cc ----

inline constexpr double gcBackgroundUtilization = 0.25;
inline constexpr double gcGoalUtilization = gcBackgroundUtilization;
inline constexpr std::int64_t gcCreditSlack = 2000;
inline constexpr std::int64_t gcAssistTimeSlack = 5000;
inline constexpr std::int64_t gcOverAssistWork = 64 << 10;
inline constexpr std::uint64_t defaultHeapMinimum = 4 << 20;

struct gcControllerState {
  atomic::Racy<std::int32_t> gcPercent;  // -1: off; world stopped when written
  std::uint64_t heapMinimum;
  atomic::Uint64 trigger_;  // bytes of heapLive at which to start
  atomic::Uint64 runway;  // bytes between trigger and goal
  double consMark;  // bytes allocated for each byte scanned, per unit of time
  double lastConsMark[4];
  atomic::Uint64 gcPercentHeapGoal;
  atomic::Uint64 heapLive;  // bytes allocated and not known dead: marked + allocated since
  atomic::Uint64 heapScan;  // of it, scannable
  std::uint64_t lastHeapScan;
  atomic::Uint64 lastStackScan, maxStackScan;
  atomic::Uint64 globalsScan;
  std::uint64_t heapMarked;  // bytes marked by the last cycle
  atomic::Int64 heapScanWork, stackScanWork, globalsScanWork;
  atomic::Int64 bgScanCredit;
  atomic::Int64 assistTime, dedicatedMarkTime, fractionalMarkTime, idleMarkTime;
  std::int64_t markStartTime;
  atomic::Int64 dedicatedMarkWorkersNeeded;
  atomic::Int32 idleMarkWorkers, maxIdleMarkWorkers;
  // Bytes of scan work for each byte allocated, and the other way around; bits of doubles.
  atomic::Uint64 assistWorkPerByteBits, assistBytesPerWorkBits;
  double fractionalUtilizationGoal;
  std::uint64_t triggered;  // heapLive when the cycle began; ~0 while it is not known
  std::uint64_t lastHeapGoal;

  void init(std::int32_t gcPercent);
  void startCycle(std::int64_t markStartTime, int procs, bool byTime);
  void revise();
  void endCycle(std::int64_t now, int procs, bool userForced);
  void resetLive(std::uint64_t bytesMarked);
  void commit(bool isSweepDone);
  std::uint64_t heapGoal() const;
  std::uint64_t trigger() const;
  // Adds to heapLive and heapScan, and lets the pacer look at it while marking.
  void update(std::int64_t dHeapLive, std::int64_t dHeapScan);
  bool addIdleMarkWorker();
  void removeIdleMarkWorker();
  bool needIdleMarkWorker() const;
  void setMaxIdleMarkWorkers(std::int32_t max);
  void markWorkerStop(gcMarkWorkerMode mode, std::int64_t duration);
  std::int32_t setGCPercent(std::int32_t in);  // heap lock held, world stopped
};
extern gcControllerState gcController;
void gcControllerCommit();
std::int32_t setGCPercent(std::int32_t in);

// ---- mgcmark.cc ----

// Before an allocation of size bytes while marking: pays for it with mark work if the goroutine is in
// debt. Returns the goroutine that was charged, to correct the amount; null without charge.
g* deductAssistCredit(uintptr size);
// Marks a new object black. Its span has the world's current sweepgen.
void gcmarknewobject(mspan* span, uintptr obj);
// Marks the object that p points into, if it does into one, and queues it. p may be anything.
void shade(uintptr p);
void greyobject(uintptr obj, mspan* span, gcWork* gcw, uintptr objIndex);
void gcMarkRootPrepare();
void gcMarkRootCheck();
void gcMarkTinyAllocs();
std::int64_t markroot(gcWork* gcw, std::uint32_t i, bool flushBgCredit);
enum gcDrainFlags : std::uint32_t {
  gcDrainUntilPreempt = 1,
  gcDrainFlushBgCredit = 2,
  gcDrainIdle = 4,
  gcDrainFractional = 8,
};
void gcDrain(gcWork* gcw, std::uint32_t flags);
std::int64_t gcDrainN(gcWork* gcw, std::int64_t scanWork);
void gcAssistAlloc(g* gp);
void gcFlushBgCredit(std::int64_t scanWork);
void gcWakeAllAssists();
extern bool useCheckmark;  // world stopped

// ---- mgcsweep.cc ----

// Says that spans may be swept: while it is held the sweep phase does not end.
struct sweepLocker {
  std::uint32_t sweepGen;
  bool valid;
  // Takes s for sweeping; false if it is swept already or somebody else has it.
  bool tryAcquire(mspan* s);
};
sweepLocker sweepLockerBegin();
void sweepLockerEnd(sweepLocker* sl);
// Sweeps s, which the caller has acquired. Returns true if the span went back to the page heap. With
// preserve the caller keeps s: it goes to no set and not to the heap.
bool sweepSpan(mspan* s, bool preserve);
// Before s is used in ways that a sweep would disturb: sweeps it or waits until it is swept.
void ensureSwept(mspan* s);
// Sweeps one span. Returns its pages that went to the heap, ~0 when there is nothing left to sweep.
uintptr sweepone();
bool isSweepDone();
// Before spanBytes are taken from the page heap: sweeps in proportion. callerSweepPages were swept by
// the caller to get there.
void deductSweepCredit(uintptr spanBytes, uintptr callerSweepPages);
void finishsweep_m();
void bgsweep();

// ---- mgcscavenge.cc ----
void bgscavenge();
// Gives back up to nbytes of free pages, largest runs first; returns how many. Takes the heap's lock.
uintptr scavenge(uintptr nbytes);
void gcPaceScavenger(std::uint64_t heapGoal, std::uint64_t lastHeapGoal);
void wakeScavenger();

}  // namespace gort::runtime
