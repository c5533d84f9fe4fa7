// Named points: places where something may be made to come between two steps of the runtime.
//
// POINT(name) is nothing at all in a release build. In a build with GORT_POINTS it tells the hook,
// if one is installed, that the calling thread has come to the point. The hook may delay the
// thread, hold it until another point is reached, or throw. The runtime knows nothing else about
// who listens.
//
// Invariants:
//  - The table below is the only place where a point gets its name. A name that is not in it does
//    not compile; a point that no code reaches is found by tests/points.
//  - A hook runs on the thread and on the stack that reached the point, with whatever locks are
//    held there. It must not call back into the runtime except to throw.
#pragma once

#include "sys.h"

// X(name, file, meaning)
#define GORT_POINTS_TABLE(X)                                                                       \
  X(allgadd_locked, "proc_g.cc", "allglock is held, the new g is not in allgs yet")                \
  X(mallocgc_begin, "malloc.cc", "an allocation begins, whatever locks its caller holds")          \
  X(tracebackothers_begin, "traceback_print.cc", "the fatal dump of the other goroutines begins")  \
  X(gopark_before_mcall, "proc_park.cc", "gopark has filled in m.wait*, g is still running")       \
  X(park_m_before_unlockf, "proc_park.cc", "g is waiting, its unlock function has not run")        \
  X(chanparkcommit_before_flag, "chan.cc", "parked on a channel, activeStackChans not yet set")    \
  X(chan_queued, "chan.cc", "queued on a channel, its lock held, about to park")                   \
  X(chan_handed_over, "chan.h", "a waiter has its value, the lock is free, it is not yet woken")   \
  X(chanrecv_fast_empty, "chan.cc", "found empty without the lock, not yet looked if closed")      \
  X(copystack_before_sudog_lock, "stack.cc", "a stack copy is about to lock its channels")         \
  X(copystack_after_sudogs, "stack.cc", "sudogs point to the new stack, most is not yet copied")   \
  X(copystack_after_copy, "stack.cc", "the new stack is in place, the old one not yet freed")      \
  X(suspendg_begin, "preempt.cc", "a thread is about to stop the goroutine m.waitinggoroutine")    \
  X(asyncpreempt_stopped, "preempt.cc", "a signal has stopped g, its registers are saved, on g0")  \
  X(findrunnable_after_release_p, "proc_schedule.cc", "P given up, nmspinning not yet lowered")    \
  X(findrunnable_after_dec_nmspinning, "proc_schedule.cc", "nmspinning lowered, not yet parked")   \
  X(goschedimpl_after_globrunqput, "proc_park.cc", "g is on the global queue, nobody woken yet")   \
  X(stoptheworld_before_wait, "proc_stw.cc", "preemption requested everywhere, not all stopped")   \
  X(entersyscall_after_release_p, "proc_syscall.cc", "the P is in _Psyscall and may be retaken")   \
  X(exitsyscall_before_fast, "proc_syscall.cc", "the system call is over, no P yet")               \
  X(retake_before_cas, "proc_sysmon.cc", "sysmon has decided to take a P from a system call")      \
  X(startm_before_newm, "proc_m.cc", "no idle M: a thread is about to be made, no lock held")      \
  X(selectgo_locked, "select.cc", "all channels of a select are locked")                           \
  X(selectgo_queued, "select.cc", "queued on all channels of a select, all locked, not parked")    \
  X(selectgo_before_relock, "select.cc", "woken from a select, channels not locked again")         \
  X(signal_recv_before_sleep, "sigqueue.cc", "about to wait for signals, the state says so")       \
  X(sigsend_begin, "sigqueue.cc", "in a handler, with a signal that somebody wants")               \
  X(allthreads_receiver_told, "proc_allthreads.cc", "world stopped, no thread but that one asked") \
  X(mdofixup_locked, "proc_allthreads.cc", "about to make the call, mFixup.lock is held")          \
  X(recordspan_grown, "mheap.cc", "allspans is a new array, mheap.lock is held")                   \
  X(markroot_span, "mgcroots.cc", "a mark worker is about to look at a span for finalizers")       \
  X(markroot_before_suspend, "mgcroots.cc", "a mark worker is about to stop a goroutine to scan")  \
  X(sweepone_before_acquire, "mgcsweep.cc", "a sweeper has found a span by index, not taken it")   \
  X(foreachp_before_own, "proc_stw.cc", "a ragged barrier has asked all Ps, and not run its own")  \
  X(timer_fired_unlocked, "time.cc", "a timer's function is about to run, timersLock released")

namespace gort::runtime {

enum class Point : std::uint16_t {
#define X(name, file, meaning) name,
  GORT_POINTS_TABLE(X)
#undef X
      count_
};

#if GORT_POINTS
// Called at every point when not null. Set before the runtime boots, never changed afterwards.
extern void (*pointHook)(Point);
#define POINT(name)                                             \
  do {                                                          \
    if (GORT_UNLIKELY(::gort::runtime::pointHook != nullptr))   \
      ::gort::runtime::pointHook(::gort::runtime::Point::name); \
  } while (0)
#else
#define POINT(name) \
  do {              \
  } while (0)
#endif

}  // namespace gort::runtime
