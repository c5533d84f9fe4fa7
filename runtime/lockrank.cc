// Lock ranking. Ports lockrank.go (the order, which Go generates with mklockrank.go) and
// lockrank_on.go (the checks).
//
// Invariants:
//  - lockEdges is the order as people think of it: {a, b} says that a lock of rank a may be held
//    while one of rank b is taken. Everything that is checked is its transitive closure,
//    lockPartialOrder, which the compiler computes. It also proves that the graph has no cycle and
//    that the enumeration in lockrank.h is one of its topological orders.
//  - m.locksHeld[0, m.locksHeldLen) are the locks of that M in the order of taking. It is changed
//    on g0 only: a goroutine that grew its stack in the middle of a change would take the stack
//    allocator's locks in between, and they would be recorded in the wrong order.
//  - A thread without an m (no g, or a g before its M is set up) takes locks unchecked: there is no
//    place for a record and no other lock in play.
//  - The report of a violation takes printlock and then throws. debuglock and paniclk, which that
//    needs, are exempt from all bookkeeping, and so is deadlock, whose point is to stop its thread
//    whatever it holds.
#include "lockrank.h"

#include "panic.h"
#include "print.h"
#include "proc.h"

namespace gort::runtime {
namespace {

// Nodes of the graph that are no ranks of their own: layers, each between the ranks that may call
// into it and the ranks that it consists of.
enum : int {
  MALLOC = lockRankCount_,  // above: may allocate memory; below: the allocator
  MPROF,  // the memory profiler
  STACKGROW,  // above: runs code whose stack may grow; below: stack copying
  WB,  // above: may have write barriers; below: their implementation
  TRACEGLOBAL,  // above: may emit a trace event without a P
  TRACE,  // above: may emit a trace event
  nodeCount
};
static_assert(nodeCount <= 128);

struct lockEdge {
  int held, taken;
};

constexpr lockEdge lockEdges[] = {
    // Sysmon.
    {lockRankSysmon, lockRankScavenge},
    {lockRankSysmon, lockRankForcegc},
    // The scheduler, timers, the poller.
    {lockRankAssistQueue, lockRankSched},
    {lockRankCpuprof, lockRankSched},
    {lockRankForcegc, lockRankSched},
    {lockRankPollDesc, lockRankSched},
    {lockRankScavenge, lockRankSched},
    {lockRankSweep, lockRankSched},
    {lockRankSweepWaiters, lockRankSched},
    {lockRankSched, lockRankAllg},
    {lockRankSched, lockRankAllp},
    {lockRankAllp, lockRankTimers},
    {lockRankTimers, lockRankNetpollInit},
    // Channels.
    {lockRankScavenge, lockRankHchan},
    {lockRankSweep, lockRankHchan},
    {lockRankHchan, lockRankSudog},
    {lockRankNotifyList, lockRankSudog},
    // The runtime's own rwmutex.
    {lockRankRwmutexW, lockRankRwmutexR},
    {lockRankSysmon, lockRankRwmutexR},
    // Type tables.
    {lockRankItab, lockRankReflectOffs},
    // Tracing without a P writes to a buffer of all.
    {lockRankScavenge, TRACEGLOBAL},
    {lockRankForcegc, TRACEGLOBAL},
    // handoffp, without a P, runs what a ragged barrier asks for.
    {lockRankSched, TRACEGLOBAL},
    {TRACEGLOBAL, lockRankTraceBuf},
    {lockRankTraceBuf, lockRankTraceStrings},
    // Who may allocate, and what the allocator takes.
    {lockRankAllg, MALLOC},
    {lockRankHchan, MALLOC},
    {lockRankNotifyList, MALLOC},
    {lockRankReflectOffs, MALLOC},
    {lockRankTimers, MALLOC},
    {lockRankTraceStrings, MALLOC},
    {lockRankUserArenaState, MALLOC},
    {MALLOC, lockRankFin},
    {MALLOC, lockRankSpanSetSpine},
    {MALLOC, lockRankMspanSpecial},
    {MALLOC, MPROF},
    {MALLOC, lockRankGcBitsArenas},
    {lockRankMspanSpecial, lockRankGcBitsArenas},
    {MPROF, lockRankProfInsert},
    {MPROF, lockRankProfBlock},
    {MPROF, lockRankProfMemActive},
    {lockRankProfMemActive, lockRankProfMemFuture},
    // Who may grow its stack, and what that takes. A stack that is shrunk by another goroutine is
    // held by its _Gscan bit first and the channels come after, as hchanLeaf.
    {lockRankGcBitsArenas, STACKGROW},
    {lockRankNetpollInit, STACKGROW},
    {lockRankProfBlock, STACKGROW},
    {lockRankProfInsert, STACKGROW},
    {lockRankProfMemFuture, STACKGROW},
    {lockRankSpanSetSpine, STACKGROW},
    {lockRankFin, STACKGROW},
    {lockRankRoot, STACKGROW},
    // Held on goroutines' stacks here, by functions with frames larger than Go's.
    {lockRankSudog, STACKGROW},
    {lockRankDefer, STACKGROW},
    {lockRankRwmutexW, STACKGROW},
    {lockRankRwmutexR, STACKGROW},
    {STACKGROW, lockRankGscan},
    {lockRankGscan, lockRankStackpool},
    {lockRankRwmutexR, lockRankStackpool},
    {lockRankGscan, lockRankStackLarge},
    {lockRankGscan, lockRankHchanLeaf},
    // Write barriers.
    {lockRankDefer, WB},
    {lockRankGscan, WB},
    {lockRankMspanSpecial, WB},
    {lockRankSudog, WB},
    {WB, lockRankWbufSpans},
    // operator new may be called by what moves a channel's element; markroot goes through its blocks.
    {lockRankHchan, lockRankCxxRoots},
    {lockRankCxxRoots, WB},
    // The page heap.
    {lockRankStackLarge, lockRankMheap},
    {lockRankStackpool, lockRankMheap},
    {lockRankWbufSpans, lockRankMheap},
    {lockRankMheap, lockRankMheapSpecial},
    {lockRankMspanSpecial, lockRankMheapSpecial},
    {lockRankMheap, lockRankGlobalAlloc},
    {lockRankMheapSpecial, lockRankGlobalAlloc},
    // Tracing with a P.
    {lockRankHchan, TRACE},
    {lockRankMheap, TRACE},
    {lockRankRoot, TRACE},
    {lockRankSched, TRACE},
    {lockRankTraceStrings, TRACE},
    {lockRankNotifyList, TRACE},
    {lockRankFin, TRACE},
    {TRACE, lockRankTrace},
    {lockRankTrace, lockRankTraceStackTab},
    // Dying.
    {lockRankPanic, lockRankDeadlock},
    {lockRankPanic, lockRankRaceFini},
};

// Ranks of which several locks may be held at once; something else orders them: address order for
// the channels of a select, nothing for deadlock.
constexpr lockRank cyclicRanks[] = {lockRankTimers, lockRankHchan, lockRankHchanLeaf,
                                    lockRankDeadlock};

using rankSet = unsigned __int128;
constexpr rankSet rankBit(int r) { return rankSet(1) << r; }

struct partialOrder {
  rankSet held[nodeCount];  // held[r]: the ranks that may be held when r is taken
  bool acyclic;
  bool enumAgrees;
};

constexpr partialOrder closeOrder() {
  partialOrder o{};
  for (const lockEdge& e : lockEdges) o.held[e.taken] |= rankBit(e.held);
  for (int k = 0; k < nodeCount; k++)
    for (int i = 0; i < nodeCount; i++)
      if (o.held[i] & rankBit(k)) o.held[i] |= o.held[k];
  o.acyclic = true;
  o.enumAgrees = true;
  for (int i = 0; i < nodeCount; i++) {
    if (o.held[i] & rankBit(i)) o.acyclic = false;
    if (i >= lockRankCount_) continue;
    for (int j = i; j < lockRankCount_; j++)
      if (o.held[i] & rankBit(j)) o.enumAgrees = false;
  }
  for (lockRank r : cyclicRanks) o.held[r] |= rankBit(r);
  return o;
}

constexpr partialOrder lockPartialOrder = closeOrder();
static_assert(lockPartialOrder.acyclic, "the lock order has a cycle");
static_assert(lockPartialOrder.enumAgrees, "lockRank is not in an order that the graph allows");

constexpr const char* lockNames[] = {
    "UNKNOWN",      "sysmon",       "scavenge",      "forcegc",        "defer",
    "sweepWaiters", "assistQueue",  "sweep",         "pollDesc",       "cpuprof",
    "sched",        "allg",         "allp",          "timers",         "netpollInit",
    "hchan",        "notifyList",   "sudog",         "rwmutexW",       "rwmutexR",
    "root",         "itab",         "reflectOffs",   "userArenaState", "traceBuf",
    "traceStrings", "fin",          "spanSetSpine",  "mspanSpecial",   "gcBitsArenas",
    "profInsert",   "profBlock",    "profMemActive", "profMemFuture",  "gscan",
    "stackpool",    "stackLarge",   "hchanLeaf",     "cxxRoots",       "wbufSpans",
    "mheap",        "mheapSpecial", "globalAlloc",   "trace",          "traceStackTab",
    "panic",        "deadlock",     "raceFini",      "LEAF",
};
static_assert(sizeof(lockNames) / sizeof(lockNames[0]) == lockRankCount_);

}  // namespace

const char* lockRankString(lockRank rank) {
  if (rank < 0 || rank >= lockRankCount_) return "BAD RANK";
  return lockNames[rank];
}

bool lockRankAllowed(lockRank held, lockRank rank) {
  if (rank < held) return false;
  if (rank == lockRankLeafRank) return held < lockRankLeafRank;
  return (lockPartialOrder.held[rank] & rankBit(held)) != 0;
}

#if GORT_CHECKED

namespace {

// The number of times the world is stopped: 0 or 1.
atomic::Uint32 worldIsStopped;

// The M whose record the caller may use, null where locks are not recorded.
GORT_INLINE m* rankedM() {
  g* gp = getg();
  return gp == nullptr ? nullptr : static_cast<m*>(gp->m);
}

bool unranked(const mutex* l) { return l == &debuglock || l == &paniclk || l == &deadlock; }

void printHeldLocks(const m* mp) {
  if (mp->locksHeldLen == 0) {
    println("<none>");
    return;
  }
  for (int j = 0; j < mp->locksHeldLen; j++) {
    const heldLockInfo& h = mp->locksHeld[j];
    println(j, ":", lockRankString(h.rank), static_cast<int>(h.rank),
            reinterpret_cast<const void*>(h.lockAddr));
  }
}

// mp holds prevRank and has just recorded rank. On g0.
void checkRanks(const m* mp, lockRank prevRank, lockRank rank) {
  if (lockRankAllowed(prevRank, rank)) return;
  printlock();
  println(mp->procid, " ======");
  printHeldLocks(mp);
  throw_("lock ordering problem");
}

// A select holds the locks of all its channels, thousands perhaps. Only the first is recorded by
// itself; those that follow at once share one record, whose lockAddr is their number.
constexpr uintptr maxCrowd = 1 << 17;  // no lock has so low an address
bool channelRank(lockRank rank) { return rank == lockRankHchan || rank == lockRankHchanLeaf; }
bool isCrowd(const heldLockInfo& h) {
  return channelRank(h.rank) && 0 < h.lockAddr && h.lockAddr <= maxCrowd;
}

// On g0.
void recordLock(m* mp, uintptr addr, lockRank rank) {
  int i = mp->locksHeldLen;
  if (channelRank(rank) && i > 0 && mp->locksHeld[i - 1].rank == rank) {
    if (isCrowd(mp->locksHeld[i - 1])) {
      mp->locksHeld[i - 1].lockAddr++;
      return;
    }
    addr = 1;  // a crowd of one
  }
  if (i >= static_cast<int>(sizeof(mp->locksHeld) / sizeof(mp->locksHeld[0])))
    throw_("too many locks held concurrently for rank checking");
  mp->locksHeld[i].rank = rank;
  mp->locksHeld[i].lockAddr = addr;
  mp->locksHeldLen++;
  if (i > 0) checkRanks(mp, mp->locksHeld[i - 1].rank, rank);
}

// Forgets record i. On g0.
void dropRecord(m* mp, int i) {
  for (int j = i; j + 1 < mp->locksHeldLen; j++) mp->locksHeld[j] = mp->locksHeld[j + 1];
  mp->locksHeldLen--;
}

// Forgets the innermost record at addr, of that rank if anyRank is false. On g0.
bool forgetLock(m* mp, uintptr addr, lockRank rank, bool anyRank) {
  for (int i = mp->locksHeldLen - 1; i >= 0; i--) {
    if (mp->locksHeld[i].lockAddr != addr || (!anyRank && mp->locksHeld[i].rank != rank)) continue;
    dropRecord(mp, i);
    return true;
  }
  return false;
}

// Forgets one lock of the innermost crowd. On g0.
bool forgetInCrowd(m* mp) {
  for (int i = mp->locksHeldLen - 1; i >= 0; i--) {
    if (!isCrowd(mp->locksHeld[i])) continue;
    if (--mp->locksHeld[i].lockAddr == 0) dropRecord(mp, i);
    return true;
  }
  return false;
}

bool checkLockHeld(const m* mp, const mutex* l) {
  for (int i = mp->locksHeldLen - 1; i >= 0; i--)
    if (mp->locksHeld[i].lockAddr == reinterpret_cast<uintptr>(l)) return true;
  return false;
}

bool checkWorldStopped() {
  std::uint32_t stopped = worldIsStopped.Load();
  if (stopped > 1) {
    systemstack([&] {
      print("inconsistent world stop count=", stopped, "\n");
      throw_("inconsistent world stop count");
    });
  }
  return stopped == 1;
}

}  // namespace

void lockInit(mutex* l, lockRank rank) { l->rank = rank; }
lockRank getLockRank(mutex* l) { return l->rank; }

void lockWithRank(mutex* l, lockRank rank) {
  m* mp = rankedM();
  // A thread that dies may hold anything, and still lock: static destructors free memory.
  if (mp == nullptr || unranked(l) || mp->dying > 0) {
    lock2(l);
    return;
  }
  [[maybe_unused]] uintptr pc = getcallerpc();
  // The stack of a goroutine may have to grow at any call, also where it usually has room.
  if (rank != lockRankUnknown && getg() == mp->curg && !lockRankAllowed(rank, lockRankGscan)) {
    println(mp->procid, ":", lockRankString(rank), static_cast<int>(rank));
    throw_("lock taken on a goroutine's stack, under which that stack must not grow");
  }
  if (rank == lockRankUnknown) rank = lockRankLeafRank;
  // mp stays this thread's M inside systemstack, not before it: look it up there.
  systemstack([&] {
    recordLock(rankedM(), reinterpret_cast<uintptr>(l), rank);
    lock2(l);
#if GORT_POINTS
    l->ownerpc = pc;
#endif
  });
}

void unlockWithRank(mutex* l) {
  m* mp = rankedM();
  if (mp == nullptr || unranked(l) || mp->dying > 0) {
    unlock2(l);
    return;
  }
  systemstack([&] {
    m* mp = rankedM();
    if (!forgetLock(mp, reinterpret_cast<uintptr>(l), lockRankUnknown, true) &&
        !(channelRank(l->rank) && forgetInCrowd(mp))) {
      println(mp->procid, ":", lockRankString(l->rank), static_cast<int>(l->rank),
              static_cast<const void*>(l));
      throw_("unlock without matching lock acquire");
    }
    unlock2(l);
  });
}

GORT_NOSPLIT void acquireLockRank(lockRank rank) {
  if (rankedM() == nullptr) return;
  systemstack([&] { recordLock(rankedM(), 0, rank); });
}

GORT_NOSPLIT void releaseLockRank(lockRank rank) {
  if (rankedM() == nullptr) return;
  systemstack([&] {
    m* mp = rankedM();
    if (!forgetLock(mp, 0, rank, false)) {
      println(mp->procid, ":", lockRankString(rank), static_cast<int>(rank));
      throw_("lockRank release without matching lockRank acquire");
    }
  });
}

void lockWithRankMayAcquire(mutex* l, lockRank rank) {
  m* mp = rankedM();
  if (mp == nullptr || mp->locksHeldLen == 0) return;
  systemstack([&] {
    // Recorded for a moment, so that a report lists l as well.
    m* mp = rankedM();
    recordLock(mp, reinterpret_cast<uintptr>(l), rank);
    mp->locksHeldLen--;
  });
}

void assertLockHeld(mutex* l) {
  m* mp = rankedM();
  if (mp == nullptr || checkLockHeld(mp, l)) return;
  systemstack([&] {
    printlock();
    print("caller requires lock ", static_cast<const void*>(l), " (rank ", lockRankString(l->rank),
          "), holding:\n");
    printHeldLocks(rankedM());
    throw_("not holding required lock!");
  });
}

void assertRankHeld(lockRank r) {
  m* mp = rankedM();
  if (mp == nullptr) return;
  for (int i = mp->locksHeldLen - 1; i >= 0; i--)
    if (mp->locksHeld[i].rank == r) return;
  systemstack([&] {
    printlock();
    print("caller requires lock with rank ", lockRankString(r), "), holding:\n");
    printHeldLocks(rankedM());
    throw_("not holding required lock!");
  });
}

void worldStopped() {
  std::uint32_t stopped = worldIsStopped.Add(1);
  if (stopped == 1) return;
  systemstack([&] {
    print("world stop count=", stopped, "\n");
    throw_("recursive world stop");
  });
}

void worldStarted() {
  std::uint32_t stopped = worldIsStopped.Add(~std::uint32_t(0));
  if (stopped == 0) return;
  systemstack([&] {
    print("world stop count=", stopped, "\n");
    throw_("released non-stopped world stop");
  });
}

void assertWorldStopped() {
  if (!checkWorldStopped()) throw_("world not stopped");
}

void assertWorldStoppedOrLockHeld(mutex* l) {
  if (checkWorldStopped()) return;
  m* mp = rankedM();
  if (mp == nullptr || checkLockHeld(mp, l)) return;
  systemstack([&] {
    printlock();
    print("caller requires world stop or lock ", static_cast<const void*>(l), " (rank ",
          lockRankString(l->rank), "), holding:\n");
    println("<no world stop>");
    printHeldLocks(rankedM());
    throw_("no world stop or required lock!");
  });
}

#else

#if GORT_POINTS
// Says what kind of lock it is to those who look from outside.
void lockInit(mutex* l, lockRank rank) { l->rank = rank; }
#else
void lockInit(mutex*, lockRank) {}
#endif
lockRank getLockRank(mutex*) { return lockRankUnknown; }
void lockWithRank(mutex* l, lockRank) { lock2(l); }
void unlockWithRank(mutex* l) { unlock2(l); }
void acquireLockRank(lockRank) {}
void releaseLockRank(lockRank) {}
void lockWithRankMayAcquire(mutex*, lockRank) {}
void assertLockHeld(mutex*) {}
void assertRankHeld(lockRank) {}
void assertWorldStopped() {}
void assertWorldStoppedOrLockHeld(mutex*) {}
void worldStopped() {}
void worldStarted() {}

#endif

}  // namespace gort::runtime
