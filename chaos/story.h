// What happened in a run, in sentences: for somebody who has never seen one.
#pragma once

#include <string>
#include <vector>

#include "chaos/events.h"

namespace gort::chaos {

struct Sentence {
  std::string text;
  int critical = 0;  // it tells of the critical switch of this number, from 1; 0 for none
};

// The critical switches and injections in the order of time, and how it ended.
std::vector<Sentence> Story(const Run& run);

// Indices in Run::events of the critical switches.
std::vector<std::size_t> CriticalSwitches(const Run& run);

// RingOf is the run's own ring, or one that is found in the locks held and waited for at its end.
std::vector<RingEdge> RingOf(const Run& run);

// "M1 (goroutine 7)", or the name alone on a system stack.
std::string ThreadAndGoroutine(const Run& run, const Lanes& lanes, int t);

}  // namespace gort::chaos
