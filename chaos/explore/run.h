// One run: what it is told, and what it leaves behind.
//
// Invariants:
//  - RunRecord lies in memory that the explorer's parent process shares with the run: what a run has
//    decided is there whatever becomes of it.
//  - A run is determined by the program, its arguments and environment, and RunConfig.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>

#include "chaos/explore/schedule.h"
#include "chaos/explore/strategies.h"

namespace gort::chaos {

// Exit statuses of a run that the explorer has ended. kDeadlockSeen (waitfor.h) is one more.
inline constexpr int kLivelockSeen = 87;  // the budget of steps is spent
inline constexpr int kDiverged = 88;  // a replay does not do what its trace says
inline constexpr int kExplorerBroken = 89;  // the run cannot be explored; standard error says why
inline constexpr int kIdleSeen = 90;  // a goroutine waits while a P is idle (idle.h)
inline constexpr int kLateSeen = 91;  // a timer will be late (idle.h)

inline constexpr std::size_t kMaxPoints = 512;
inline constexpr std::size_t kGivenSites = 2;
// How many times as many steps a run has if ordinary accesses of memory are steps too, about.
inline constexpr std::int64_t kAccesses = 4;

struct RunConfig {
  std::uint64_t seed = 1;  // of random numbers, times and strategy
  StrategyChoice strategy;
  std::uint64_t k = 1000;  // pct: contended steps of a run
  std::uint64_t limit = 5'000'000;  // steps
  double inject = 0;  // probability that a point that can injects something, at each visit
  // Replay: the deviations, instead of a strategy. Strict: it must be the same run again, else the
  // run ends with kDiverged; not strict: what does not fit is left out.
  bool replay = false;
  bool strict = false;
  // Replay: note what could be chosen behind the last deviation.
  bool choices = false;
  // Points, a bit each, at which alone a strategy may ask for a switch; none: everywhere.
  std::uint64_t focus[kMaxPoints / 64] = {};
  // The strategy sites: these (RunRecord::sites), all points or none of them, instead of drawn ones; 0: none.
  std::uint64_t sites[kGivenSites] = {};
  const Deviation* deviations = nullptr;
  std::size_t count = 0;

  bool Focuses() const {
    return std::any_of(std::begin(focus), std::end(focus), [](std::uint64_t w) { return w != 0; });
  }
  // How much finer than usual its steps are: what is measured in steps is so much more.
  std::int64_t Grain() const { return strategy.where == StrategyChoice::kMemory ? kAccesses : 1; }
  // Virtual time that a step takes; drawn, for what is late in one run should be early in another.
  std::int64_t NsPerStep() const;
  bool FocusesOn(std::size_t point) const { return (focus[point / 64] >> point % 64 & 1) != 0; }
};

// A step at which others than the one that goes on by default could have gone on.
struct Choice {
  std::uint64_t step;
  std::uint64_t others;  // a bit for each of them
  std::uint8_t thread;
  bool preemption;
};
inline constexpr std::size_t kMaxChoices = 1 << 17;
inline constexpr std::size_t kSitesKept = 256;
inline constexpr std::uint64_t kPointSite = 1ull << 63;

struct RunRecord {
  std::uint64_t steps;
  std::uint64_t contended;  // steps at which more than one thread could go on
  std::uint64_t focused;  // of these, visits of points in focus, of all points if there is no focus
  std::uint64_t switches;
  std::uint64_t decisions;  // times that there was a choice
  std::uint64_t hash;  // of all decisions and what was to be decided
  std::int64_t now;  // virtual ns
  std::uint32_t threads;
  std::uint32_t missed;  // replay: deviations that did not fit
  std::uint32_t count;  // of deviations
  bool overflow;  // there were more
  std::uint32_t preemptionsAtSites;  // of which the last kSitesKept are in sites
  char outcome
      [16];  // how the explorer has ended it: deadlock, livelock, idle, late, broken; "" if it has not
  char diverged[256];  // where and how a replay left its trace, "" if it did not
  std::uint32_t choiceCount;
  bool choiceOverflow;  // there were more
  // What follows is not cleared between runs.
  Deviation deviations[kMaxDeviations];
  Choice choices[kMaxChoices];
  // Of preemptions, number n at n % kSitesKept: what the step was called from, or kPointSite and the point.
  std::uint64_t sites[kSitesKept];
};

// Makes the calling thread, the only one of the process, the first explored thread of a run.
void BeginRun(const RunConfig& config, RunRecord* result);

}  // namespace gort::chaos
