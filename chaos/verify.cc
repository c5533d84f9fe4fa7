#include "chaos/verify.h"

#include "chaos/listens.h"

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

std::string Verdict::Text() const {
  if (Broken()) return "BROKEN, says nothing";
  if (Good()) return "reproduced, and the fix holds";
  if (!without.Good() && !with.Good()) return "NOT as history says, on both sides";
  return without.Good() ? "reproduced, but the fix does NOT hold"
                        : "NOT reproduced as history says";
}

}  // namespace gort::chaos
