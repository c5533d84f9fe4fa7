// What the explorer itself calls a failure: it says so on standard error, and ends the run with a status of
// its own (run.h).
//
// Invariants:
//  - The record has its outcome and the trace's last event before anything is said: to describe what there is
//    may go wrong in a runtime that is broken.
#pragma once

namespace gort::chaos {

// Before the first step.
void BeginLooking();

// Nobody will ever run again.
[[noreturn]] void Deadlock();
// At each step: there have been too many, or it is time to look for threads that wait for each other.
void LookForLivelock();
// A goroutine waits, a P is idle, and nobody will bring the two together (idle.h).
void LookForIdle();
// Nobody can run: whoever sleeps in the poller will sleep for longer than until the first timer is due (idle.h).
void LookForLateTimer();

}  // namespace gort::chaos
