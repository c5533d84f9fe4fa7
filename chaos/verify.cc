#include "chaos/verify.h"

namespace gort::chaos {

std::vector<std::pair<std::string, std::string>> EnvironmentOf(const History& history, int procs) {
  return {{"GOMAXPROCS", std::to_string(procs)},
          {"TSAN_OPTIONS", history.tsanOptions},
          {"GOTRACEBACK", ""},
          {"GODEBUG", ""},
          {"CHAOS", ""}};
}

Side RunSide(const History& history, const Bug& bug, const std::string& program,
             const Expectation& expectation, const std::string& what,
             const VerifyOptions& options) {
  Side side;
  for (int i = 0; i < options.runs; i++) {
    if (options.progress) options.progress(what, i + 1, options.runs);
    RunOptions runOptions;
    const int procs = bug.procs[static_cast<std::size_t>(i) % bug.procs.size()];
    runOptions.environment = EnvironmentOf(history, procs);
    runOptions.timeoutSeconds = bug.timeoutSeconds;
    RunResult run = Run({program}, runOptions);
    Outcome outcome = Classify(run);
    const std::string problem = expectation.Check(outcome, run);
    if (options.after) options.after(outcome, run, problem);

    side.runs++;
    side.seconds += run.seconds;
    side.summaries[outcome.Summary()]++;
    if (outcome.kind == Outcome::kBroken) side.broken++;
    if (problem.empty()) side.asExpected++;
    if (!problem.empty() && side.firstProblem.empty())
      side.firstProblem = "GOMAXPROCS=" + std::to_string(procs) + ": " + problem;
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

Verdict Verify(const History& history, const Entry& entry, const Build& build,
               const VerifyOptions& options) {
  Verdict verdict;
  verdict.entry = &entry;
  verdict.mode = build.mode;
  const std::string what = entry.bug.name + " " + build.mode;
  verdict.without = RunSide(history, entry.bug, build.without, entry.bug.without,
                            what + ", without the fix", options);
  verdict.with =
      RunSide(history, entry.bug, build.with, entry.bug.with, what + ", with the fix", options);
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
