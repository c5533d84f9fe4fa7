#include "chaos/explore/steps.h"

#include <algorithm>

#include "chaos/explore/runstate.h"
#include "runtime/explore.h"

namespace gort::chaos {

void Account(std::int64_t steps) {
  Self().v.steps += static_cast<std::uint64_t>(steps);
  run.result->steps += static_cast<std::uint64_t>(steps);
  run.result->now += steps * run.nsPerStep;
  if (!run.contended) return;
  run.result->contended += static_cast<std::uint64_t>(steps);
  if (run.patience != kNever && !run.focuses) run.patience -= steps;
}

void Settle() {
  const std::int64_t left = runtime::explore::gort_explore_budget;
  // What the explorer itself reads of the runtime is no step, and does not end a stretch without any.
  run.fuel = runtime::explore::gort_explore_fuel;
  runtime::explore::gort_explore_budget = kNever;
  runtime::explore::gort_explore_site = runtime::explore::kNoSite;
  runtime::explore::gort_explore_memorysite = runtime::explore::kNoSite;
  Account(run.granted - left);
}

void MakeRunnable(int thread) {
  Thread& t = run.threads[thread];
  t.v.state = ThreadView::kRunnable;
  t.v.due = kNever;
  t.ready = run.result->contended;
}

std::int64_t Lenience() {
  std::uint64_t oldest = UINT64_MAX;
  for (int i = 0; i < run.threadCount; i++)
    if (i != run.current && run.threads[i].v.state == ThreadView::kRunnable)
      oldest = std::min(oldest, run.threads[i].ready);
  if (oldest == UINT64_MAX) return kNever;
  return static_cast<std::int64_t>(oldest) + kFairness * run.grain -
         static_cast<std::int64_t>(run.result->contended);
}

void Expire() {
  for (int i = 0; i < run.threadCount; i++) {
    const ThreadView& v = run.threads[i].v;
    if (!v.Waits() || v.due > run.result->now) continue;
    MakeRunnable(i);
  }
}

int FirstSleeper() {
  int first = -1;
  for (int i = 0; i < run.threadCount; i++) {
    const ThreadView& v = run.threads[i].v;
    if (!v.Waits()) continue;
    if (v.due != kNever && (first < 0 || v.due < run.threads[first].v.due)) first = i;
  }
  return first;
}

void Leap() {
  const int sleeper = FirstSleeper();
  if (sleeper < 0) return;
  run.result->now = std::max(run.result->now, run.threads[sleeper].v.due);
  Expire();
}

int Runnable() {
  int n = 0;
  for (int i = 0; i < run.threadCount; i++) n += run.threads[i].v.state == ThreadView::kRunnable;
  return n;
}

void Grant() {
  run.contended = Runnable() > 1;
  const std::uint64_t steps = run.result->steps;
  const Thread& self = Self();
  const auto until = [](std::uint64_t end, std::uint64_t now) {
    return static_cast<std::int64_t>(end - std::min(now, end));
  };
  std::int64_t budget = until(run.config.limit, steps);
  if (run.config.replay) {
    if (self.nextDeviation < run.config.count)
      budget =
          std::min(budget, until(run.config.deviations[self.nextDeviation].step, self.v.steps));
  } else if (run.contended && run.patience != kNever && !run.focuses) {
    budget = std::min(budget, run.patience);
  }
  if (run.config.choices && run.contended) budget = 1;
  if (self.late != 0) budget = std::min(budget, until(self.late, self.v.steps));
  budget = std::min(budget, Lenience());
  budget = std::min(budget, until(run.nextRingLook, steps));
  if (const int sleeper = FirstSleeper(); sleeper >= 0) {
    const std::int64_t ns = run.threads[sleeper].v.due - run.result->now;
    budget = std::min(budget, (ns + run.nsPerStep - 1) / run.nsPerStep);
  }
  run.granted = std::max<std::int64_t>(budget, 1);
  runtime::explore::gort_explore_budget = run.granted;
  runtime::explore::gort_explore_fuel = run.fuel;
  if (run.focuses || !run.contended) return;
  runtime::explore::gort_explore_site = run.sites.site;
  if (run.grain > 1) runtime::explore::gort_explore_memorysite = run.sites.site;
}

}  // namespace gort::chaos
