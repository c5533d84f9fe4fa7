// Steps and time: what the program has done is counted, and when the explorer is asked again is decided.
//
// Invariants:
//  - While the program runs, gort_explore_budget counts down from run.granted. Settle comes first when the
//    explorer is asked, Grant last: in between everything is counted.
//  - The budget is spent at the first step at which anything may have to be decided; a step at which
//    nothing is costs a call that counts, and no more.
//  - A step takes nsPerStep of virtual time. Whoever sleeps until a time is runnable from the step on at which
//    it has come.
#pragma once

#include <cstdint>

namespace gort::chaos {

// The current thread has made so many steps.
void Account(std::int64_t steps);
// Counts what the program has done since Grant.
void Settle();
// Sets the budget for the current thread.
void Grant();

// The thread waits no more.
void MakeRunnable(int thread);
// Those whose time has come are runnable.
void Expire();
// Time goes on to when the next sleeper is due.
void Leap();
// The thread that is due first; -1 if nobody is.
int FirstSleeper();
// How many threads could go on.
int Runnable();
// Contended steps after which fairness asks for a switch; kNever if nobody waits for the turn.
std::int64_t Lenience();

}  // namespace gort::chaos
