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
// Starts the background sweeper and scavenger, which may allocate and so need main to run; enables
// collections.
void gcenable();
// Waits until the mark phase of cycle n is over.
void gcWaitOnMark(std::uint32_t n);

extern atomic::Int64 forcegcperiod;  // ns; tests change it
struct forcegcstate {
  mutex lock;
  struct g* gp;  // constant
  atomic::Bool idle;  // gp is parked; written under lock
};
extern forcegcstate forcegc;
void forcegchelper();

// ---- mgcworker.cc ----

enum : std::uint8_t {  // p.gcMarkWorkerMode
  gcMarkWorkerNotWorker,
  gcMarkWorkerDedicatedMode,  // runs until there is no work; its P does nothing else
  gcMarkWorkerFractionalMode,  // runs until it has had its share of the P
  gcMarkWorkerIdleMode,  // runs while the P has nothing else to do
};
void gcBgMarkStartWorkers();
bool isGCWorker(g* gp);
void gcBgMarkPrepare();
// For the scheduler: a mark worker for pp, runnable and not on a queue, if the collector wants one to
// run there now; else null. now may be 0 and is filled in.
g* findRunnableGCWorker(p* pp, std::int64_t* now);
// An idle-priority worker for pp, if there is something to mark and room for one.
g* findIdleGCWorker(p* pp);
// The same for an M without P: takes an idle P too. Both null if there is nothing to do.
struct idleGCWorker {
  struct p* pp;
  g* gp;
};
idleGCWorker checkIdleGCNoP();
// Is there something to mark, in pp's queue (if not null), in the global lists, or left of the roots?
bool gcMarkWorkAvailable(p* pp);
// Whether the P that runs the caller has something better to do than idle marking (proc_schedule.cc).
bool pollWork();

struct workType {
  lfstack full;  // buffers with work
  lfstack empty;
  struct {
    mutex lock;
    // Protected by lock; getempty looks whether free is empty before it locks.
    atomic::Racy<mspan*> free;  // spans whose buffers are all unused, linked through next
    mspan* busy;  // spans whose buffers are in use or on the lists
  } wbufSpans;

  atomic::Uint64 bytesMarked;  // by this cycle, without what gcWorks still hold back

  // Copy of mheap_.allspans for the marker or the sweeper, who go through it without the lock: new
  // spans that are made meanwhile are not their concern (new stacks, or objects that are allocated
  // marked or swept). Replaced with the lock held.
  mspan** spans;
  std::uint32_t nspan;
  uintptr spanscap;  // entries of the array

  atomic::Uint32 markrootNext;
  atomic::Racy<std::uint32_t> markrootJobs;  // an M without P looks whether some are left
  // Numbers of jobs, and where in the sequence of jobs each kind begins. World stopped when written.
  std::uint32_t nSpanRoots, nStackRoots;
  std::uint32_t baseSpans, baseStacks, baseEnd;
  g** stackRoots;  // [nStackRoots]

  atomic::Uint32 nwait;
  std::uint32_t nproc;

  // Held while one goroutine looks whether marking is done, and while the transition is made.
  atomic::Uint32 startSema, markDoneSema;
  std::uint8_t mode;  // GODEBUG=gcstoptheworld, 0 for a concurrent cycle
  bool userForced;
  bool stwSwept;  // gcSweep has swept everything
  std::uint64_t initialHeapLive;

  struct {
    mutex lock;
    gQueue q;  // protected by lock
    atomic::Racy<bool> nonempty;  // of q; written under lock, workers look before they lock
  } assistQueue;
  struct {
    mutex lock;
    gList list;
  } sweepWaiters;
  atomic::Uint32 cycles;  // cycles begun
  atomic::Int64 lastgc;  // ns, when the last cycle ended

  std::int64_t stwprocs, maxprocs;
  std::int64_t tstart;  // ns, of the cycle
  std::int64_t tSweepTerm, tMark, tMarkTerm, tEnd;  // ns
  std::int64_t pauseNS, pauseStart;
  std::uint64_t heap0, heap1, heap2;  // bytes: at the start, at mark termination, marked
  std::int64_t gcCPUTime;  // ns of processor time in all cycles, idle marking left out
};
extern workType work;

void printgctrace();  // mgctrace.cc

// ---- mgcpacer.cc ----

inline constexpr double gcBackgroundUtilization = 0.25;
inline constexpr double gcGoalUtilization = gcBackgroundUtilization;
inline constexpr std::int64_t gcCreditSlack = 2000;
inline constexpr std::int64_t gcAssistTimeSlack = 5000;
inline constexpr std::int64_t gcOverAssistWork = 64 << 10;
inline constexpr std::uint64_t defaultHeapMinimum =
    explore::capacity<std::uint64_t>(4 << 20, 512 << 10);

// A double that several threads read and write; any recent value will do.
using racyFloat = atomic::Racy<double>;

// When to collect, and who marks how much. What changes while goroutines run is atomic; the rest is
// written while the world is stopped, or under mheap_.lock.
struct gcControllerState {
  atomic::Racy<std::int32_t> gcPercent;  // GOGC; -1: off
  std::uint64_t heapMinimum;  // bytes; smallest goal
  // Bytes that are going to be allocated while marking, by the last cycles: start this much early.
  atomic::Uint64 runway;
  double consMark;  // bytes allocated for each byte scanned, in the same processor time
  double lastConsMark[4];
  atomic::Uint64 gcPercentHeapGoal;
  atomic::Uint64 sweepDistMinTrigger;  // no cycle before; leaves room for sweeping
  atomic::Uint64 triggered;  // heapLive when this cycle began; ~0 while none runs
  atomic::Uint64 lastHeapGoal;  // of the last cycle

  atomic::Uint64 heapLive;  // bytes marked by the last cycle and allocated since
  atomic::Uint64 heapScan;  // of them, up to the last pointer of each object
  std::uint64_t lastHeapScan;
  atomic::Uint64 lastStackScan;
  atomic::Int64 maxStackScan;  // bytes of all stacks
  atomic::Uint64 globalsScan;  // bytes of data and bss
  std::uint64_t heapMarked;  // bytes marked by the last cycle

  // Bytes scanned in this cycle.
  atomic::Int64 heapScanWork, stackScanWork, globalsScanWork;
  atomic::Int64 bgScanCredit;  // mgcassist.cc
  atomic::Int64 assistTime, dedicatedMarkTime, fractionalMarkTime, idleMarkTime;  // ns
  std::int64_t markStartTime;  // ns
  atomic::Int64 dedicatedMarkWorkersNeeded;
  // Idle workers: number that run in the lower half, limit in the upper.
  atomic::Uint64 idleMarkWorkers;
  racyFloat assistWorkPerByte;  // scan work to do for each byte allocated
  racyFloat assistBytesPerWork;
  double fractionalUtilizationGoal;  // of each P

  void init(std::int32_t gcPercent);
  void startCycle(std::int64_t markStartTime, int procs, gcTriggerKind kind);
  void revise();
  void endCycle(std::int64_t now, int procs);
  void resetLive(std::uint64_t bytesMarked);
  void commit(bool isSweepDone);
  std::uint64_t heapGoal() const;
  std::uint64_t trigger() const;
  // Adds to heapLive and heapScan; while marking, assists get a new rate.
  void update(std::int64_t dHeapLive, std::int64_t dHeapScan);
  // Stacks have become so much larger, in bytes.
  void addScannableStack(std::int64_t amount) { maxStackScan.Add(amount); }
  // There is new work on work.full: get another P to work on it.
  void enlistWorker();
  bool addIdleMarkWorker();
  void removeIdleMarkWorker();
  bool needIdleMarkWorker() const;
  void setMaxIdleMarkWorkers(std::int32_t max);
  void markWorkerStop(std::uint8_t mode, std::int64_t duration);
  // mheap_.lock held, or world stopped.
  std::int32_t setGCPercent(std::int32_t in);
};
extern gcControllerState gcController;
// Takes the new figures into use. mheap_.lock held, or world stopped.
void gcControllerCommit();
// The new GOGC, below 0 for off; returns the former one.
std::int32_t setGCPercent(std::int32_t in);

// ---- mgcmark.cc ----

// No object lies below.
inline constexpr uintptr minLegalPointer = 4096;

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
// Sweeps what is left. The world is stopped.
void finishsweep_m();
// Takes out of mcentral's unswept sets what spans that were found by index have left behind. On the
// system stack. Allocation may look there at the same time: a span that it misses it finds swept.
void drainUnsweptSets();
// For gcSweep: starts the sweep phase of the cycle. The world is stopped.
void sweepReset();
void bgsweep();
void readySweeper();  // wakes the background sweeper
// Sets the rate for deductSweepCredit, so that sweeping ends before heapLive reaches trigger.
void gcPaceSweeper(std::uint64_t trigger);
extern atomic::Uint32 nbgsweep, npausesweep;  // spans swept by whom in this cycle, for gctrace

// ---- mgcscavenge.cc ----
void bgscavenge();
// Gives at least nbytes of free pages back to the system, if there are so many: whole runs of free
// pages, the largest first. Returns how many bytes. Takes the heap's lock.
uintptr scavenge(uintptr nbytes);
// Sets what the heap may keep. At the end of a collection, before it is swept, and when the goal
// changes.
void gcPaceScavenger(std::uint64_t heapGoal, std::uint64_t lastHeapGoal);
// Asks for the background scavenger, with any locks held; and does it, for sysmon.
void wakeScavenger();
void wakeScavengerIfWanted();

}  // namespace gort::runtime
