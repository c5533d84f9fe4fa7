// The strategies. Names as --strategy takes them:
//
//   random      at every step each thread that can go on is as likely to get the turn as any other
//   burst       as random, but only at some steps: the mean between two is drawn for each run, from 4
//               to 4096
//   pct:D       probabilistic concurrency testing (Burckhardt et al., ASPLOS 2010): each thread has a
//               priority, the highest that can go on does; at D-1 steps, drawn beforehand among k, the
//               current one falls to the lowest. A bug of depth D is found with probability at least
//               1/(n k^(D-1)), n threads
//   starve      as burst, but one thread, another one after each interval, gets no turn while any
//               other one can go on
//   sites       priorities as pct, but the current thread falls to the lowest at visits of a few sites of the
//               code: sites and visits are drawn for each run, sites among all, so that code that seldom
//               runs is as likely as code that often does. In half of the runs it does so now and then
//               elsewhere, too
//   mix         one of the above for each run, in turn
//   X@points    X, which is burst, pct:D, starve or sites, asked at the runtime's named points alone, instead
//               of at every step: k is then the number of visits of those, and a site is a point
//   X@memory    X, which is one of these four too, asked also before each ordinary load and store of the
//               runtime and of the program: what a lock should protect, and does not, is seen by that
//   bounded:B   all runs with at most B preemptions (bounded.h), those with few deviations first
//   default     nothing but the rules of schedule.h
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "chaos/explore/schedule.h"

namespace gort::chaos {

struct StrategyChoice {
  enum Kind { kDefault, kRandom, kBurst, kPct, kStarve, kSites, kMix, kBounded };
  Kind kind = kMix;
  int depth = 3;  // kPct; kBounded: the bound
  enum Where : std::uint8_t { kSteps, kPoints, kMemory };
  Where where = kSteps;

  bool operator==(const StrategyChoice&) const = default;
};

// False, with a reason, if there is no such strategy.
bool ParseStrategy(std::string_view text, StrategyChoice* out, std::string* problem);
std::string ShowStrategy(const StrategyChoice& choice);
// The one that run number `run` of a campaign uses.
StrategyChoice ForRun(const StrategyChoice& choice, std::uint64_t run);

// Makes the strategy for one run, in static storage: one at a time. k: the contended steps that runs
// of this program have. points: it is asked at named points. sites: hashes of those that kSites takes, instead of
// drawn ones; at most two.
Strategy* MakeStrategy(const StrategyChoice& choice, std::uint64_t seed, std::uint64_t k,
                       bool points = false, std::span<const std::uint32_t> sites = {});
// Makes the rule from which a run of this strategy deviates least, likewise: for pct and sites, their priorities.
Rule* MakeRule(const StrategyChoice& choice, std::uint64_t seed);

}  // namespace gort::chaos
