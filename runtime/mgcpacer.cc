// The pacer: when a cycle begins and how the work is shared. Ports mgcpacer.go, without the memory
// limit and without the limiter of the collector's processor time.
//
// Goal: at the end of marking the heap is GOGC percent larger than what the last cycle left alive
// (with stacks and globals counted), and marking took a quarter of the processors.
//  - The trigger is the goal less the runway: what is going to be allocated while marking, by the
//    ratio consMark that the last cycles measured.
//  - A quarter of the Ps is given to dedicated workers; what is left of the quarter to fractional
//    ones. Idle Ps mark besides.
//  - Assists make up for the rest: revise sets the rate at which allocation has to pay, so that the
//    scan work that is left is done when the heap reaches the goal.
#include <string_view>

#include "malloc.h"
#include "mgc.h"
#include "os_linux.h"
#include "print.h"
#include "proc.h"
#include "runtime1.h"
#include "trace.h"

namespace gort::runtime {

gcControllerState gcController;

namespace {

constexpr std::uint64_t sweepMinHeapDistance = 1 << 20;
// The trigger lies between these parts of the way from the marked heap to the goal.
constexpr std::uint64_t triggerRatioDen = 64;
constexpr std::uint64_t minTriggerRatioNum = 45;
constexpr std::uint64_t maxTriggerRatioNum = 61;

constexpr std::uint64_t unknown = ~std::uint64_t(0);

std::uint64_t idleCount(std::uint64_t v) { return v & 0xffffffff; }
std::uint64_t idleMax(std::uint64_t v) { return v >> 32; }

}  // namespace

void gcControllerState::init(std::int32_t percent) {
  heapMinimum = defaultHeapMinimum;
  triggered.Store(unknown);
  setGCPercent(percent);
  commit(true);
}

void gcControllerState::startCycle(std::int64_t start, int procs, gcTriggerKind kind) {
  heapScanWork.Store(0);
  stackScanWork.Store(0);
  globalsScanWork.Store(0);
  bgScanCredit.Store(0);
  assistTime.Store(0);
  dedicatedMarkTime.Store(0);
  fractionalMarkTime.Store(0);
  idleMarkTime.Store(0);
  markStartTime = start;
  triggered.Store(heapLive.Load());

  double total = static_cast<double>(procs) * gcBackgroundUtilization;
  std::int64_t dedicated = (procs * 25 + 50) / 100;  // of total, rounded
  static_assert(gcBackgroundUtilization == 0.25);
  double error = static_cast<double>(dedicated) / total - 1;
  constexpr double maxUtilError = 0.3;
  if (error < -maxUtilError || error > maxUtilError) {
    // Rounding is too far off (1, 2, 3 and 6 Ps): fractional workers make up for it.
    if (static_cast<double>(dedicated) > total) dedicated--;
    fractionalUtilizationGoal = (total - static_cast<double>(dedicated)) / procs;
  } else {
    fractionalUtilizationGoal = 0;
  }
  if (dbg.gcstoptheworld > 0) {
    dedicated = procs;
    fractionalUtilizationGoal = 0;
  }
  for (std::int32_t i = 0; i < allp.len; i++) {
    allp[i]->gcAssistTime = 0;
    allp[i]->gcFractionalMarkTime = 0;
  }
  // A cycle that was started by time shall not take idle processors, but it must get done.
  if (kind == gcTriggerTime)
    setMaxIdleMarkWorkers(dedicated > 0 ? 0 : 1);
  else
    setMaxIdleMarkWorkers(static_cast<std::int32_t>(procs - dedicated));
  dedicatedMarkWorkersNeeded.Store(dedicated);
  revise();
}

void gcControllerState::revise() {
  std::int32_t percent = gcPercent;
  if (percent < 0) percent = 100000;  // a forced cycle with GOGC=off: pace it, but gently
  auto live = static_cast<std::int64_t>(heapLive.Load());
  auto scan = static_cast<std::int64_t>(heapScan.Load());
  std::int64_t done = heapScanWork.Load() + stackScanWork.Load() + globalsScanWork.Load();
  auto goal = static_cast<std::int64_t>(heapGoal());
  auto globals = static_cast<std::int64_t>(globalsScan.Load());

  // As much as last time, or, when it has turned out to be more, everything there is.
  std::int64_t expected = static_cast<std::int64_t>(lastHeapScan + lastStackScan.Load()) + globals;
  std::int64_t most = scan + maxStackScan.Load() + globals;
  if (done > expected) {
    auto trig = static_cast<std::int64_t>(triggered.Load());
    double rate =
        static_cast<double>(goal - trig) / static_cast<double>(expected > 0 ? expected : 1);
    auto ext = static_cast<std::int64_t>(rate * static_cast<double>(most)) + trig;
    expected = most;
    auto hard = static_cast<std::int64_t>((1.0 + percent / 100.0) * static_cast<double>(goal));
    goal = ext < hard ? ext : hard;
  }
  if (live > goal) {
    goal = static_cast<std::int64_t>(static_cast<double>(goal) * 1.1);
    expected = most;
  }
  // Never nothing, and never below: a late worker must not make the rates negative or infinite.
  std::int64_t left = expected - done;
  if (left < 1000) left = 1000;
  std::int64_t room = goal - live;
  if (room <= 0) room = 1;
  assistWorkPerByte = static_cast<double>(left) / static_cast<double>(room);
  assistBytesPerWork = static_cast<double>(room) / static_cast<double>(left);
}

void gcControllerState::endCycle(std::int64_t now, int procs) {
  lastHeapGoal.Store(heapGoal());
  double duration = static_cast<double>(now - markStartTime) * procs;
  double utilization = gcBackgroundUtilization;
  if (duration > 0) utilization += static_cast<double>(assistTime.Load()) / duration;
  // Nothing was allocated while marking: nothing to learn.
  std::uint64_t live = heapLive.Load();
  if (live <= triggered.Load()) return;
  double idle = duration > 0 ? static_cast<double>(idleMarkTime.Load()) / duration : 0;
  auto scanned =
      static_cast<double>(heapScanWork.Load() + stackScanWork.Load() + globalsScanWork.Load());
  if (utilization >= 1 || scanned <= 0) return;
  double current = static_cast<double>(live - triggered.Load()) * (utilization + idle) /
                   (scanned * (1 - utilization));
  // The worst of the last few: better early than with assists.
  consMark = current;
  for (double last : lastConsMark)
    if (last > consMark) consMark = last;
  for (int i = 0; i < 3; i++) lastConsMark[i] = lastConsMark[i + 1];
  lastConsMark[3] = current;
}

void gcControllerState::resetLive(std::uint64_t bytesMarked) {
  heapMarked = bytesMarked;
  heapLive.Store(bytesMarked);
  heapScan.Store(static_cast<std::uint64_t>(heapScanWork.Load()));
  lastHeapScan = static_cast<std::uint64_t>(heapScanWork.Load());
  lastStackScan.Store(static_cast<std::uint64_t>(stackScanWork.Load()));
  globalsScan.Store(static_cast<std::uint64_t>(globalsScanWork.Load()));
  triggered.Store(unknown);
  if (traceEnabled()) traceHeapAlloc();
}

void gcControllerState::update(std::int64_t dHeapLive, std::int64_t dHeapScan) {
  if (dHeapLive != 0) {
    heapLive.Add(static_cast<std::uint64_t>(dHeapLive));
    if (traceEnabled()) traceHeapAlloc();
  }
  if (gcBlackenEnabled.Load() == 0) {
    // What is allocated while marking is black: it adds nothing to scan.
    if (dHeapScan != 0) heapScan.Add(static_cast<std::uint64_t>(dHeapScan));
  } else {
    revise();
  }
}

std::uint64_t gcControllerState::heapGoal() const {
  std::uint64_t goal = gcPercentHeapGoal.Load();
  if (std::uint64_t least = sweepDistMinTrigger.Load(); least > goal) goal = least;
  // A cycle that began late (or that was forced) still needs some room to allocate in.
  constexpr std::uint64_t minRunway = 64 << 10;
  if (std::uint64_t t = triggered.Load(); t != unknown && goal < t + minRunway)
    goal = t + minRunway;
  return goal;
}

std::uint64_t gcControllerState::trigger() const {
  std::uint64_t goal = heapGoal();
  if (heapMarked >= goal) return goal;
  std::uint64_t lowest = sweepDistMinTrigger.Load();
  if (lowest < heapMarked) lowest = heapMarked;
  std::uint64_t step = (goal - heapMarked) / triggerRatioDen;
  if (std::uint64_t low = step * minTriggerRatioNum + heapMarked; lowest < low) lowest = low;
  std::uint64_t highest = step * maxTriggerRatioNum + heapMarked;
  if (goal > defaultHeapMinimum && goal - defaultHeapMinimum > highest)
    highest = goal - defaultHeapMinimum;
  if (highest < lowest) highest = lowest;
  std::uint64_t way = runway.Load();
  std::uint64_t t = way > goal ? lowest : goal - way;
  if (t < lowest) t = lowest;
  if (t > highest) t = highest;
  if (t > goal) {
    print("trigger=", t, " heapGoal=", goal, "\n");
    print("minTrigger=", lowest, " maxTrigger=", highest, "\n");
    throw_("produced a trigger greater than the heap goal");
  }
  return t;
}

void gcControllerState::commit(bool isSweepDone) {
  assertWorldStoppedOrLockHeld(&mheap_.lock);
  sweepDistMinTrigger.Store(isSweepDone ? 0 : heapLive.Load() + sweepMinHeapDistance);
  std::uint64_t goal = unknown;
  std::uint64_t roots = lastStackScan.Load() + globalsScan.Load();
  if (std::int32_t percent = gcPercent; percent >= 0)
    goal = heapMarked + (heapMarked + roots) * static_cast<std::uint64_t>(percent) / 100;
  if (goal < heapMinimum) goal = heapMinimum;
  gcPercentHeapGoal.Store(goal);
  runway.Store(static_cast<std::uint64_t>(consMark * (1 - gcGoalUtilization) / gcGoalUtilization *
                                          static_cast<double>(lastHeapScan + roots)));
}

std::int32_t gcControllerState::setGCPercent(std::int32_t in) {
  std::int32_t out = gcPercent;
  if (in < 0) in = -1;
  heapMinimum =
      in < 0 ? defaultHeapMinimum : defaultHeapMinimum * static_cast<std::uint64_t>(in) / 100;
  gcPercent = in;
  return out;
}

void gcControllerState::enlistWorker() {
  // Idle Ps look for work by themselves; this is about getting a busy P to run a dedicated worker.
  if (dedicatedMarkWorkersNeeded.Load() <= 0 || gomaxprocs <= 1) return;
  g* gp = getg();
  if (gp == nullptr) return;
  m* mp = gp->m;
  p* self = mp == nullptr ? nullptr : static_cast<p*>(mp->p);
  if (self == nullptr) return;
  for (int tries = 0; tries < 5; tries++) {
    auto id = static_cast<std::int32_t>(fastrandn(static_cast<std::uint32_t>(gomaxprocs - 1)));
    if (id >= self->id) id++;
    p* pp = allp[id];
    if (pp->status.Load() != _Prunning) continue;
    if (preemptone(pp)) return;
  }
}

bool gcControllerState::addIdleMarkWorker() {
  for (;;) {
    std::uint64_t old = idleMarkWorkers.Load();
    if (idleCount(old) >= idleMax(old)) return false;
    if (idleMarkWorkers.CompareAndSwap(old, old + 1)) return true;
  }
}

void gcControllerState::removeIdleMarkWorker() {
  for (;;) {
    std::uint64_t old = idleMarkWorkers.Load();
    if (idleCount(old) == 0) throw_("negative idle mark workers");
    if (idleMarkWorkers.CompareAndSwap(old, old - 1)) return;
  }
}

bool gcControllerState::needIdleMarkWorker() const {
  std::uint64_t v = idleMarkWorkers.Load();
  return idleCount(v) < idleMax(v);
}

void gcControllerState::setMaxIdleMarkWorkers(std::int32_t max) {
  for (;;) {
    std::uint64_t old = idleMarkWorkers.Load();
    if (idleMarkWorkers.CompareAndSwap(old, static_cast<std::uint64_t>(max) << 32 | idleCount(old)))
      return;
  }
}

void gcControllerState::markWorkerStop(std::uint8_t mode, std::int64_t duration) {
  switch (mode) {
    case gcMarkWorkerDedicatedMode:
      dedicatedMarkTime.Add(duration);
      dedicatedMarkWorkersNeeded.Add(1);
      break;
    case gcMarkWorkerFractionalMode:
      fractionalMarkTime.Add(duration);
      break;
    case gcMarkWorkerIdleMode:
      idleMarkTime.Add(duration);
      removeIdleMarkWorker();
      break;
    default:
      throw_("markWorkerStop: unknown mark worker mode");
  }
}

void gcControllerCommit() {
  assertWorldStoppedOrLockHeld(&mheap_.lock);
  gcController.commit(isSweepDone());
  if (traceEnabled()) traceHeapGoal();
  if (gcphase != _GCoff) gcController.revise();
  gcPaceSweeper(gcController.trigger());
  gcPaceScavenger(gcController.heapGoal(), gcController.lastHeapGoal.Load());
}

std::int32_t setGCPercent(std::int32_t in) {
  std::int32_t out = 0;
  systemstack([&] {
    lock(&mheap_.lock);
    out = gcController.setGCPercent(in);
    gcControllerCommit();
    unlock(&mheap_.lock);
  });
  // Off means off on return: a cycle that runs is waited for.
  if (in < 0) gcWaitOnMark(work.cycles.Load());
  return out;
}

std::int32_t readGOGC() {
  const char* v = gogetenv("GOGC");
  if (v == nullptr) return 100;
  if (std::string_view(v) == "off") return -1;
  auto [n, ok] = atoi(v);
  return ok && n == static_cast<std::int32_t>(n) ? static_cast<std::int32_t>(n) : 100;
}

}  // namespace gort::runtime
