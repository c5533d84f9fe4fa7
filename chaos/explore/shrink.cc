#include "chaos/explore/shrink.h"

#include <algorithm>
#include <chrono>

#include "chaos/explore/runs.h"
#include "chaos/explore/zygote.h"

namespace gort::chaos {

namespace {

using Clock = std::chrono::steady_clock;

// Deviations up to which all pairs are tried.
constexpr std::size_t kPairs = 40;
// More preemptions than that, and it is worth while to look for another run that fails in the same way.
constexpr int kFewPreemptions = 3;
// Share of the time for the trace that was given, before that.
constexpr double kFirstShare = 0.4;
constexpr double kInject = 0.01;  // then, if the trace has injections

class Shrinker {
 public:
  Shrinker(const Trace& trace, double seconds,
           const std::function<void(const std::string&)>& progress)
      : end_(In(seconds)), pause_(In(seconds * kFirstShare)), progress_(progress), best_(trace) {}

  // Whether the program fails in the same way under these deviations; then they are the best so far,
  // as the run has recorded them: what it did not come to is gone.
  bool Try(const std::vector<Deviation>& deviations) {
    RunConfig config = ConfigOf(best_);
    config.deviations = deviations.data();
    config.count = deviations.size();
    if (!FailsAlike(config)) return false;
    const RunRecord& r = shared->result;
    best_.deviations.assign(r.deviations, r.deviations + r.count);
    best_.steps = r.steps;
    return true;
  }

  bool TimeIsUp() const { return Clock::now() >= std::min(pause_, end_); }

  // Takes out deviations of which `which` is true. True if any could be spared.
  template <class F>
  bool Pass(const char* what, F which) {
    bool smaller = false;
    std::size_t chunk = std::max<std::size_t>(Count(which), 1);
    for (;;) {
      for (std::size_t at = 0; at < Count(which) && !TimeIsUp();) {
        progress_("shrink: " + std::to_string(runs_) + " runs, " +
                  std::to_string(best_.deviations.size()) + " deviations left, " +
                  std::to_string(best_.Preemptions()) + " preemptions; trying " + what);
        const std::size_t before = best_.deviations.size();
        // What comes last is tried first: what is earlier changes everything behind it.
        if (Try(Without(which, at, chunk)) && best_.deviations.size() < before)
          smaller = true;
        else
          at += chunk;
      }
      if (chunk == 1 || TimeIsUp()) return smaller;
      chunk = (chunk + 1) / 2;
    }
  }

  void ShrinkAll() {
    const auto injections = [](const Deviation& d) { return d.kind == Deviation::kInject; };
    const auto leaps = [](const Deviation& d) { return d.kind == Deviation::kLeap; };
    const auto preemptions = [](const Deviation& d) { return d.preemption; };
    const auto others = [](const Deviation& d) {
      return d.kind != Deviation::kInject && d.kind != Deviation::kLeap && !d.preemption;
    };
    const auto all = [](const Deviation&) { return true; };
    Pass("all", all);
    for (bool smaller = true; smaller && !TimeIsUp();) {
      smaller = Pass("injections", injections);
      smaller |= Pass("leaps of time", leaps);
      smaller |= Pass("preemptions", preemptions);
      smaller |= Pass("other choices", others);
      if (!smaller && best_.deviations.size() <= kPairs) smaller = PairPass();
    }
  }

  // What cannot be spared alone can sometimes be spared together with another one. True if any could.
  bool PairPass() {
    for (std::size_t i = 0; i < best_.deviations.size(); i++) {
      for (std::size_t j = i + 1; j < best_.deviations.size(); j++) {
        if (TimeIsUp()) return false;
        std::vector<Deviation> rest = best_.deviations;
        rest.erase(rest.begin() + static_cast<std::ptrdiff_t>(j));
        rest.erase(rest.begin() + static_cast<std::ptrdiff_t>(i));
        const std::size_t before = best_.deviations.size();
        progress_("shrink: " + std::to_string(runs_) + " runs, " + std::to_string(before) +
                  " deviations left; trying pairs");
        if (Try(rest) && best_.deviations.size() < before) return true;
      }
    }
    return false;
  }

  // A run with few preemptions cannot always be had from one with many, which rests on all of them. Runs
  // by priorities have few from the beginning: looks for one that fails in the same way, and shrinks it.
  void ShrinkAnother() {
    const Trace first = best_;
    StrategyChoice::Where where = StrategyChoice::kSteps;
    if (StrategyChoice given; true) {
      std::string problem;
      if (ParseStrategy(first.strategy, &given, &problem) && given.where == StrategyChoice::kMemory)
        where = given.where;  // a race on ordinary memory is not to be had otherwise
    }
    std::int64_t contended = 1000;  // steps of a run, on the average
    pause_ = end_;
    for (std::uint64_t i = 0; !TimeIsUp() && best_.Preemptions() > kFewPreemptions; i++) {
      constexpr int kDepths[] = {2, 3, 5};
      RunConfig config;
      config.limit = first.limit;
      config.seed = first.seed + i;
      config.strategy = {StrategyChoice::kPct, kDepths[i % std::size(kDepths)], where};
      config.k = static_cast<std::uint64_t>(contended);
      config.inject = first.Injections() > 0 ? kInject : 0;
      progress_("shrink: " + std::to_string(runs_) + " runs, " +
                std::to_string(best_.Preemptions()) +
                " preemptions left; looking for another run that fails so");
      if (!FailsAlike(config)) {
        contended += (static_cast<std::int64_t>(shared->result.contended) - contended) / 8;
        continue;
      }
      const Trace before = best_;
      best_.seed = config.seed;
      best_.strategy = ShowStrategy(config.strategy);
      best_.deviations.assign(shared->result.deviations,
                              shared->result.deviations + shared->result.count);
      best_.steps = shared->result.steps;
      ShrinkAll();
      const auto size = [](const Trace& t) {
        return std::pair(t.Preemptions(), t.deviations.size());
      };
      if (size(before) <= size(best_)) best_ = before;
    }
  }

  const Trace& best() const { return best_; }
  std::uint64_t runs() const { return runs_; }
  const std::string& last() const { return last_; }

 private:
  template <class F>
  std::size_t Count(F which) const {
    return static_cast<std::size_t>(
        std::count_if(best_.deviations.begin(), best_.deviations.end(), which));
  }

  // The best without those of the kind that are number at to at+n, from the end.
  template <class F>
  std::vector<Deviation> Without(F which, std::size_t at, std::size_t n) const {
    std::vector<Deviation> rest;
    std::size_t number = Count(which);
    for (const Deviation& d : best_.deviations) {
      if (which(d)) {
        number--;
        if (number >= at && number < at + n) continue;
      }
      rest.push_back(d);
    }
    return rest;
  }

  static Clock::time_point In(double seconds) {
    return Clock::now() +
           std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
  }

  // Makes the run; whether it fails as the trace does.
  bool FailsAlike(const RunConfig& config) {
    const RunReport report = Run(config, true);
    runs_++;
    const std::string said = TellingLine(report.out);
    last_ = report.outcome + " (" + said + ")";
    return report.failed && report.outcome == best_.outcome && said == best_.said &&
           !shared->result.overflow;
  }

  const Clock::time_point end_;
  Clock::time_point pause_;  // of the trace that was given
  const std::function<void(const std::string&)>& progress_;
  Trace best_;
  std::uint64_t runs_ = 0;
  std::string last_;
};

}  // namespace

ShrinkResult ShrinkTrace(const Trace& trace, double seconds,
                         const std::function<void(const std::string&)>& progress) {
  const auto start = Clock::now();
  ShrinkResult result;
  Shrinker shrinker(trace, seconds, progress);
  result.fails = shrinker.Try(trace.deviations);
  if (result.fails) {
    shrinker.ShrinkAll();
    shrinker.ShrinkAnother();
  } else {
    result.problem = "it ends with " + shrinker.last();
  }
  result.trace = shrinker.best();
  result.runs = shrinker.runs();
  result.seconds = std::chrono::duration<double>(Clock::now() - start).count();
  return result;
}

}  // namespace gort::chaos
