#include "chaos/verify_command.h"

#include <cstdio>

#include "chaos/explore_command.h"
#include "chaos/mode.h"
#include "chaos/report.h"
#include "chaos/selection.h"
#include "chaos/verify.h"

namespace gort::chaos {

namespace {

constexpr int kDefaultRuns = 8;
constexpr double kExploreSeconds = 60;

constexpr char kHelpWords[] = "verify --help";
constexpr char kHelp[] =
    R"(chaos verify [BUG...] [OPTION...]

makes each bug fail without its fix, and shows that it holds with it; all bugs if none is named. It
prints a table, and the evidence below.

  --mode script     (default) the bug's own scenario, which brings the runtime to where the bug bites:
                    without the fix every run must fail in the way history says, with it none
  --mode explore    a general program, which knows nothing of the bug: the explorer must find a failure
                    without the fix, and none with it in as many runs (100 at least, 30 s at most)
  --mode all        both
  --build BUILD     script: plain, tsan (under ThreadSanitizer) or all (default); --mode plain and
                    --mode tsan say the same
  --runs N          script: run each program N times (default 8), over several values of GOMAXPROCS;
                    explore: N runs at most
  --for DURATION    explore: look for so long (default 60s) before giving up
  --seed N          explore: seed of the first run (default 1)
  --strategy NAME   explore: as for chaos explore
  --json            print JSON
  -v                script: a line for each run, and all of the evidence

A BUG is a commit of the fix in Go's repository; its first four digits or more will do. A fix that
mends several failures is taken back in several ways: BUG/NAME is one of them, list has the names.

exit status: 0 every bug fails without its fix and holds with it; 1 one does not, or was not found;
2 wrong use; 3 a run could not be made or was cut off, so that nothing is known.
)";

std::vector<Verdict> VerifyAll(const History& history, const std::vector<Selection>& selections,
                               const Mode& mode, const VerifyOptions& options) {
  std::vector<Verdict> verdicts;
  for (const Selection& selection : selections) {
    for (const Build& build : selection.entry->builds)
      if (mode.Has("script") && selection.Has(build.unfixing) && mode.HasBuild(build.mode))
        verdicts.push_back(Verify(history, *selection.entry, build, options));
    for (const GeneralProgram& program : selection.entry->explored)
      if (mode.Has("explore") && selection.Has(program.unfixing))
        verdicts.push_back(VerifyExplored(*selection.entry, program, options));
  }
  return verdicts;
}

}  // namespace

int VerifyFromArguments(const std::string& argv0, const std::vector<std::string>& arguments) {
  Arguments line(arguments, "verify",
                 {"--mode", "--build", "--runs", "--for", "--seed", "--strategy"},
                 {"--json", "-v"});
  if (line.AskForHelp(kHelp)) return kHeld;
  const Mode mode = ModeFrom(&line, {"script", "explore", "all"});
  CheckOptions(&line, mode,
               {{"script", {"--build"}}, {"explore", {"--for", "--seed", "--strategy"}}});
  VerifyOptions options;
  options.runs = static_cast<int>(line.Number("--runs", kDefaultRuns, 1, 1000000));
  options.explore.seconds = kExploreSeconds;
  options.explore.runs = 1'000'000'000;
  options.explore = ExploreTask(&line, options.explore);
  if (!line.problem().empty()) return WrongUse(line.problem(), kHelpWords);

  const History history = OpenHistory(argv0);
  std::vector<Selection> selections;
  for (const std::string& name : line.names()) {
    const auto found = FindBug(history, name);
    if (const auto* problem = std::get_if<std::string>(&found))
      return WrongUse(*problem, kHelpWords);
    selections.push_back(std::get<Selection>(found));
  }
  if (line.names().empty())
    for (const Entry& entry : history.entries) selections.push_back({&entry, ""});

  ProgressLine progress;
  options.progress = [&](const std::string& what, int run, int runs) {
    progress.Show(what + (runs > 1 ? ": run " + std::to_string(run) + " of " + std::to_string(runs)
                                   : std::string()));
  };
  if (line.Has("-v")) {
    options.after = [&](const Outcome& outcome, const RunResult& run, const std::string& problem) {
      progress.Clear();
      std::fprintf(stderr, "  %.2f s: %s%s%s\n", run.seconds, outcome.Summary().c_str(),
                   problem.empty() ? "" : "; WRONG: ", problem.c_str());
    };
  }
  const std::vector<Verdict> verdicts = VerifyAll(history, selections, mode, options);
  progress.Clear();
  if (verdicts.empty()) {
    std::fprintf(stderr, "chaos: there is nothing to verify\n");
    return kNothingKnown;
  }

  int status = kHeld;
  for (const Verdict& verdict : verdicts) {
    if (verdict.Broken()) status = kNothingKnown;
    if (!verdict.Good() && status == kHeld) status = kFailed;
  }
  std::printf("%s", line.Has("--json") ? VerdictsAsJson(verdicts, status).c_str()
                                       : ShowVerdicts(verdicts, line.Has("-v")).c_str());
  return status;
}

}  // namespace gort::chaos
