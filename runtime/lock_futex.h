// mutex and note: mutual exclusion between Ms and one-shot events, both on futexes.
// Ports lock_futex.go and the mutex and note types of runtime2.go.
//
// Invariants:
//  - mutex.key is mutex_unlocked, mutex_locked, or mutex_sleeping (locked, and somebody may be
//    asleep in the kernel). Only lock2 and unlock2 change it.
//  - lock2 blocks the M (and keeps its P): what it protects is held for a short time only, and
//    m.locks > 0 meanwhile, so that the holder is not preempted.
//  - note.key goes 0 -> 1 once per round: one notewakeup between two noteclear; at most one M
//    sleeps on it.
//  - In a build with points every lock names its holder, and an M asleep in lock2 names the lock
//    (m.waitinglock): who waits for whom can be read from outside, without any lock.
//  - What a thread wrote before unlock or notewakeup, the thread that then locks or returns from
//    notesleep reads: the exchanges on key carry that order.
#pragma once

#include "atomic.h"
#include "lockrank.h"

namespace gort::runtime {

struct m;

struct mutex {
#if GORT_CHECKED || GORT_POINTS
  lockRank rank = lockRankUnknown;  // constant after lockInit
  std::int32_t pad = 0;
#endif
#if GORT_POINTS
  // The holder and where it took the lock, null and stale while nobody holds it. Written by the
  // holder; chaos/ reads them from outside and takes any recent value.
  atomic::Observed<m*> owner;
  atomic::Observed<uintptr> ownerpc;
#endif
  atomic::Uint32 key;
};

struct note {
  atomic::Uint32 key;
};

void lock2(mutex* l);
void unlock2(mutex* l);
// The same for a lock without rank that a signal handler takes too. Its other holders block signals;
// TSan does not see it, so that the data which it protects must be out of TSan's sight as well.
void locksignal(mutex* l);
void unlocksignal(mutex* l);

GORT_INLINE void lock(mutex* l) {
  if constexpr (staticLockRanking)
    lockWithRank(l, getLockRank(l));
  else
    lock2(l);
}
GORT_INLINE void unlock(mutex* l) {
  if constexpr (staticLockRanking)
    unlockWithRank(l);
  else
    unlock2(l);
}

void noteclear(note* n);
// Wakes the sleeper, if nobody has yet: for a note whose sleeper looks for itself what it is for.
void notewakeupagain(note* n);
// Wakes the sleeper. Throws «notewakeup - double wakeup» when the note is already set.
void notewakeup(note* n);
// The same from a signal handler: TSan does not see that it orders the two threads, so the note may
// publish nothing but itself.
void notewakeupsignal(note* n);
// Runs on g0 only: it blocks the M with its P, if any.
void notesleep(note* n);
// Waits at most ns nanoseconds (forever when negative) on g0; reports whether the note was set.
bool notetsleep(note* n, std::int64_t ns);
// As notetsleep, on a user goroutine: the P is handed off as for a blocking system call.
bool notetsleepg(note* n, std::int64_t ns);

}  // namespace gort::runtime
