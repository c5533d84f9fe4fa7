#include "chaos/explore/campaign.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <set>
#include <sstream>
#include <vector>

#include "chaos/explore/bounded.h"
#include "chaos/explore/eventfile.h"
#include "chaos/explore/runs.h"
#include "chaos/explore/shrink.h"
#include "chaos/explore/zygote.h"
#include "chaos/points.h"
#include "chaos/progress.h"
#include "chaos/table.h"

namespace gort::chaos {

namespace {

using Clock = std::chrono::steady_clock;

double Since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

std::uint64_t Median(std::vector<std::uint64_t> values) {
  if (values.empty()) return 0;
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

std::string DefaultTracePath(const Task& task) {
  if (!task.trace.empty()) return task.trace;
  // Bazel keeps what a test writes here.
  const char* folder = std::getenv("TEST_UNDECLARED_OUTPUTS_DIR");
  const std::string name = task.name.substr(task.name.rfind('/') + 1) + ".trace";
  return folder != nullptr && *folder != 0 ? std::string(folder) + "/" + name : name;
}

Trace TraceOf(const RunConfig& config, const RunReport& report) {
  const RunRecord& r = shared->result;
  Trace trace;
  trace.program = Executable();
  trace.arguments = ProgramArguments();
  trace.settings = Settings();
  trace.build = BuildOf("/proc/self/exe");
  trace.seed = config.seed;
  trace.strategy = ShowStrategy(config.strategy);
  trace.limit = config.limit;
  trace.outcome = report.outcome;
  trace.said = TellingLine(report.out);
  trace.steps = r.steps;
  trace.deviations.assign(r.deviations, r.deviations + r.count);
  return trace;
}

struct Totals {
  std::uint64_t runs = 0, failed = 0, livelocks = 0;
  std::uint64_t firstFailure = 0;  // number of the run, from 1; 0: none
  double firstFailureAfter = 0;  // seconds
  std::set<std::uint64_t> schedules;
  std::vector<std::uint64_t> steps, contended, focused, decisions, switches, threads;
  std::map<std::string, std::uint64_t> outcomes;

  void Add(const RunRecord& r, const RunReport& report) {
    runs++;
    schedules.insert(r.hash);
    if (steps.size() < 100000) {
      steps.push_back(r.steps);
      contended.push_back(r.contended);
      focused.push_back(r.focused);
      decisions.push_back(r.decisions);
      switches.push_back(r.switches);
      threads.push_back(r.threads);
    }
    if (report.outcome == "livelock") livelocks++;
    if (!report.failed) return;
    failed++;
    outcomes[report.outcome + ": " + TellingLine(report.out)]++;
  }
};

void PrintTotals(const Task& task, const Totals& t, double seconds, const std::string& tracePath,
                 const Trace& trace) {
  const bool points = !task.focus.empty() || task.strategy.where == StrategyChoice::kPoints;
  const std::uint64_t k = Median(points ? t.focused : t.contended);
  const std::uint64_t n = Median(t.threads);
  if (task.json) {
    Json out;
    out.BeginObject().Key("program").String(task.name).Key("seed").Number(
        static_cast<long long>(task.seed));
    out.Key("strategy").String(ShowStrategy(task.strategy));
    out.Key("runs").Number(static_cast<long long>(t.runs));
    out.Key("failed").Number(static_cast<long long>(t.failed));
    out.Key("cut_off").Number(static_cast<long long>(t.livelocks));
    out.Key("schedules").Number(static_cast<long long>(t.schedules.size()));
    out.Key("seconds").Real(seconds);
    out.Key("steps").Number(static_cast<long long>(Median(t.steps)));
    out.Key("contended").Number(static_cast<long long>(k));
    out.Key("threads").Number(static_cast<long long>(n));
    out.Key("decisions").Number(static_cast<long long>(Median(t.decisions)));
    out.Key("first_failure_run").Number(static_cast<long long>(t.firstFailure));
    out.Key("first_failure_seconds").Real(t.firstFailureAfter);
    out.Key("outcome").String(trace.outcome).Key("said").String(trace.said);
    out.Key("trace").String(tracePath).EndObject();
    std::printf("%s\n", out.text().c_str());
    return;
  }
  std::printf(
      "explore: %llu runs in %.1f s (%.0f a second), %zu distinct schedules, %llu cut off by "
      "the limit of steps\n",
      static_cast<unsigned long long>(t.runs), seconds,
      static_cast<double>(t.runs) / std::max(seconds, 1e-9), t.schedules.size(),
      static_cast<unsigned long long>(t.livelocks));
  std::printf(
      "a run, median: %llu steps, %llu of them with a choice of threads, %llu decisions, %llu "
      "switches, %llu threads\n",
      static_cast<unsigned long long>(Median(t.steps)), static_cast<unsigned long long>(k),
      static_cast<unsigned long long>(Median(t.decisions)),
      static_cast<unsigned long long>(Median(t.switches)), static_cast<unsigned long long>(n));
  if (task.strategy.kind == StrategyChoice::kPct) {
    double bound = 1 / static_cast<double>(std::max<std::uint64_t>(n, 1));
    for (int i = 1; i < task.strategy.depth; i++)
      bound /= static_cast<double>(std::max<std::uint64_t>(k, 1));
    std::printf(
        "%s finds a bug of depth %d with probability at least %.2g a run; seen: %.2g\n",
        ShowStrategy(task.strategy).c_str(), task.strategy.depth, bound,
        static_cast<double>(t.failed) / static_cast<double>(std::max<std::uint64_t>(t.runs, 1)));
  }
  if (t.failed == 0) {
    std::printf("no failure found in %llu runs\n", static_cast<unsigned long long>(t.runs));
    return;
  }
  std::printf("failed: %llu of %llu runs; the first was run %llu, after %.1f s\n",
              static_cast<unsigned long long>(t.failed), static_cast<unsigned long long>(t.runs),
              static_cast<unsigned long long>(t.firstFailure), t.firstFailureAfter);
  for (const auto& [outcome, count] : t.outcomes)
    std::printf("  %llu times: %s\n", static_cast<unsigned long long>(count), outcome.c_str());
}

// What the runs of a campaign are, one after the other.
class Runs {
 public:
  explicit Runs(const Task& task)
      : task_(task),
        bounded_(task.strategy.kind == StrategyChoice::kBounded),
        search_(task.strategy.depth) {
    config_.inject = bounded_ ? 0 : task.inject;
    SetFocus();
  }

  // Run number i, from 0; null if there are no more.
  const RunConfig* Next(std::uint64_t i) {
    if (bounded_) {
      if (!search_.Next(&prefix_)) return nullptr;
      config_.seed = task_.seed;
      config_.strategy = task_.strategy;
      config_.limit = Limit();
      config_.replay = config_.choices = true;
      config_.deviations = prefix_.data();
      config_.count = prefix_.size();
      return &config_;
    }
    config_.seed = task_.seed + i;
    config_.strategy = ForRun(task_.strategy, config_.seed);
    config_.limit = Limit();
    config_.k = K();
    return &config_;
  }

  // The run has been made. False if it only led to others and does not count.
  bool Made() {
    const RunRecord& r = shared->result;
    if (config_.strategy.where == StrategyChoice::kMemory)
      Follow(&accesses_, r.contended);
    else
      Follow(&contended_, r.contended);
    Follow(&focused_, r.focused);
    if (!bounded_) return true;
    const bool counts = search_.New();
    search_.Learn(shared->result);
    return counts;
  }

  // It held.
  void Held(const RunRecord& r) {
    longest_ = std::max(longest_, r.steps / static_cast<std::uint64_t>(config_.Grain()));
    const auto steps = static_cast<std::int64_t>(r.steps);
    longestTime_ = std::max(longestTime_, steps * config_.NsPerStep());
  }

  // What is known after all runs, "" for nothing special.
  std::string Completeness(bool all) const {
    if (!bounded_) return "";
    if (all && !search_.cut())
      return "these are all schedules with at most " + std::to_string(task_.strategy.depth) +
             " preemptions, for the random numbers of this seed";
    return "all schedules of fewer than " + std::to_string(search_.depth()) +
           " deviations have been run" + (search_.cut() ? ", but for those of long runs" : "");
  }

 private:
  // What a run that ends does not need: 40 times the steps of the longest. And since some spin until a time, and a
  // step takes 20 ns in one run and 2,000 in another, as many more as take four times the longest's time, or four
  // times five of the scheduler's time slices, but no more than the first run gets.
  std::uint64_t Limit() const {
    constexpr std::uint64_t kFirst = 20'000'000;
    constexpr std::int64_t kSlices = 50'000'000;
    if (task_.limit != 0) return task_.limit;
    const auto grain = static_cast<std::uint64_t>(config_.Grain());
    if (longest_ == 0) return kFirst * grain;
    const std::uint64_t steps = std::max<std::uint64_t>(500'000, 40 * longest_) * grain;
    const std::int64_t waits = 4 * std::max(longestTime_, kSlices) / config_.NsPerStep();
    return std::max(steps, std::min(steps + static_cast<std::uint64_t>(waits), kFirst * grain));
  }

  // What a run's changes of priority are drawn among.
  std::uint64_t K() const {
    if (config_.Focuses() || config_.strategy.where == StrategyChoice::kPoints) return focused_;
    return config_.strategy.where == StrategyChoice::kMemory ? accesses_ : contended_;
  }
  static void Follow(std::uint64_t* average, std::uint64_t value) {
    *average = (*average * 7 + value) / 8;
  }

  void SetFocus() {
    std::istringstream in(task_.focus);
    for (std::string pattern; in >> pattern;)
      for (const Point p : MatchPoints(pattern)) {
        const auto point = static_cast<std::size_t>(p);
        config_.focus[point / 64] |= 1ull << point % 64;
      }
  }

  static_assert(kPointCount <= static_cast<int>(kMaxPoints));

  const Task& task_;
  const bool bounded_;
  BoundedSearch search_;
  std::vector<Deviation> prefix_;
  RunConfig config_;
  std::uint64_t longest_ = 0;  // steps of a run, those of a finer grain fewer
  std::int64_t longestTime_ = 0;  // virtual ns of a run, but for leaps
  // Averages of what a run has.
  std::uint64_t contended_ = 1000;
  std::uint64_t accesses_ = 1000 * kAccesses;
  std::uint64_t focused_ = 100;
};

// The same run again, and once more by what it has decided: what is not the same is not explored. False,
// with a message, if it is not.
bool SameAgain(const RunConfig& config, const RunReport& report) {
  const RunRecord& r = shared->result;
  const std::uint64_t hash = r.hash, steps = r.steps;
  const std::uint32_t count = r.count;
  const auto differs = [&](const char* how, const RunReport& again) {
    std::fprintf(
        stderr,
        "explore: not deterministic: seed %llu, %s: %llu steps and %s, then %llu steps and "
        "%s%s%s\n",
        static_cast<unsigned long long>(config.seed), how, static_cast<unsigned long long>(steps),
        report.outcome.c_str(), static_cast<unsigned long long>(r.steps), again.outcome.c_str(),
        r.diverged[0] != 0 ? ": " : "", r.diverged);
    return false;
  };
  const RunReport again = Run(config);
  if (r.hash != hash || r.steps != steps || r.count != count || again.outcome != report.outcome)
    return differs("run twice", again);
  if (config.replay || r.overflow) return true;
  const std::vector<Deviation> decided(r.deviations, r.deviations + r.count);
  RunConfig replay = config;
  replay.replay = replay.strict = true;
  replay.deviations = decided.data();
  replay.count = decided.size();
  const RunReport replayed = Run(replay);
  // The steps may differ by what the last thread does after it has asked for the last time.
  if (replayed.outcome != report.outcome ||
      !std::equal(decided.begin(), decided.end(), r.deviations, r.deviations + r.count))
    return differs("replayed", replayed);
  return true;
}

// Keeps the trace of a run, and says so if that cannot be done as it should be. Returns where it is.
std::string Keep(const Task& task, const Trace& trace) {
  std::string problem;
  const std::string path = SaveTrace(trace, DefaultTracePath(task), &problem);
  if (!problem.empty()) std::fprintf(stderr, "explore: %s\n", problem.c_str());
  if (shared->result.overflow)
    std::fprintf(stderr,
                 "explore: the run has decided more than %zu times: its trace is not whole, and a "
                 "replay will "
                 "leave it. Most other strategies decide less often than %s.\n",
                 kMaxDeviations, trace.strategy.c_str());
  return path;
}

// Of so many runs, or of so many seconds if these were asked for.
std::string HowFar(const Task& task, double seconds) {
  if (task.seconds <= 0) return " of " + std::to_string(task.runs);
  char text[100];
  std::snprintf(text, sizeof text, ", %.0f of %.0f s", seconds, task.seconds);
  return text;
}

int Explore(const Task& task) {
  const auto start = Clock::now();
  ProgressLine progress;
  Totals t;
  Runs runs(task);
  Trace first;
  std::string tracePath;
  std::string output;
  bool wrong = false;  // the same run twice was not the same, or a run broke
  bool all = false;  // there are no more runs
  for (std::uint64_t i = 0; i < task.runs;) {
    if (task.seconds > 0 && Since(start) >= task.seconds) break;
    const RunConfig* config = runs.Next(i);
    all = config == nullptr;
    if (all) break;
    const RunReport report = Run(*config, {.output = task.echo, .events = ""});
    if (task.echo) std::printf("%s", report.out.c_str());
    if (report.broken) {
      progress.Clear();
      std::fprintf(stderr, "explore: run with seed %llu broke: %s\n%s",
                   static_cast<unsigned long long>(config->seed), report.outcome.c_str(),
                   task.echo ? "" : report.out.c_str());
      wrong = true;
      if (t.failed == 0) {
        first = TraceOf(*config, report);
        tracePath = Keep(task, first);
        std::fprintf(stderr, "explore: what it did until then is in %s\n", tracePath.c_str());
      }
      break;
    }
    if (!runs.Made()) continue;
    t.Add(shared->result, report);
    if (report.failed) {
      if (t.firstFailure == 0) {
        t.firstFailure = i + 1;
        t.firstFailureAfter = Since(start);
        first = TraceOf(*config, report);
        output = report.out;
        tracePath = Keep(task, first);
      }
      if (!task.all) break;
    } else {
      runs.Held(shared->result);
    }
    if (i % 64 == 0 && !SameAgain(*config, report)) wrong = true;
    if ((i & 15) == 0)
      progress.Show("explore: run " + std::to_string(i + 1) + HowFar(task, Since(start)) + ", " +
                    std::to_string(t.failed) + " failed");
    i++;
  }
  progress.Clear();
  if (t.failed != 0 && !task.json && !task.echo) std::printf("%s", output.c_str());
  PrintTotals(task, t, Since(start), tracePath, first);
  if (const std::string known = runs.Completeness(all); !known.empty() && !task.json)
    std::printf("%s\n", known.c_str());
  if (t.failed != 0 && !tracePath.empty() && !task.json)
    std::printf("the trace is in %s\nto see it again:  ./bazelw run //chaos -- replay %s\n",
                tracePath.c_str(), tracePath.c_str());
  if (t.failed != 0) return 1;
  return wrong ? 3 : 0;
}

bool LoadForThis(const Task& task, Trace* trace) {
  std::string problem;
  if (!LoadTrace(task.trace, trace, &problem)) {
    std::fprintf(stderr, "explore: %s\n", problem.c_str());
    return false;
  }
  if (const std::string build = BuildOf("/proc/self/exe"); build != trace->build)
    std::fprintf(stderr,
                 "explore: the trace is of another build (%s, this is %s): it may diverge\n",
                 trace->build.c_str(), build.c_str());
  return true;
}

int Replay(const Task& task) {
  Trace trace;
  if (!LoadForThis(task, &trace)) return 2;
  RunConfig config = ConfigOf(trace);
  config.strict = true;
  std::uint64_t same = 0;
  bool broken = false;
  ProgressLine progress;
  for (std::uint64_t i = 0; i < task.times; i++) {
    std::string problem;
    const bool events = !task.output.empty();
    if (events && !BeginEventFile(task.output, trace, task.trace, &problem)) {
      std::fprintf(stderr, "explore: %s\n", problem.c_str());
      return 3;
    }
    const RunReport report = Run(config, {.output = task.echo || events, .events = task.output});
    if (task.echo) std::printf("%s", report.out.c_str());
    broken |= report.broken;
    if (events && !FinishEventFile(task.output, report, &problem)) {
      std::fprintf(stderr, "explore: %s\n", problem.c_str());
      return 3;
    }
    const bool equal = report.outcome == trace.outcome && TellingLine(report.out) == trace.said;
    same += equal;
    if (shared->result.diverged[0] != 0)
      std::fprintf(stderr, "explore: the replay diverged: %s\n", shared->result.diverged);
    if (!equal && i == same)
      std::fprintf(stderr, "explore: the trace ended with %s (%s), the replay with %s (%s)\n",
                   trace.outcome.c_str(), trace.said.c_str(), report.outcome.c_str(),
                   TellingLine(report.out).c_str());
    progress.Show("replay " + std::to_string(i + 1) + " of " + std::to_string(task.times));
  }
  progress.Clear();
  if (task.json) {
    Json out;
    out.BeginObject().Key("program").String(task.name).Key("trace").String(task.trace);
    out.Key("times").Number(static_cast<long long>(task.times));
    out.Key("same").Number(static_cast<long long>(same));
    out.Key("outcome").String(trace.outcome).Key("said").String(trace.said).EndObject();
    std::printf("%s\n", out.text().c_str());
  } else {
    std::printf("replay: %llu of %llu times the same failure: %s: %s\n",
                static_cast<unsigned long long>(same), static_cast<unsigned long long>(task.times),
                trace.outcome.c_str(), trace.said.c_str());
  }
  if (broken) return 3;
  return same == task.times ? 0 : 1;
}

void PrintShrunk(const Trace& from, const ShrinkResult& small, const std::string& path) {
  Json out;
  const auto size = [&](const char* key, const Trace& trace) {
    out.Key(key)
        .BeginObject()
        .Key("deviations")
        .Number(static_cast<long long>(trace.deviations.size()));
    out.Key("preemptions").Number(trace.Preemptions());
    out.Key("injections").Number(trace.Injections()).EndObject();
  };
  out.BeginObject().Key("runs").Number(static_cast<long long>(small.runs));
  out.Key("seconds").Real(small.seconds);
  size("from", from);
  size("to", small.trace);
  out.Key("same_run").Bool(small.trace.seed == from.seed);
  out.Key("outcome").String(small.trace.outcome).Key("said").String(small.trace.said);
  out.Key("trace").String(path).EndObject();
  std::printf("%s\n", out.text().c_str());
}

int Shrink(const Task& task) {
  Trace trace;
  if (!LoadForThis(task, &trace)) return 2;
  ProgressLine progress;
  ShrinkResult small = ShrinkTrace(trace, task.seconds > 0 ? task.seconds : 60,
                                   [&](const std::string& text) { progress.Show(text); });
  progress.Clear();
  if (!small.fails) {
    std::fprintf(stderr, "explore: the trace does not fail in this program: %s\n",
                 small.problem.c_str());
    return 1;
  }
  std::string problem;
  const std::string path =
      SaveTrace(small.trace, task.output.empty() ? task.trace + ".small" : task.output, &problem);
  if (!problem.empty()) std::fprintf(stderr, "explore: %s\n", problem.c_str());
  if (task.json) {
    PrintShrunk(trace, small, path);
    return path.empty() ? 1 : 0;
  }
  std::printf(
      "shrink: %llu runs in %.1f s: from %zu deviations (%d preemptions, %d injections) to %zu "
      "(%d, %d)\n",
      static_cast<unsigned long long>(small.runs), small.seconds, trace.deviations.size(),
      trace.Preemptions(), trace.Injections(), small.trace.deviations.size(),
      small.trace.Preemptions(), small.trace.Injections());
  if (small.trace.seed != trace.seed)
    std::printf("it is another run, of seed %llu, that fails in the same way\n",
                static_cast<unsigned long long>(small.trace.seed));
  // It was printed, with what had happened: nobody could replay it as it stands there.
  if (path.empty()) return 1;
  std::printf("the trace is in %s\n", path.c_str());
  return 0;
}

}  // namespace

int PrepareReplay(const Task& task) {
  Trace trace;
  if (!LoadForThis(task, &trace)) return 2;
  Prepare(ConfigOf(trace));
  return 0;
}

int DoTask(const Task& asked) {
  Task task = asked;
  if (task.name.empty()) task.name = Executable();
  switch (task.command) {
    case Task::kExplore:
      return Explore(task);
    case Task::kReplay:
      return Replay(task);
    case Task::kShrink:
      return Shrink(task);
  }
  return 2;
}

}  // namespace gort::chaos
