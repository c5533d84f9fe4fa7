// The runtime's timers. Ports the timer type and the interface of time.go.
//
// A timer calls f(arg, seq) at time when and then every period, if that is positive. f runs on the
// system stack of whatever M finds the timer due; it must not block, and must not keep the M long.
//
// Rules for users of struct timer:
//  - A zero timer is new. Set when, period, f, arg and seq, then startTimer; do not touch any field
//    from then on.
//  - stopTimer makes an active timer inactive. resetTimer makes any timer active, with another
//    time.
//  - A timer must stay where it is and stay alive while it is active, and after stopTimer until the
//    P that has it on its heap has dropped it: it comes from memory that is never freed, or that
//    the collector frees. It must never lie in a goroutine's stack.
//  - What was written before startTimer or resetTimer, f reads.
#pragma once

#include "runtime2.h"

namespace gort::runtime {

using timerfn_t = void (*)(void* arg, uintptr seq);

struct timer {
  // The P whose heap the timer is on, null if on none. Written under that P's timersLock; read by
  // who has claimed the timer through status.
  struct p* pp = nullptr;

  // ns; positive while active. Written only by who may move the timer in its heap.
  std::int64_t when = 0;
  std::int64_t period = 0;
  timerfn_t f = nullptr;
  void* arg = nullptr;
  uintptr seq = 0;

  // What when becomes, in the states timerModifiedEarlier and timerModifiedLater.
  std::int64_t nextwhen = 0;

  // See time.cc.
  atomic::Uint32 status;
};

inline constexpr std::int64_t maxWhen = 0x7fffffffffffffff;

// ---- for package time ----
void timeSleep(std::int64_t ns);
void startTimer(timer* t);
// Reports whether t was active, so that this call keeps f from being called.
bool stopTimer(timer* t);
// Reports whether t was active.
bool resetTimer(timer* t, std::int64_t when);
void modTimer(timer* t, std::int64_t when, std::int64_t period, timerfn_t f, void* arg,
              uintptr seq);

// ---- for the runtime ----
void addtimer(timer* t);
bool deltimer(timer* t);
bool modtimer(timer* t, std::int64_t when, std::int64_t period, timerfn_t f, void* arg,
              uintptr seq);
bool resettimer(timer* t, std::int64_t when);

// ---- for the scheduler (proc_schedule.cc, proc_p.cc, proc_sysmon.cc) ----

// Puts timers that were modified in their right places and drops deleted ones, if some modified one
// is due by now. pp->timersLock must be held.
void adjusttimers(p* pp, std::int64_t now);
// Runs the first timer if it is due. Returns 0 if it ran one, -1 if there are none left, otherwise
// the time at which the first is due. There must be a timer. pp->timersLock must be held and is
// released while f runs. On g0.
std::int64_t runtimer(p* pp, std::int64_t now);
// Drops all deleted timers. pp->timersLock must be held.
void clearDeletedTimers(p* pp);
// Moves n timers, taken from a P that goes away, to pp. The world is stopped and pp->timersLock
// held.
void moveTimers(p* pp, timer** timers, std::int32_t n);
// When pp's next timer is due, 0 if it has none. Takes no lock.
std::int64_t nobarrierWakeTime(p* pp);
// When the next timer of all Ps is due, maxWhen if there is none. Takes allpLock.
std::int64_t timeSleepUntil();

}  // namespace gort::runtime
