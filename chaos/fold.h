// Which events of a long run are shown at once, and which are folded away until somebody asks.
//
// An event has a weight: what a reader looks for first (switches that shrinking could not remove,
// injections, what is still held or waited for at the end) weighs most, an atomic operation least.
// Classes of weight are shown whole, from the heaviest down, as long as they fit into the budget;
// of the first that does not fit, those that are nearest to something of the heaviest class.
#pragma once

#include <cstddef>
#include <vector>

#include "chaos/events.h"

namespace gort::chaos {

inline constexpr std::size_t kShownAtOnce = 240;

// ShownEvents has a true for each event that is shown; `budget` is exceeded only by the heaviest
// class. A stretch of one or two events is never folded: its fold would take as much room.
std::vector<bool> ShownEvents(const Run& run, std::size_t budget = kShownAtOnce);

// The events [first, last) of a fold, or one event that is shown (last = first + 1).
struct Stretch {
  std::size_t first;
  std::size_t last;
  bool folded;
};

std::vector<Stretch> Stretches(const std::vector<bool>& shown);

// RunsOfSwitches returns for each event whether it is a kRun that says no more than the kSwitch beside
// it: the same thread gets the turn at the same place.
std::vector<bool> RunsOfSwitches(const Run& run);

}  // namespace gort::chaos
