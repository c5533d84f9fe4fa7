// Work conservation: no P is idle while a goroutine waits in a run queue and nobody looks for work.
//
// The rule of proc.go (see the top of runtime/proc_schedule.cc): who makes a goroutine runnable starts an
// M if a P is idle and nobody looks for work, and the last M that stops looking looks once more after it
// has said so. While somebody is in the scheduler, between the two halves, the rule does not hold. It
// holds for certain when every thread that can run is in a goroutine's own code and holds no lock: nobody
// is left who is about to start an M.
//
// Timers, likewise: when nobody can run, somebody sleeps until the first timer of all Ps is due, or wakes
// before. The rule of time.go: who adds a timer or makes it due earlier wakes whoever sleeps in the poller, if
// that one would sleep for longer (wakeNetPoller), and who goes to sleep there has looked at all Ps' timers.
// sysmon, which finds a late timer in the end, does not count. The rule wants an idle P: where there is none,
// timers wait.
//
// Invariants:
//  - For the thread that has the turn, while the others stand still: nothing that is read here changes.
#pragma once

#include <cstdint>

#include "runtime/runtime2.h"

namespace gort::chaos {

// How many goroutines wait in pp's run queue, the next one among them. Unlike runqempty it visits no
// point, so that to look changes no run.
std::uint32_t Queued(const runtime::p* pp);

// Whether a goroutine waits, a P is idle, and nobody is about to bring them together. Allocates nothing.
bool WorkWaits();

// While nobody can run: when the first timer is due, if nobody will wake for it; else 0. Allocates nothing.
std::int64_t LateTimer();

}  // namespace gort::chaos
