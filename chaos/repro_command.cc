#include "chaos/repro_command.h"

#include <algorithm>
#include <cstdio>
#include <filesystem>

#include "chaos/explore_command.h"
#include "chaos/mode.h"
#include "chaos/program.h"
#include "chaos/selection.h"
#include "chaos/storm_command.h"
#include "chaos/table.h"
#include "chaos/verify.h"

namespace gort::chaos {

namespace {

// For storms and the explorer, if nothing else limits them.
constexpr double kDefaultSeconds = 600;

constexpr char kHelpWords[] = "repro --help";
constexpr char kHelp[] =
    R"(chaos repro BUG [OPTION...]

makes one bug fail, in the runtime without its fix, and shows how.

  --mode script     (default) once, by the bug's own scenario, which brings the runtime to where the
                    bug bites; all that it prints is shown
  --mode storm      a general program in storms of injections, on real threads, until it fails
  --mode explore    a general program in many orders, one thread at a time, until it fails; the trace
                    of that run is written, to be replayed, made small and drawn

script:
  --build BUILD     plain (default) or tsan; --mode plain and --mode tsan say the same
storm and explore:
  --runs N          so many runs at most
  --for DURATION    for so long at most: 90s, 30m, 2h (default 10m, if there is no --runs)
  --seed N          seed of the first run (default 1); each run has the next one
storm, as for chaos storm:
  --focus PATTERN, --chaos SPEC, --knobs KNOBS
                    what the storms are like; without any of them, as it is known to show the bug
  --timeout N       seconds that a run may take
explore, as for chaos explore:
  --strategy NAME, --inject P, --limit N, --focus PATTERN
  --trace FILE      where the trace goes (default BUG.trace in the current folder)
all:
  --json            print JSON
  -v                storm: a line for each run

A BUG is a commit of the fix in Go's repository; its first four digits or more will do. A fix that
mends several failures is taken back in several ways: BUG/NAME is one of them, list has the names.

exit status: 0 it is reproduced; 1 it is not; 2 wrong use; 3 a run could not be made or was cut off.
)";

// A bug, and the one way in which its fix is taken back.
struct Target {
  const Bug* bug = nullptr;
  const Entry* entry = nullptr;
  std::string unfixing;

  std::string Name() const { return FullName(*bug, unfixing); }
};

// The program among those of this kind; null, and said, if there is none.
template <class Program>
const Program* Find(const std::vector<Program>& programs, const Target& target,
                    const std::string& mode) {
  for (const Program& program : programs)
    if (program.unfixing == target.unfixing) return &program;
  std::fprintf(stderr, "chaos: %s is not built for mode %s\n", target.Name().c_str(), mode.c_str());
  return nullptr;
}

int ReproScript(const History& history, const Target& target, const std::string& mode,
                bool asJson) {
  std::vector<Build> builds = target.entry->builds;
  std::erase_if(builds, [&](const Build& build) { return build.mode != mode; });
  const Build* build = Find(builds, target, mode);
  if (build == nullptr) return kNothingKnown;
  const Bug& bug = *target.bug;
  // The largest GOMAXPROCS, and the first case.
  const std::vector<int>& procs = bug.Procs(build->unfixing, mode);
  const Turn turn{procs.back(), bug.cases.empty() ? "" : bug.cases.front()};
  RunOptions options;
  options.environment = EnvironmentOf(history, turn.procs);
  options.timeoutSeconds = bug.timeoutSeconds;
  options.echo = true;
  const RunResult run = Run(ArgumentsOf(build->without, turn), options);
  const Outcome outcome = Classify(run);
  const std::string problem = bug.Expected(false, build->unfixing, mode).Check(outcome, run);
  if (asJson) {
    Json out;
    out.BeginObject().Key("bug").String(target.Name()).Key("mode").String("script");
    out.Key("build").String(mode).Key("reproduced").Bool(problem.empty());
    out.Key("outcome").String(outcome.Summary()).Key("problem").String(problem);
    out.Key("evidence").String(outcome.evidence).EndObject();
    std::printf("%s\n", out.text().c_str());
  } else {
    std::printf("\n%s without the fix, mode %s: %s\n", target.Name().c_str(), mode.c_str(),
                outcome.Summary().c_str());
    if (!problem.empty() && outcome.kind != Outcome::kBroken)
      std::printf("NOT what history says: %s\n", problem.c_str());
  }
  if (outcome.kind == Outcome::kBroken) return kNothingKnown;
  return problem.empty() ? kHeld : kFailed;
}

int ReproStorm(const Target& target, Arguments* line) {
  const GeneralProgram* program = Find(target.entry->stormed, target, "storm");
  if (program == nullptr) return kNothingKnown;
  StormOptions options;
  // What the user says about the storms' kind stands in place of all that the index says.
  if (!line->Has("--focus") && !line->Has("--chaos") && !line->Has("--knobs")) {
    Arguments known(program->options, "storm", StormValues(), {});
    options = StormOptionsFrom(&known, options);
    if (!known.problem().empty()) return WrongUse("the index: " + known.problem(), kHelpWords);
  }
  if (!line->Has("--runs") && !line->Has("--for")) options.seconds = kDefaultSeconds;
  options = StormOptionsFrom(line, options);
  if (!line->problem().empty()) return WrongUse(line->problem(), kHelpWords);
  options.subject.path = std::filesystem::absolute(program->without).string();
  options.first = options.wantsFailure = true;
  const int status = StormCommand(options);
  if (!options.json && (status == kHeld || status == kFailed))
    std::printf("\n%s without the fix, mode storm: %s\n", target.Name().c_str(),
                status == kHeld ? "reproduced" : "NOT reproduced");
  return status;
}

void ShowExploration(const Target& target, const Exploration& found) {
  std::printf("\n%s without the fix, mode explore: ", target.Name().c_str());
  if (found.status == kHeld) {
    std::printf("NOT reproduced, no failure found in %lld runs, %s\n", found.runs,
                ShowDuration(found.seconds).c_str());
    return;
  }
  std::printf("reproduced, in run %lld, after %s\n%s: %s\n", found.firstFailure,
              ShowDuration(found.firstFailureAfter).c_str(), found.outcome.c_str(),
              found.said.c_str());
  if (found.trace.empty()) return;
  const std::string trace = ShellWord(found.trace);
  std::printf(
      "the trace is in %s\n"
      "to see it again:   ./bazelw run //chaos -- replay -v %s\n"
      "to make it small:  ./bazelw run //chaos -- shrink %s\n"
      "to draw it:        ./bazelw run //chaos -- report %s\n",
      found.trace.c_str(), trace.c_str(), trace.c_str(), trace.c_str());
}

void ShowExplorationAsJson(const Target& target, const Exploration& found) {
  Json out;
  out.BeginObject().Key("bug").String(target.Name()).Key("mode").String("explore");
  out.Key("reproduced").Bool(found.status == kFailed).Key("runs").Number(found.runs);
  out.Key("seconds").Real(found.seconds).Key("first_failure_run").Number(found.firstFailure);
  out.Key("first_failure_seconds").Real(found.firstFailureAfter);
  out.Key("outcome").String(found.outcome).Key("said").String(found.said);
  out.Key("trace").String(found.trace).EndObject();
  std::printf("%s\n", out.text().c_str());
}

int ReproExplore(const Target& target, Arguments* line) {
  const GeneralProgram* program = Find(target.entry->explored, target, "explore");
  if (program == nullptr) return kNothingKnown;
  Arguments known(program->options, "explore", ExploreOptions(), {});
  Task task = ExploreTask(&known);
  if (!known.problem().empty()) return WrongUse("the index: " + known.problem(), kHelpWords);
  if (!line->Has("--runs")) {
    task.seconds = kDefaultSeconds;
    task.runs = 1'000'000'000;
  }
  task = ExploreTask(line, task);
  if (!line->problem().empty()) return WrongUse(line->problem(), kHelpWords);
  std::string trace = line->Last("--trace");
  if (trace.empty()) {
    trace = target.Name() + ".trace";
    std::replace(trace.begin(), trace.end(), '/', '-');
  }
  task.trace = Resolved(trace);
  if (const std::string problem = WhyNotWritten(task.trace); !problem.empty())
    return WrongUse(problem, kHelpWords);
  if (const std::string problem = WhyNotExplored(program->without); !problem.empty()) {
    std::fprintf(stderr, "chaos: %s\n", problem.c_str());
    return kNothingKnown;
  }
  Exploration found = Explore(program->without, task);
  if (found.status != kHeld && found.status != kFailed) return kNothingKnown;
  const bool asJson = line->Has("--json");
  if (found.status == kFailed && !found.trace.empty() && !asJson) {
    // What the run printed, and the proof that the trace has it.
    task.command = Task::kReplay;
    task.trace = found.trace;
    task.echo = true;
    ExploreProcess(program->without, task, {});
    // As the user calls it, unless it had to be written elsewhere.
    if (found.trace == Resolved(trace)) found.trace = trace;
  }
  asJson ? ShowExplorationAsJson(target, found) : ShowExploration(target, found);
  return found.status == kFailed ? kHeld : kFailed;
}

}  // namespace

int ReproFromArguments(const std::string& argv0, const std::vector<std::string>& arguments) {
  std::vector<std::string> values = {"--mode", "--build", "--trace"};
  const std::vector<std::string>& stormed = StormValues();
  std::vector<std::string> explored = ExploreOptions();
  explored.emplace_back("--trace");
  values.insert(values.end(), stormed.begin(), stormed.end());
  values.insert(values.end(), explored.begin(), explored.end());
  Arguments line(arguments, "repro", values, {"--json", "-v"});
  if (line.AskForHelp(kHelp)) return kHeld;
  const Mode mode = ModeFrom(&line, {"script", "storm", "explore"});
  CheckOptions(&line, mode, {{"script", {"--build"}}, {"storm", stormed}, {"explore", explored}});
  if (mode.build == "all") line.Fail("repro wants one build, plain or tsan");
  if (line.names().size() != 1) line.Fail("repro wants one bug");
  if (!line.problem().empty()) return WrongUse(line.problem(), kHelpWords);

  const History history = OpenHistory(argv0);
  const auto selected = FindBug(history, line.names()[0]);
  if (const auto* problem = std::get_if<std::string>(&selected))
    return WrongUse(*problem, kHelpWords);
  const Selection& selection = std::get<Selection>(selected);
  const Bug& bug = selection.entry->bug;
  const std::vector<std::string> unfixings = bug.Unfixings();
  if (selection.unfixing.empty() && unfixings.size() > 1) {
    std::string names;
    for (const std::string& unfixing : unfixings) names += " " + FullName(bug, unfixing);
    return WrongUse("repro wants one way to take the fix back:" + names, kHelpWords);
  }
  const Target target{&bug, selection.entry,
                      selection.unfixing.empty() ? unfixings.front() : selection.unfixing};
  if (mode.mode == "storm") return ReproStorm(target, &line);
  if (mode.mode == "explore") return ReproExplore(target, &line);
  return ReproScript(history, target, mode.build.empty() ? "plain" : mode.build,
                     line.Has("--json"));
}

}  // namespace gort::chaos
