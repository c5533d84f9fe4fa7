// Named points: places where something may be made to come between two steps of the runtime.
//
// POINT(name) is nothing at all in a release build. In a build with GORT_POINTS it tells the hook,
// if one is installed, that the calling thread has come to the point. The hook may delay the
// thread, hold it until another point is reached, or throw. The runtime knows nothing else about
// who listens. POINT_FAILS(name) is a point in front of a request that may be refused: false, or
// true when the hook wants it refused.
//
// Invariants:
//  - The table below is the only place where a point gets its name. A name that is not in it does
//    not compile; a point that stands nowhere, or that no code reaches, is found by tests of chaos/.
//  - A hook runs on the thread and on the stack that reached the point, with whatever locks are
//    held there. It must not call back into the runtime except to throw.
#pragma once

#include "sys.h"

// X(name, file, meaning)
//
// The points before a request to the system for memory, which may be made to fail (POINT_FAILS).
#define GORT_FAILING_POINTS_TABLE(X)                                                 \
  X(persistentalloc_mmap, "malloc.cc", "memory for structures that are never freed") \
  X(gcbits_mmap, "mbitmap.cc", "memory for mark bits")                               \
  X(recordspan_mmap, "mheap.cc", "a larger array of all spans")                      \
  X(reservearenas_mmap, "mheap_pages.cc", "addresses for the heap")                  \
  X(makearenas_mmap, "mheap_pages.cc", "the tables of an arena")                     \
  X(growarena_mmap, "mheap_pages.cc", "the first pages of a new arena")              \
  X(commit_mmap, "mheap_pages.cc", "more pages of an arena")                         \
  X(mprof_mmap, "mprof.cc", "the table of profile records")                          \
  X(profbuf_mmap, "profbuf.cc", "a buffer for the processor profile")                \
  X(mpreinit_mmap, "signal_unix.cc", "the signal stack of an M")                     \
  X(starttrace_mmap, "trace.cc", "room for a stack while a trace starts")            \
  X(traceflush_mmap, "trace_buf.cc", "a buffer of the tracer")                       \
  X(tracealloc_mmap, "trace_stack.cc", "memory for the tracer's tables")             \
  X(tracedump_mmap, "trace_stack.cc", "memory for the table of a trace's frames")

// All points.
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
  X(timer_fired_unlocked, "time.cc", "a timer's function is about to run, timersLock released")    \
  X(newproc_before_wakep, "proc_g.cc", "a new goroutine is on the queue, nobody woken yet")        \
  X(execute_before_running, "proc_schedule.cc", "g is chosen and has its M, still _Grunnable")     \
  X(resetspinning_before_wakep, "proc_schedule.cc", "nmspinning lowered, no other M woken")        \
  X(runsafepointfn_claimed, "proc_schedule.cc", "a P's flag is taken, its function not run")       \
  X(findrunnable_snapshot, "proc_schedule.cc", "allp and masks copied, no lock taken")             \
  X(injectglist_before_queue, "proc_schedule.cc", "a list of gs is runnable and on no queue yet")  \
  X(injectglist_before_start, "proc_schedule.cc", "gs are on the global queue, no M started")      \
  X(newm_before_thread, "proc_m.cc", "an M is on allm, its thread does not exist yet")             \
  X(starttemplatethread_after_cas, "proc_m.cc", "the flag says that there is a thread, none is")   \
  X(startm_before_handover, "proc_m.cc", "an idle M is taken and has no P yet, P in our hands")    \
  X(handoffp_counted_spinning, "proc_m.cc", "nmspinning raised for an M that is yet to start")     \
  X(handoffp_no_work, "proc_m.cc", "no work was found for a P, sched.lock not yet taken")          \
  X(wakep_before_lock, "proc_m.cc", "nmspinning raised, no P found for the M to wake yet")         \
  X(mexit_before_handoff, "proc_m.cc", "a locked M ends, off allm, still with its P")              \
  X(runqempty_midway, "proc_runq.cc", "head and tail of a run queue are read, runnext not")        \
  X(runqput_kicked, "proc_runq.cc", "runnext replaced, the g that it was is on no queue")          \
  X(runqputbatch_overflow, "proc_runq.cc", "the rest of a batch does not fit the local queue")     \
  X(runqgrab_before_commit, "proc_runq.cc", "a thief has read gs of a queue, not yet taken them")  \
  X(casgstatus_blocked, "proc_status.cc", "a status change has to wait for who scans g")           \
  X(suspendg_before_cas, "preempt.cc", "the status of g was read, _Gscan is not yet set")          \
  X(entersyscall_gcwaiting, "proc_syscall.cc", "P in _Psyscall, a stop asked for, about to lock")  \
  X(exitsyscall0_after_unlock, "proc_syscall.cc", "g is on the global queue or has a P, unlocked") \
  X(sysmon_before_sleepuntil, "proc_sysmon.cc", "sched.lock is held, about to look at all timers") \
  X(starttheworld_before_release, "proc_stw.cc", "the world runs, worldsema is still held")        \
  X(freezetheworld_begin, "proc_stw.cc", "a dying thread is about to stop the others")             \
  X(growallp_replaced, "proc_p.cc", "allp is a new array with the old length")                     \
  X(selparkcommit_before_flag, "select.cc", "parked in select, activeStackChans not yet set")      \
  X(selectgo_before_dequeue, "select.cc", "woken, locked again, sudogs that lost still queued")    \
  X(selparkcommit_unlocking, "select.cc", "parked in select, some of its channels unlocked")       \
  X(closechan_closed, "chan.cc", "closed is set, the channel locked, waiters still queued")        \
  X(recv_before_direct, "chan.h", "about to copy from the stack of a waiting sender")              \
  X(releasesudog_checked, "proc_park.cc", "a sudog is checked and on no list yet")                 \
  X(newstack_guard_read, "stack.cc", "the request was read from stackguard0, not acted on")        \
  X(newstack_put_off, "stack.cc", "a request came while locks are held, it is put off")            \
  X(newstack_before_copy, "stack.cc", "g is _Gcopystack, its stack not yet replaced")              \
  X(newstack_moved, "stack.cc", "g has a new stack and is about to go on")                         \
  X(stackfree_kept, "stackalloc.cc", "a large stack is freed while the collector marks")           \
  X(gcbgmarkworker_before_nwait, "mgcworker.cc", "a worker has drained and counts as working")     \
  X(parkworker_before_push, "mgcworker.cc", "a worker is parked, nobody can find it yet")          \
  X(checkidlegcnop_has_p, "mgcworker.cc", "an idle P is off the list, sched.lock held")            \
  X(gcmarkdone_begin, "mgc.cc", "about to look whether all marking is done")                       \
  X(gcmarkdone_before_stop, "mgc.cc", "no P had work left, the world is not stopped yet")          \
  X(gcmarkdone_before_wake, "mgc.cc", "gcBlackenEnabled is 0, waiting assists not woken")          \
  X(gcstart_before_release, "mgc.cc", "marking has begun, the world runs, worldsema is held")      \
  X(gcparkassist_begin, "mgcassist.cc", "in debt and without credit, about to queue")              \
  X(gcassistalloc1_before_nwait, "mgcassist.cc", "an assist has drained, it counts as working")    \
  X(gcwork_before_enlist, "mgcwork.cc", "work is on the global list, no P asked for help")         \
  X(markroot_suspended, "mgcroots.cc", "a goroutine is stopped, its scan bit held, not scanned")   \
  X(markroot_scanned, "mgcroots.cc", "a goroutine is scanned, gcscandone not yet set")             \
  X(sweepspan_published, "mgcsweep.cc", "a span is swept and anybody's, not yet freed or listed")  \
  X(sweepone_drained, "mgcsweep.cc", "the last span was taken, others may still be swept")         \
  X(spansetpop_claimed, "mspanset.cc", "an entry is claimed, popped not yet counted")              \
  X(wbbufflush_begin, "mwbbuf.cc", "about to empty a P's write barrier buffer")                    \
  X(mallocgc_before_publish, "malloc.cc", "an object is ready, no fence yet")                      \
  X(initspan_before_publish, "mheap.cc", "a span is ready, its state not yet mSpanInUse")          \
  X(modtimer_claimed, "time.cc", "a timer is timerModifying, M pinned")                            \
  X(deltimer_claimed, "time.cc", "a timer is timerModifying and about to be deleted")              \
  X(addtimer_has_p, "time.cc", "the P for a new timer is known, not yet locked")                   \
  X(adjusttimers_bound_cleared, "timeheap.cc", "timerModifiedEarliest is 0, no timer looked at")   \
  X(adjusttimers_taken_off, "timeheap.cc", "timers are off the heap in timerMoving")               \
  X(movetimers_moving, "timeheap.cc", "a timer of a P that goes away is in timerMoving")           \
  X(rwmutex_read_locked, "rwmutex.cc", "a rwmutex is held for reading")                            \
  X(semacquire_queued, "sema.cc", "queued on a semaphore, its root locked, not parked")            \
  X(semrelease_before_handoff, "sema.cc", "a waiter is off the queue, not yet given the unit")     \
  X(waitgroup_before_wake, "sync.cc", "a WaitGroup's counter is 0 again, waiters not woken")       \
  X(sigsend_before_wakeup, "sigqueue.cc", "in a handler, state changed, receiver not woken")       \
  X(signalwaituntilidle_begin, "sigqueue.cc", "a signal is unwanted, one may be on its way")       \
  X(signal_enable_before_wanted, "sigqueue.cc", "inuse is set, the signal is not wanted yet")      \
  X(preemptone_has_slot, "proc_sysmon.cc", "about to store a request to another thread's limit")   \
  X(preemptm_before_signal, "signal_unix.cc", "signalPending is set, the signal not sent")         \
  X(needm_locked, "proc_extram.cc", "all signals blocked, the lock of the extra Ms held")          \
  X(netpollbreak_after_cas, "netpoll.cc", "the flag is set, the poller not woken")                 \
  X(printlock_counted, "print.cc", "m.printlock is raised, debuglock not yet taken")               \
  X(readtrace_before_release, "trace.cc", "the trace is read, its end not yet told")               \
  X(main_begin, "proc_init.cc", "the runtime is ready, the program's main has not begun")          \
  X(main_end, "proc_init.cc", "the program's main has returned")                                   \
  GORT_FAILING_POINTS_TABLE(X)

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
// The same for POINT_FAILS; true: what comes next shall fail.
extern bool (*pointFailsHook)(Point);
#define POINT(name)                                             \
  do {                                                          \
    if (GORT_UNLIKELY(::gort::runtime::pointHook != nullptr))   \
      ::gort::runtime::pointHook(::gort::runtime::Point::name); \
  } while (0)
#define POINT_FAILS(name)                                       \
  (GORT_UNLIKELY(::gort::runtime::pointFailsHook != nullptr) && \
   ::gort::runtime::pointFailsHook(::gort::runtime::Point::name))
#else
#define POINT(name) \
  do {              \
  } while (0)
#define POINT_FAILS(name) false
#endif

}  // namespace gort::runtime
