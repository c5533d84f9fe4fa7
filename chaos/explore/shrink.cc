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

class Shrinker {
 public:
  Shrinker(const Trace& trace, double seconds,
           const std::function<void(const std::string&)>& progress)
      : end_(Clock::now() +
             std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds))),
        progress_(progress),
        best_(trace) {}

  // Whether the program fails in the same way under these deviations; then they are the best so far,
  // as the run has recorded them: what it did not come to is gone.
  bool Try(const std::vector<Deviation>& deviations) {
    RunConfig config = ConfigOf(best_);
    config.deviations = deviations.data();
    config.count = deviations.size();
    const RunReport report = Run(config, true);
    runs_++;
    last_ = report.outcome + " (" + TellingLine(report.out) + ")";
    const RunRecord& r = shared->result;
    if (!report.failed || report.outcome != best_.outcome ||
        TellingLine(report.out) != best_.said || r.overflow)
      return false;
    best_.deviations.assign(r.deviations, r.deviations + r.count);
    best_.steps = r.steps;
    return true;
  }

  bool TimeIsUp() const { return Clock::now() >= end_; }

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

  const Clock::time_point end_;
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
  if (result.fails)
    shrinker.ShrinkAll();
  else
    result.problem = "it ends with " + shrinker.last();
  result.trace = shrinker.best();
  result.runs = shrinker.runs();
  result.seconds = std::chrono::duration<double>(Clock::now() - start).count();
  return result;
}

}  // namespace gort::chaos
