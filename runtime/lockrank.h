// Lock ranking: the order in which the runtime's locks may be taken. Ports lockrank.go and
// lockrank_on.go / lockrank_off.go.
//
// Invariants:
//  - While a thread holds a lock of rank r, it takes only locks whose rank allows r below it
//    (lockPartialOrder). A lock without a rank is a leaf: while it is held, nothing is taken.
//  - The record of held locks (m.locksHeld) belongs to its thread and is touched on g0 only.
//  - Ranks are checked when GORT_CHECKED is defined (the builds that tests use). A violation prints
//    the locks held, in order, and throws «lock ordering problem».
#pragma once

#include "sys.h"

namespace gort::runtime {

#if GORT_CHECKED
inline constexpr bool staticLockRanking = true;
#else
inline constexpr bool staticLockRanking = false;
#endif

struct mutex;

// Ordered as in Go: a rank further down may be taken while one further up is held, if
// lockPartialOrder says so.
enum lockRank : std::int32_t {
  lockRankUnknown,
  lockRankSysmon,
  lockRankScavenge,
  lockRankForcegc,
  lockRankDefer,
  lockRankSweepWaiters,
  lockRankAssistQueue,
  lockRankSweep,
  lockRankPollDesc,
  lockRankCpuprof,
  lockRankSched,
  lockRankAllg,
  lockRankAllp,
  lockRankTimers,
  lockRankNetpollInit,
  lockRankHchan,
  lockRankNotifyList,
  lockRankSudog,
  lockRankRwmutexW,
  lockRankRwmutexR,
  lockRankRoot,
  lockRankItab,
  lockRankReflectOffs,
  lockRankUserArenaState,
  lockRankTraceBuf,
  lockRankTraceStrings,
  lockRankFin,
  lockRankSpanSetSpine,
  lockRankMspanSpecial,
  lockRankGcBitsArenas,
  lockRankProfInsert,
  lockRankProfBlock,
  lockRankProfMemActive,
  lockRankProfMemFuture,
  lockRankGscan,
  lockRankStackpool,
  lockRankStackLarge,
  lockRankHchanLeaf,
  lockRankCxxRoots,  // this port's own
  lockRankWbufSpans,
  lockRankMheap,
  lockRankMheapSpecial,
  lockRankGlobalAlloc,
  lockRankTrace,
  lockRankTraceStackTab,
  lockRankPanic,
  lockRankDeadlock,
  lockRankRaceFini,
  lockRankLeafRank,
  lockRankCount_,
};

// The name that violation reports print, Go's spelling.
const char* lockRankString(lockRank rank);

// True if a lock of rank may be taken while a lock of rank held is the last one taken.
bool lockRankAllowed(lockRank held, lockRank rank);

void lockInit(mutex* l, lockRank rank);
lockRank getLockRank(mutex* l);

// lock and unlock with the rank bookkeeping around the real lock2 and unlock2.
void lockWithRank(mutex* l, lockRank rank);
void unlockWithRank(mutex* l);

// Bookkeeping for things that order like a lock without being one (the _Gscan bit). Neither checks the
// stack: a goroutine that lost its M between the two would leave the rank behind on it, and one that moved
// would take the bit of itself.
void acquireLockRank(lockRank rank);
void releaseLockRank(lockRank rank);
// Says that l may be taken from here, so that a rare path cannot hide a violation.
void lockWithRankMayAcquire(mutex* l, lockRank rank);

// Throw «not holding required lock!» or «world not stopped» when the rule is broken (checked
// builds only).
void assertLockHeld(mutex* l);
void assertRankHeld(lockRank r);
void assertWorldStopped();
void assertWorldStoppedOrLockHeld(mutex* l);
void worldStopped();
void worldStarted();

}  // namespace gort::runtime
