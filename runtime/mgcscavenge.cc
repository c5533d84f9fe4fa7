// Giving free pages back to the system. Ports mgcscavenge.go in the form that fits free lists of spans
// (Go 1.13): whole free spans are released, the largest first.
//
// After each collection the pacer sets a goal for what the heap keeps: as much as it has in use, grown
// in proportion to the heap goal, and retainExtraPercent more. The background scavenger releases
// what exceeds it, with scavengePercent of one processor's time.
//
// Invariants:
//  - A span that is being released is on no free list, so that nobody can take it, and mheap_.lock is
//    not held during the system call. It is joined with its neighbours afterwards.
//  - Released pages read as zero when they are used again (sysUnused).
//
// Locks: scavenger.lock protects parked. wakeScavenger takes none, since sweepers call it that hold
// locks of the allocator: sysmon sees the request and wakes the goroutine.
#include "mgc.h"

#include "os_linux.h"
#include "proc.h"
#include "timer.h"

namespace gort::runtime {

namespace {

constexpr std::uint64_t scavengePercent = 1;  // of a processor's time
constexpr std::uint64_t retainExtraPercent = 10;
constexpr std::int64_t minScavWorkTime = 1000 * 1000;  // ns at a time, so that sleeping pays
constexpr std::uint64_t noGoal = ~std::uint64_t(0);

struct {
  mutex lock;
  atomic::Racy<g*> gp;  // the background scavenger; null until it runs, then constant
  bool parked;  // protected by lock
  // Somebody wants parked to end. Set by anybody; sysmon looks at it again and again.
  atomic::Bool sysmonWake;
  // Bytes that the heap may keep; noGoal: anything.
  atomic::Uint64 gcPercentGoal{noGoal};
} scavenger;

// Bytes of the heap, stacks and work buffers apart, that the process really has.
std::uint64_t heapRetained() {
  return memstats.heapSys.Load() - memstats.stacksInUse.Load() - memstats.workBufsInUse.Load() -
         memstats.heapReleased.Load();
}

bool shouldStop() { return heapRetained() <= scavenger.gcPercentGoal.Load(); }

// Releases one span; returns its bytes, 0 when there is none. On the system stack.
uintptr scavengeOne() {
  lock(&mheap_.lock);
  mspan* s = mheap_.takeUnscavenged();
  unlock(&mheap_.lock);
  if (s == nullptr) return 0;
  uintptr bytes = s->npages << _PageShift;
  sysUnused(reinterpret_cast<void*>(s->startAddr), bytes);
  lock(&mheap_.lock);
  s->needzero = false;
  s->scavenged = true;
  memstats.heapReleased.Add(bytes);
  mheap_.putPages(s);
  unlock(&mheap_.lock);
  return bytes;
}

// Works for about minScavWorkTime. Returns the ns that it took, 0 when there was nothing to do.
std::int64_t work1() {
  std::int64_t start = nanotime(), worked = 0;
  while (worked < minScavWorkTime && !shouldStop()) {
    uintptr released = 0;
    systemstack([&] { released = scavengeOne(); });
    if (released == 0) break;
    worked = nanotime() - start;
  }
  return worked;
}

}  // namespace

uintptr scavenge(uintptr nbytes) {
  uintptr released = 0;
  while (released < nbytes) {
    uintptr r = 0;
    systemstack([&] { r = scavengeOne(); });
    if (r == 0) break;
    released += r;
  }
  return released;
}

void gcPaceScavenger(std::uint64_t heapGoal, std::uint64_t lastHeapGoal) {
  if (lastHeapGoal == 0) {
    // Before the first collection there is no telling what the heap will need.
    scavenger.gcPercentGoal.Store(noGoal);
    return;
  }
  double ratio = static_cast<double>(heapGoal) / static_cast<double>(lastHeapGoal);
  auto goal = static_cast<std::uint64_t>(static_cast<double>(memstats.heapInUse.Load()) * ratio);
  goal += goal / 100 * retainExtraPercent;
  goal = alignUp(goal, physPageSize);
  std::uint64_t now = heapRetained();
  scavenger.gcPercentGoal.Store(now <= goal || now - goal < physPageSize ? noGoal : goal);
}

void wakeScavenger() { scavenger.sysmonWake.Store(true); }

void wakeScavengerIfWanted() {
  if (!scavenger.sysmonWake.Load() || scavenger.gp == nullptr) return;
  lock(&scavenger.lock);
  scavenger.sysmonWake.Store(false);
  if (scavenger.parked) {
    scavenger.parked = false;
    gList list;
    list.push(scavenger.gp);
    injectglist(&list);
  }
  unlock(&scavenger.lock);
}

void bgscavenge() {
  lockInit(&scavenger.lock, lockRankScavenge);
  lock(&scavenger.lock);
  scavenger.gp = getg();
  for (;;) {
    scavenger.parked = true;
    goparkunlock(&scavenger.lock, waitReasonGCScavengeWait, traceBlockSystemGoroutine, 1);
    while (std::int64_t worked = work1())
      timeSleep(worked * static_cast<std::int64_t>((100 - scavengePercent) / scavengePercent));
    lock(&scavenger.lock);
  }
}

}  // namespace gort::runtime
