#include "chaos/explore/shrink.h"

#include <algorithm>
#include <chrono>
#include <span>
#include <tuple>
#include <utility>
#include <vector>

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
// With so few, so many seconds more for one with even less.
constexpr double kForLess = 3;
// Another one that has more of them at first, and more than what there is, does not become as small as that.
constexpr int kPromising = 15;
// Share of the time for the trace that was given, before that.
constexpr double kFirstShare = 0.3;
constexpr double kInject = 0.01;  // then, if the trace has injections
// A run that does not end takes as long as its limit says, which can be a thousand runs that do. While it is
// made small it is cut off after so many times the steps of the run without deviations, at least kPatient.
constexpr std::uint64_t kPatience = 8;
constexpr std::uint64_t kPatient = 250'000;

// By which strategy the next run is made when another one is looked for that fails in the same way: each has
// its turn in a quarter of them; a quarter goes to the one by which the failure was found, if its runs can be short,
// one to preemptions at the sites at which the trace has them, and one to that by which most have failed, in whatever
// way.
class Turns {
 public:
  explicit Turns(const Trace& first) {
    using Choice = StrategyChoice;
    Choice given;
    std::string problem;
    const bool known = ParseStrategy(first.strategy, &given, &problem);
    // A race on ordinary memory is not to be had otherwise.
    const Choice::Where where =
        known && given.where == Choice::kMemory ? Choice::kMemory : Choice::kSteps;
    // pct:4 preempts three times.
    for (const Choice& choice :
         {Choice{Choice::kPct, 4, Choice::kPoints}, Choice{Choice::kSites, 0, where},
          Choice{Choice::kPct, 3, Choice::kPoints}, Choice{Choice::kPct, 4, where},
          Choice{Choice::kPct, 2}, Choice{Choice::kSites, 0, Choice::kPoints},
          Choice{Choice::kPct, 3, where}, Choice{Choice::kSites, 0}, Choice{Choice::kPct, 4},
          Choice{Choice::kPct, 2, Choice::kPoints}, Choice{Choice::kPct, 2, where}})
      turns_.push_back({choice});
    turns_.push_back({Choice{Choice::kSites, 0, where}, /*sites=*/true});
    sites_ = turns_.size() - 1;
    given_ = sites_;
    if (!known || (given.kind != Choice::kPct && given.kind != Choice::kSites)) return;
    given_ = turns_.size();
    turns_.push_back({given});
  }

  // The strategy of run i, and what goes with it. sites: of the trace's preemptions.
  void Next(std::uint64_t i, std::span<const std::uint64_t> sites, RunConfig* config) {
    const auto promising =
        std::max_element(turns_.begin(), turns_.end(),
                         [](const Turn& a, const Turn& b) { return a.Promise() < b.Promise(); });
    const std::size_t quarters[] = {i / 4 % turns_.size(), given_, sites_,
                                    static_cast<std::size_t>(promising - turns_.begin())};
    now_ = quarters[i % 4];
    config->strategy = turns_[now_].choice;
    config->k = static_cast<std::uint64_t>(places_[config->strategy.where]);
    if (!turns_[now_].sites || sites.empty()) return;
    const auto draw = [&] { return sites[dice_.Below(sites.size())]; };
    const auto isPoint = [](std::uint64_t site) { return (site & kPointSite) != 0; };
    std::uint64_t one = draw(), other = draw();
    if (dice_.Roll(0.5) || isPoint(other) != isPoint(one)) other = one;
    config->sites[0] = one;
    config->sites[1] = other;
    if (isPoint(one)) config->strategy.where = StrategyChoice::kPoints;
  }

  // What has become of it.
  void Learn(const RunConfig& config, bool failed, bool alike) {
    turns_[now_].runs++;
    turns_[now_].failures += alike ? kAlike : failed;
    if (failed || config.strategy.kind != StrategyChoice::kPct) return;
    const RunRecord& r = shared->result;
    const bool points = config.strategy.where == StrategyChoice::kPoints;
    std::int64_t& usual = places_[config.strategy.where];
    usual += (static_cast<std::int64_t>(points ? r.focused : r.contended) - usual) / 8;
  }

 private:
  static constexpr double kAlike = 10;  // other failures that one in the same way is worth

  struct Turn {
    StrategyChoice choice;
    bool sites = false;  // some of the trace's, not drawn ones
    double runs = 0, failures = 0;
    // One that was hardly tried is worth a try.
    double Promise() const { return (failures + 1) / (runs + 200); }
  };

  std::vector<Turn> turns_;
  std::size_t given_;  // sites_: it is none of those that make few preemptions
  std::size_t sites_;
  std::size_t now_ = 0;
  Sequence dice_{1};
  // What a run by pct could be interrupted at, on the average, by StrategyChoice::Where.
  std::int64_t places_[3] = {1000, 100, 10'000};
};

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
    sites_.assign(r.sites, r.sites + std::min<std::size_t>(r.preemptionsAtSites, kSitesKept));
    return true;
  }

  static bool IsSmall(const Trace& t) {
    return t.Preemptions() <= kFewPreemptions && t.Injections() <= kFewInjections;
  }
  bool IsMinimal() const { return best_.Preemptions() + best_.Injections() <= 1; }
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
    const Trace first = best_;
    Turns turns(first);
    pause_ = end_;
    pairs_ = kPairsOfOthers;
    bool small = false;
    for (std::uint64_t i = 0; !TimeIsUp() && !IsMinimal(); i++) {
      if (!small && IsSmall(best_)) pause_ = std::min(pause_, In(kForLess));
      small = IsSmall(best_);
      RunConfig config;
      config.seed = first.seed + i;
      turns.Next(i, sites_, &config);
      config.inject = first.Injections() > 0 ? kInject : 0;
      progress_("shrink: " + std::to_string(runs_) + " runs, " +
                std::to_string(best_.Preemptions()) + " preemptions and " +
                std::to_string(best_.Injections()) +
                " injections left; looking for another run that fails so");
      const bool alike = FailsAlike(config);
      turns.Learn(config, failed_, alike);
      if (alike) Adopt(config);
    }
  }

  // The run that has just been made fails in the same way: it is made small, and is the best if it is
  // smaller then.
  void Adopt(const RunConfig& config) {
    Trace another = best_;
    another.seed = config.seed;
    another.strategy = ShowStrategy(config.strategy);
    another.deviations.assign(shared->result.deviations,
                              shared->result.deviations + shared->result.count);
    another.steps = shared->result.steps;
    if (another.Preemptions() > std::max(kPromising, best_.Preemptions()) ||
        another.Injections() > std::max(10 * kPromising, best_.Injections()))
      return;
    const Trace before = std::exchange(best_, another);
    if (!TrySurely()) {
      best_ = before;
      return;
    }
    ShrinkSurely();
    const auto size = [](const Trace& t) {
      return std::tuple(!IsSmall(t), t.Preemptions() + t.Injections(), t.deviations.size());
    };
    if (size(before) <= size(best_)) best_ = before;
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
    failed_ = report.failed;
    last_ = report.outcome + " (" + said + ")";
    return report.failed && report.outcome == best_.outcome && said == best_.said &&
           !shared->result.overflow;
  }

  const Clock::time_point end_;
  Clock::time_point pause_;  // of the trace that was given
  const std::function<void(const std::string&)>& progress_;
  Trace best_;
  std::vector<std::uint64_t> sites_;  // of preemptions of the last run of deviations that failed
  std::uint64_t limit_;  // of a run's steps: the trace's, or a share of it
  std::size_t pairs_ = kPairs;
  std::uint64_t runs_ = 0;
  bool failed_ = false;  // the last run, in whatever way
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
