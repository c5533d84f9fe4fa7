// Deviations of this run (schedule.h): those that are made are written down; in a replay those of the
// trace are made again.
//
// Invariants:
//  - Replay: each thread has the list of its own deviations, in their order; nextDeviation is the first that
//    it has not passed, and no step between two asks for one.
#pragma once

#include <cstdint>

#include "chaos/explore/schedule.h"

namespace gort::chaos {

// Before the first thread: makes the threads' lists.
void PrepareReplay();
// The index of the thread's first deviation; config.count: none.
std::uint32_t FirstDeviation(int thread);

// The current thread does so at this step.
void Record(Deviation::Kind kind, std::uint32_t what, bool preemption);
// Replay: the deviation of that kind of the current thread at this very step, null if there is none.
const Deviation* Take(Deviation::Kind kind);
// Replay: something is to be done at this step, or was to be done before it.
bool DeviatesHere();
// Replay: d could not be done as the trace has it. Ends the run if the replay is a strict one.
void Diverge(const char* how, const Deviation& d);

}  // namespace gort::chaos
