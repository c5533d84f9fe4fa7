// How a run begins, and how a thread comes into it.
#include <iterator>
#include <span>

#include "chaos/explore/deviations.h"
#include "chaos/explore/events.h"
#include "chaos/explore/requests.h"
#include "chaos/explore/runstate.h"
#include "chaos/explore/steps.h"
#include "chaos/explore/verdicts.h"
#include "runtime/explore.h"

namespace gort::chaos {

namespace {

// What each part of a run draws its numbers from, with the run's seed: to change how one draws does not change
// the others.
enum Purpose : std::uint64_t { kNumbers = 1, kInjections, kPace, kStrategy, kSites, kDate };

// Time: how fast it goes, and when the run takes place.
void DrawTime(std::uint64_t seed) {
  run.nsPerStep = run.config.NsPerStep();
  // A year and a day that depend on the seed, so that no program relies on one.
  Sequence sequence(DeriveSeed(seed, kDate));
  run.startOfTime =
      (1600000000 + static_cast<std::int64_t>(sequence.Below(300000000))) * 1000000000;
  run.result->now = 1 + static_cast<std::int64_t>(sequence.Below(1000000000));
}

void DrawInjections(const RunConfig& c) {
  run.injections = Sequence(DeriveSeed(c.seed, kInjections));
  run.allocations = 0;
  run.failing = 0;
  if (c.inject > 0 && run.injections.Roll(0.25))
    run.failing = 1 + run.injections.Below(2ull << run.injections.Below(10));
}

void ChooseStrategy(const RunConfig& c) {
  const std::uint64_t seed = DeriveSeed(c.seed, kStrategy);
  run.rule = MakeRule(c.strategy, seed);
  run.focuses = !c.replay && (c.Focuses() || c.strategy.where == StrategyChoice::kPoints);
  runtime::explore::gort_explore_sitefactor =
      static_cast<std::uint32_t>(Sequence(DeriveSeed(c.seed, kSites)).Next()) | 1;
  std::uint32_t hashes[kGivenSites];
  int given = 0;
  for (const std::uint64_t site : c.sites)
    if (site != 0) hashes[given++] = runtime::explore::SiteHash(site);
  run.strategy = c.replay ? nullptr
                          : MakeStrategy(c.strategy, seed, c.k, run.focuses,
                                         std::span(hashes, static_cast<std::size_t>(given)));
  run.sites = c.replay ? kNoSites : run.strategy->Sites();
  run.patience = c.replay ? kNever : run.strategy->Patience();
}

}  // namespace

std::int64_t RunConfig::NsPerStep() const {
  constexpr std::int64_t kPaces[] = {20, 100, 500, 2000};
  return kPaces[Sequence(DeriveSeed(seed, kPace)).Below(std::size(kPaces))] / Grain();
}

void* NewThread(const void* m) {
  if (run.threadCount == kMaxThreads) Broken("more than 256 threads");
  const int thread = run.threadCount++;
  Thread& t = run.threads[thread];
  t = {};
  t.v.m = m;
  t.v.due = kNever;
  t.lastTurn = run.turnNumber;
  t.ready = run.result->contended;
  t.nextDeviation = FirstDeviation(thread);
  run.rule->Created(thread);
  if (run.strategy != nullptr) run.strategy->Created(thread);
  run.result->threads = static_cast<std::uint32_t>(run.threadCount);
  EventThread(thread);
  return run.stacks + (static_cast<std::size_t>(thread) + 1) * kStackSize - 64;
}

void BeginRun(const RunConfig& c, RunRecord* r) {
  run.config = c;
  run.result = r;
  run.grain = c.Grain();
  run.numbers = Sequence(DeriveSeed(c.seed, kNumbers));
  DrawInjections(c);
  DrawTime(c.seed);
  ChooseStrategy(c);
  BeginLooking();
  PrepareReplay();
  if (run.stacks == nullptr)
    run.stacks = static_cast<char*>(MapMemory(kMaxThreads * kStackSize, "the explorer's stacks"));
  run.threadCount = 0;
  run.current = 0;
  runtime::explore::gort_explore_stack = NewThread(nullptr);
  Self().tid = ThreadId();
  runtime::explore::gort_explore_memory = run.grain > 1 ? 1 : 0;
  runtime::explore::gort_explore_sitemask = run.sites.mask;
  runtime::explore::gort_explorer = Explore;
  run.fuel = runtime::explore::kFuel;
  Grant();
}

}  // namespace gort::chaos
