#include "chaos/explore/campaign.h"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <set>
#include <vector>

#include "chaos/explore/eventfile.h"
#include "chaos/explore/runs.h"
#include "chaos/explore/shrink.h"
#include "chaos/explore/zygote.h"
#include "chaos/table.h"

namespace gort::chaos {

namespace {

using Clock = std::chrono::steady_clock;

double Since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

// Says how far it is: one line written anew on a terminal, a line every few seconds in a log.
class Progress {
 public:
  void Show(const std::string& text) {
    const double now = Since(start_);
    if (now < next_) return;
    next_ = now + (terminal_ ? 0.2 : 10);
    std::fprintf(stderr, terminal_ ? "\r\033[K%s" : "%s\n", text.c_str());
    std::fflush(stderr);
    shown_ = true;
  }
  void Clear() {
    if (terminal_ && shown_) std::fprintf(stderr, "\r\033[K");
  }

 private:
  const bool terminal_ = isatty(STDERR_FILENO) != 0;
  const Clock::time_point start_ = Clock::now();
  double next_ = terminal_ ? 0.2 : 10;
  bool shown_ = false;
};

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
  std::vector<std::uint64_t> steps, contended, decisions, switches, threads;
  std::map<std::string, std::uint64_t> outcomes;
};

void PrintTotals(const Task& task, const Totals& t, double seconds, const std::string& tracePath,
                 const Trace& trace) {
  const std::uint64_t k = Median(t.contended), n = Median(t.threads);
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

int Explore(const Task& task) {
  const auto start = Clock::now();
  Progress progress;
  Totals t;
  Trace first;
  std::string tracePath;
  std::string output;
  bool wrong = false;  // the same run twice was not the same
  RunConfig config;
  config.limit = task.limit != 0 ? task.limit : 20'000'000;
  std::uint64_t longest = 0;
  for (std::uint64_t i = 0; i < task.runs; i++) {
    if (task.seconds > 0 && Since(start) >= task.seconds) break;
    config.seed = task.seed + i;
    config.strategy = ForRun(task.strategy, config.seed);
    config.inject = task.inject;
    config.k = t.contended.empty() ? 1000 : t.contended[t.contended.size() / 2];
    const RunReport report = Run(config, !task.echo);
    t.runs++;
    const RunRecord& r = shared->result;
    if (report.broken) {
      progress.Clear();
      std::fprintf(stderr, "explore: run with seed %llu broke: %s\n%s",
                   static_cast<unsigned long long>(config.seed), report.outcome.c_str(),
                   report.out.c_str());
      return 3;
    }
    t.schedules.insert(r.hash);
    if (t.steps.size() < 100000) {
      t.steps.push_back(r.steps);
      t.contended.push_back(r.contended);
      t.decisions.push_back(r.decisions);
      t.switches.push_back(r.switches);
      t.threads.push_back(r.threads);
    }
    if (report.outcome == "livelock") t.livelocks++;
    if (report.failed) {
      t.failed++;
      t.outcomes[report.outcome + ": " + TellingLine(report.out)]++;
      if (t.firstFailure == 0) {
        t.firstFailure = i + 1;
        t.firstFailureAfter = Since(start);
        first = TraceOf(config, report);
        output = report.out;
        std::string problem;
        tracePath = SaveTrace(first, DefaultTracePath(task), &problem);
        if (!problem.empty()) std::fprintf(stderr, "explore: %s\n", problem.c_str());
      }
      if (!task.all) break;
    } else {
      longest = std::max(longest, r.steps);
      if (task.limit == 0) config.limit = std::max<std::uint64_t>(500'000, 40 * longest);
    }
    // The same again, now and then: what is not the same is not explored.
    if (i % 64 == 0 && !task.echo) {
      const std::uint64_t hash = r.hash, steps = r.steps;
      const std::uint32_t count = r.count;
      const RunReport again = Run(config, true);
      if (r.hash != hash || r.steps != steps || r.count != count ||
          again.outcome != report.outcome) {
        progress.Clear();
        std::fprintf(
            stderr,
            "explore: not deterministic: seed %llu, run twice: %llu steps and %s, then %llu "
            "steps and %s\n",
            static_cast<unsigned long long>(config.seed), static_cast<unsigned long long>(steps),
            report.outcome.c_str(), static_cast<unsigned long long>(r.steps),
            again.outcome.c_str());
        wrong = true;
      }
    }
    if ((i & 15) == 0)
      progress.Show("explore: run " + std::to_string(i + 1) + " of " + std::to_string(task.runs) +
                    ", " + std::to_string(t.failed) + " failed");
  }
  progress.Clear();
  if (t.failed != 0 && !task.json) std::printf("%s", output.c_str());
  PrintTotals(task, t, Since(start), tracePath, first);
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
  Progress progress;
  for (std::uint64_t i = 0; i < task.times; i++) {
    std::string problem;
    const bool events = !task.output.empty();
    if (events && !BeginEventFile(task.output, trace, &problem)) {
      std::fprintf(stderr, "explore: %s\n", problem.c_str());
      return 3;
    }
    const RunReport report = Run(config, !task.echo, task.output);
    if (events && !FinishEventFile(task.output, report, &problem)) {
      std::fprintf(stderr, "explore: %s\n", problem.c_str());
      return 3;
    }
    const bool equal =
        report.outcome == trace.outcome && (task.echo || TellingLine(report.out) == trace.said);
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
  if (!task.json)
    std::printf("replay: %llu of %llu times the same failure: %s: %s\n",
                static_cast<unsigned long long>(same), static_cast<unsigned long long>(task.times),
                trace.outcome.c_str(), trace.said.c_str());
  return same == task.times ? 0 : 1;
}

int Shrink(const Task& task) {
  Trace trace;
  if (!LoadForThis(task, &trace)) return 2;
  Progress progress;
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
  std::printf(
      "shrink: %llu runs in %.1f s: from %zu deviations (%d preemptions, %d injections) to %zu "
      "(%d, %d)\n",
      static_cast<unsigned long long>(small.runs), small.seconds, trace.deviations.size(),
      trace.Preemptions(), trace.Injections(), small.trace.deviations.size(),
      small.trace.Preemptions(), small.trace.Injections());
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
