#include "chaos/verify.h"

#include <unistd.h>

#include <algorithm>
#include <cstdlib>

#include "chaos/explore_command.h"
#include "chaos/listens.h"
#include "chaos/program.h"
#include "chaos/runner.h"

namespace gort::chaos {

std::vector<std::pair<std::string, std::string>> EnvironmentOf(const History& history, int procs) {
  return {{"GOMAXPROCS", std::to_string(procs)},
          {"TSAN_OPTIONS", history.tsanOptions},
          {"GOTRACEBACK", ""},
          {"GODEBUG", ""},
          {kSpecVariable, ""},
          {kStormVariable, ""},
          {kFaultVariable, ""}};
}

Turn TurnOf(const Bug& bug, const std::vector<int>& procs, int number) {
  const auto n = static_cast<std::size_t>(number);
  Turn turn{procs[n % procs.size()], ""};
  if (!bug.cases.empty())
    turn.scenarioCase = bug.cases[(n / procs.size() + n % procs.size()) % bug.cases.size()];
  return turn;
}

std::vector<std::string> ArgumentsOf(const std::string& program, const Turn& turn) {
  std::vector<std::string> arguments = {program};
  if (!turn.scenarioCase.empty()) arguments.push_back(turn.scenarioCase);
  return arguments;
}

namespace {

Side RunSide(const History& history, const Bug& bug, const Build& build, bool with,
             const std::string& what, const VerifyOptions& options) {
  const Expectation& expectation = bug.Expected(with, build.unfixing, build.mode);
  const std::vector<int>& procs = bug.Procs(build.unfixing, build.mode);
  Side side;
  for (int i = 0; i < options.runs; i++) {
    if (options.progress) options.progress(what, i + 1, options.runs);
    const Turn turn = TurnOf(bug, procs, i);
    RunOptions runOptions;
    runOptions.environment = EnvironmentOf(history, turn.procs);
    runOptions.timeoutSeconds = bug.timeoutSeconds;
    RunResult run = Run(ArgumentsOf(with ? build.with : build.without, turn), runOptions);
    Outcome outcome = Classify(run);
    const std::string problem = expectation.Check(outcome, run);
    if (options.after) options.after(outcome, run, problem);

    side.runs++;
    side.seconds += run.seconds;
    side.summaries[outcome.Summary()]++;
    if (outcome.kind == Outcome::kBroken) side.broken++;
    if (problem.empty()) side.asExpected++;
    if (!problem.empty() && side.firstProblem.empty()) {
      side.firstProblem = "GOMAXPROCS=" + std::to_string(turn.procs);
      if (!turn.scenarioCase.empty()) side.firstProblem += ", " + turn.scenarioCase;
      side.firstProblem += ": " + problem;
    }
    if (problem.empty() || side.asExpected == 0) {
      side.sample = std::move(run);
      side.outcome = std::move(outcome);
    }
    // A program that cannot be started will not start the next time either, and every cut off run
    // costs the whole of its time.
    if (side.broken > 0) break;
  }
  return side;
}

}  // namespace

Verdict Verify(const History& history, const Entry& entry, const Build& build,
               const VerifyOptions& options) {
  Verdict verdict;
  verdict.entry = &entry;
  verdict.unfixing = build.unfixing;
  verdict.mode = build.mode;
  const std::string what = FullName(entry.bug, build.unfixing) + " " + build.mode;
  verdict.without = RunSide(history, entry.bug, build, false, what + ", without the fix", options);
  verdict.with = RunSide(history, entry.bug, build, true, what + ", with the fix", options);
  return verdict;
}

namespace {

// With the fix: a failure that comes in the first run says little of how long to look for others.
constexpr int kLeastWithFix = 100;  // runs
constexpr double kMostWithFix = 30;  // seconds

Side ExploreSide(const std::string& program, const Task& task, bool with) {
  Side side;
  Exploration found;
  if (const std::string problem = WhyNotExplored(program); problem.empty()) {
    found = Explore(program, task);
    side.firstProblem = "the explorer broke, with status " + std::to_string(found.status);
  } else {
    side.firstProblem = problem;
    found.status = kNothingKnown;
  }
  if (found.status != kHeld && found.status != kFailed) {
    side.broken = 1;
    side.summaries["not explored"] = 1;
    return side;
  }
  side.firstProblem.clear();
  side.runs = static_cast<int>(found.runs);
  side.seconds = found.seconds;
  side.firstFailure = found.firstFailure;
  side.firstFailureAfter = found.firstFailureAfter;
  const int failed = static_cast<int>(found.failed);
  side.asExpected = with ? side.runs - failed : failed > 0 ? side.runs : 0;
  const std::string failure = found.outcome + ": " + found.said;
  side.summaries[failed > 0 ? failure : "no failure"] = failed > 0 ? failed : side.runs;
  if (with && failed > 0) side.firstProblem = failure;
  if (!with && failed == 0) side.firstProblem = "expected a failure";
  return side;
}

}  // namespace

Verdict VerifyExplored(const Entry& entry, const GeneralProgram& program,
                       const VerifyOptions& options) {
  Arguments known(program.options, "explore", ExploreOptions(), {});
  Task task = ExploreTask(&known, options.explore);
  Verdict verdict;
  verdict.entry = &entry;
  verdict.unfixing = program.unfixing;
  verdict.mode = "explore";
  if (!known.problem().empty()) {
    verdict.without.broken = 1;
    verdict.without.firstProblem = "the index: " + known.problem();
    return verdict;
  }
  // repro --mode explore is there for who wants to keep it.
  const char* folder = std::getenv("TMPDIR");
  task.trace = std::string(folder == nullptr || *folder == 0 ? "/tmp" : folder) + "/gort-verify-" +
               std::to_string(getpid()) + ".trace";
  const std::string what = FullName(entry.bug, program.unfixing) + " explore, ";
  if (options.progress) options.progress(what + "without the fix", 1, 1);
  verdict.without = ExploreSide(program.without, task, false);
  if (verdict.without.broken == 0) {
    task.runs = static_cast<std::uint64_t>(std::max(verdict.without.runs, kLeastWithFix));
    task.seconds = std::min(task.seconds, kMostWithFix);
    if (options.progress) options.progress(what + "with the fix", 1, 1);
    verdict.with = ExploreSide(program.with, task, true);
  }
  unlink(task.trace.c_str());
  return verdict;
}

std::string Verdict::Text() const {
  const bool explored = mode == "explore";
  if (Broken()) return "BROKEN, says nothing";
  if (explored && !without.Good())
    return "NOT found in " + std::to_string(without.runs) + " runs" +
           (with.Good() ? "" : ", and the fix does NOT hold");
  if (Good()) return explored ? "found, and the fix holds" : "reproduced, and the fix holds";
  if (explored) return "found, but the fix does NOT hold";
  if (!without.Good() && !with.Good()) return "NOT as history says, on both sides";
  return without.Good() ? "reproduced, but the fix does NOT hold"
                        : "NOT reproduced as history says";
}

}  // namespace gort::chaos
