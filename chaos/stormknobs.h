// What a storm is like, as the environment variable CHAOS_STORM says it, and what follows from its
// seed alone. No runtime here: the tool reads it as well.
//
//   storm = knob { "," knob }        knob = name "=" value
//
//   seed=N         decides all that is drawn
//   sites=P%       share of the points at which something may happen in this run (25%)
//   fires=P%       how likely it happens, each time that a thread comes there (5%)
//   focus=A+B*     only at these points
//   yield=W, delay=W, preempt=W, movestack=W, shrink=W, collect=W, stoptheworld=W, barrier=W,
//   retake=W       weights with which a point's action is drawn; 0: never
//   longest=US     a delay is at most so long (200); short ones are more likely
//   pause=US       rest between two requests that the helper grants (1000)
//   starve=P%      share of the intervals in which an M is starved (5%)
//   interval=US    length of such an interval (20000)
//   signals=R      signals a second, on average (100)
//   kinds=A+B      which: URG, HUP, PROF, CHLD (all but HUP, and HUP for each fourth seed)
//   enomem=P%      how likely a request for memory fails (0)
//   report=0|1     say at the end how often what has happened (0)
//
// Two levels, as in FoundationDB's buggify: most points are quiet in a given run, so that the few
// that are not are exercised hard and in combinations that differ from run to run.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "chaos/dice.h"
#include "chaos/spec.h"

namespace gort::chaos {

// What may happen at a site; its names are those of the weights.
enum class StormAction : std::uint8_t {
  kYield,
  kDelay,
  kPreempt,
  kMoveStack,
  kShrink,
  kCollect,
  kStopWorld,
  kBarrier,
  kRetake,
  kCount,
};
inline constexpr int kStormActionCount = static_cast<int>(StormAction::kCount);
std::string_view StormActionName(StormAction a);

struct StormKnobs {
  std::uint64_t seed = 1;
  double sites = 0.25;
  double fires = 0.05;
  std::vector<Point> focus;  // empty: all
  std::array<double, kStormActionCount> weights = {4, 4, 4, 4, 1, 1, 1, 1, 1};
  std::int64_t longestMicros = 200;
  std::int64_t pauseMicros = 1000;
  double starve = 0.05;
  std::int64_t intervalMicros = 20000;
  double signals = 100;
  std::vector<int> kinds;
  double enomem = 0;
  bool report = false;
};

// ParseStorm reads all knobs; it never takes a part of a wrong text. An empty one is the default.
std::variant<StormKnobs, SpecError> ParseStorm(std::string_view text);

// One point in one run.
struct Site {
  bool active = false;
  StormAction action{};
};
using Sites = std::array<Site, kPointCount>;

// PlanSites draws, from the seed and each point's name, which sites are active and what happens
// there. A point that is added or taken away changes nothing for the others.
Sites PlanSites(const StormKnobs& knobs);

// Whether an M is starved in the number-th interval, and a number to draw it by.
struct Starvation {
  bool active = false;
  std::uint64_t draw = 0;
};
Starvation StarvationIn(const StormKnobs& knobs, std::uint64_t number);

// The next signal of a storm with a rate above 0. Waits are exponentially distributed: the signals
// come independently of each other.
struct NextSignal {
  std::int64_t waitMicros;
  int signal;
  bool toProcess;  // else to an M, drawn
};
NextSignal DrawSignal(const StormKnobs& knobs, Dice* dice);

// DrawDelay is from 1 to longestMicros, each order of magnitude as likely as the next.
std::int64_t DrawDelay(const StormKnobs& knobs, Dice* dice);

}  // namespace gort::chaos
