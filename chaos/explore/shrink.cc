#include "chaos/explore/shrink.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "chaos/explore/runs.h"
#include "chaos/explore/zygote.h"

namespace gort::chaos {

namespace {

using Clock = std::chrono::steady_clock;

// Deviations up to which all pairs are tried; in other runs than the given one, of which there are many.
constexpr std::size_t kPairs = 40;
constexpr std::size_t kPairsOfOthers = 10;
// More than that, and it is worth while to look for another run that fails in the same way.
constexpr int kFewPreemptions = 3;
constexpr int kFewInjections = 10;
// Another one that has more of them at first does not become as small as that.
constexpr int kPromising = 15;
// Share of the time for the trace that was given, before that.
constexpr double kFirstShare = 0.3;
constexpr double kInject = 0.01;  // then, if the trace has injections
// A run that does not end takes as long as its limit says, which can be a thousand runs that do. While it is
// made small it is cut off after so many times the steps of the run without deviations, at least kPatient.
constexpr std::uint64_t kPatience = 8;
constexpr std::uint64_t kPatient = 250'000;

class Shrinker {
 public:
  Shrinker(const Trace& trace, double seconds,
           const std::function<void(const std::string&)>& progress)
      : end_(In(seconds)),
        pause_(In(seconds * kFirstShare)),
        progress_(progress),
        best_(trace),
        limit_(trace.limit) {}

  // The trace as it was given: whether it fails.
  bool TryGiven() {
    if (!TrySurely()) return false;
    if (shared->result.steps < limit_) return true;
    RunConfig config = ConfigOf(best_);
    config.count = 0;
    const RunReport report = Run(config);
    runs_++;
    if (!report.failed)
      limit_ = std::min(limit_, std::max(kPatience * shared->result.steps, kPatient));
    return true;
  }

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

  bool IsSmall() const {
    return best_.Preemptions() <= kFewPreemptions && best_.Injections() <= kFewInjections;
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

  // Makes the best smaller; what it becomes fails under the whole limit too.
  void ShrinkSurely() {
    const Trace before = best_;
    ShrinkAll();
    if (limit_ == best_.limit || TrySurely()) return;
    // It only takes long.
    best_ = before;
    limit_ = best_.limit;
    ShrinkAll();
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
      if (!smaller && best_.deviations.size() <= pairs_) smaller = PairPass();
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
  // by priorities, and some of those by sites, have few from the beginning: looks for one that fails in the
  // same way, and shrinks it.
  void ShrinkAnother() {
    using Choice = StrategyChoice;
    const Trace first = best_;
    Choice given;
    std::string problem;
    // A race on ordinary memory is not to be had otherwise.
    const Choice::Where where =
        ParseStrategy(first.strategy, &given, &problem) && given.where == Choice::kMemory
            ? Choice::kMemory
            : Choice::kSteps;
    // pct:4 preempts three times.
    const Choice turns[] = {{Choice::kPct, 4, Choice::kPoints},
                            {Choice::kSites, 0, where},
                            {Choice::kPct, 3, Choice::kPoints},
                            {Choice::kPct, 4, where},
                            {Choice::kPct, 2},
                            {Choice::kSites, 0, Choice::kPoints},
                            {Choice::kPct, 4, Choice::kPoints},
                            {Choice::kPct, 3, where},
                            {Choice::kSites, 0},
                            {Choice::kPct, 4},
                            {Choice::kPct, 2, Choice::kPoints},
                            {Choice::kPct, 2, where}};
    // What a run by pct could be interrupted at, on the average, by StrategyChoice::Where.
    std::int64_t places[] = {1000, 100, 10'000};
    pause_ = end_;
    pairs_ = kPairsOfOthers;
    for (std::uint64_t i = 0; !TimeIsUp() && !IsSmall(); i++) {
      RunConfig config;
      config.seed = first.seed + i;
      config.strategy = turns[i % std::size(turns)];
      std::int64_t& usual = places[config.strategy.where];
      config.k = static_cast<std::uint64_t>(usual);
      config.inject = first.Injections() > 0 ? kInject : 0;
      progress_("shrink: " + std::to_string(runs_) + " runs, " +
                std::to_string(best_.Preemptions()) + " preemptions and " +
                std::to_string(best_.Injections()) +
                " injections left; looking for another run that fails so");
      if (!FailsAlike(config)) {
        const RunRecord& r = shared->result;
        const std::uint64_t came =
            config.strategy.where == Choice::kPoints ? r.focused : r.contended;
        if (config.strategy.kind == Choice::kPct)
          usual += (static_cast<std::int64_t>(came) - usual) / 8;
        continue;
      }
      Trace another = best_;
      another.seed = config.seed;
      another.strategy = ShowStrategy(config.strategy);
      another.deviations.assign(shared->result.deviations,
                                shared->result.deviations + shared->result.count);
      another.steps = shared->result.steps;
      if (another.Preemptions() > kPromising || another.Injections() > 10 * kPromising) continue;
      const Trace before = std::exchange(best_, another);
      if (!TrySurely()) {
        best_ = before;
        continue;
      }
      ShrinkSurely();
      const auto size = [](const Trace& t) {
        return std::pair(t.Preemptions() + t.Injections(), t.deviations.size());
      };
      if (size(before) <= size(best_)) best_ = before;
    }
  }

  const Trace& best() const { return best_; }
  std::uint64_t runs() const { return runs_; }
  const std::string& last() const { return last_; }

 private:
  // Whether the best fails under the whole limit.
  bool TrySurely() {
    const std::uint64_t usual = std::exchange(limit_, best_.limit);
    const std::vector<Deviation> deviations = best_.deviations;
    const bool fails = Try(deviations);
    limit_ = usual;
    return fails;
  }

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
  bool FailsAlike(RunConfig config) {
    config.limit = limit_;
    const RunReport report = Run(config);
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
  std::uint64_t limit_;  // of a run's steps: the trace's, or a share of it
  std::size_t pairs_ = kPairs;
  std::uint64_t runs_ = 0;
  std::string last_;
};

}  // namespace

ShrinkResult ShrinkTrace(const Trace& trace, double seconds,
                         const std::function<void(const std::string&)>& progress) {
  const auto start = Clock::now();
  ShrinkResult result;
  Shrinker shrinker(trace, seconds, progress);
  result.fails = shrinker.TryGiven();
  if (result.fails) {
    shrinker.ShrinkSurely();
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
