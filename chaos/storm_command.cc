#include "chaos/storm_command.h"

#include <cstdio>
#include <cstdlib>
#include <map>

#include "chaos/arguments.h"
#include "chaos/listens.h"
#include "chaos/stormknobs.h"
#include "chaos/table.h"

namespace gort::chaos {

namespace {

constexpr int kDefaultRuns = 100;
constexpr int kEvidenceLines = 60;

constexpr char kHelpWords[] = "storm --help";
constexpr char kHelp[] =
    R"(chaos storm PROGRAM [OPTION...] [-- ARGUMENT...]

runs a program again and again, each time in another storm: real threads in parallel, and at some
of the runtime's points (chaos points) delays, preemption, stack moves, collections, stopped worlds
and more; threads that starve; signals. Any program with points will do:
gort_binary(..., points = True), with //chaos:from_environment among its deps, plain or tsan.

  --runs N         so many runs (default 100, or as many as --for allows)
  --for DURATION   for so long: 90s, 30m, 2h
  --seed N         seed of the first run (default 1); each run has the next one
  --focus PATTERN  only at the points that match; may be given several times
  --chaos SPEC     also inject this, in each run (docs/chaos.md has the language)
  --knobs KNOBS    what the storms are like, as in sites=50%,collect=0 (docs/chaos.md)
  --first          end with the first run that fails
  --timeout N      seconds that a run may take (default 60)
  --json           print JSON
  -v               a line for each run

GOMAXPROCS takes turns over 4, 2, 8 and 1, unless the environment sets it. A storm has a seed, but a
seed does not replay a run: which thread comes first is up to the machine.

exit status: 0 all runs held; 1 one failed; 2 wrong use; 3 a run could not be made, or was cut off and none failed.
)";

// Runs that failed in one way.
struct Failure {
  int runs = 0;
  std::uint64_t seed = 0;  // of the first
  std::string commandLine;
  std::string evidence;
};

struct Campaign {
  int runs = 0;
  int held = 0;
  int cutOff = 0;
  double seconds = 0;
  std::map<std::string, Failure> failures;  // by what happened

  int Status(bool wantsFailure) const {
    if (held + cutOff < runs) return wantsFailure ? kHeld : kFailed;
    if (cutOff > 0) return kNothingKnown;
    return wantsFailure ? kFailed : kHeld;
  }
};

std::string KnobsOf(const StormOptions& options, std::uint64_t seed) {
  std::string text = "seed=" + std::to_string(seed);
  std::string focus;
  for (const std::string& pattern : options.focus) focus += (focus.empty() ? "" : "+") + pattern;
  if (!focus.empty()) text += ",focus=" + focus;
  if (!options.knobs.empty()) text += "," + options.knobs;
  return text;
}

Environment EnvironmentOf(const StormOptions& options, std::uint64_t seed) {
  constexpr int kProcs[] = {4, 2, 8, 1};
  Environment environment = {{kStormVariable, KnobsOf(options, seed)}};
  if (!options.chaos.empty()) environment.emplace_back(kSpecVariable, options.chaos);
  if (std::getenv("GOMAXPROCS") == nullptr)
    environment.emplace_back("GOMAXPROCS", std::to_string(kProcs[seed % std::size(kProcs)]));
  return environment;
}

// What shows best why a run failed: the dump from its beginning, or the last that was written.
std::string EvidenceOf(const Outcome& outcome, const RunResult& run) {
  if (!outcome.evidence.empty()) return outcome.evidence;
  for (const char* title : {"fatal error: ", "panic: ", "SIGQUIT: quit"})
    if (run.err.find(title) != std::string::npos) return LinesFrom(run.err, title, kEvidenceLines);
  return LastLines(run.err, kEvidenceLines);
}

void Show(const StormOptions& options, const Campaign& campaign) {
  std::printf(
      "%d runs in %s, seeds %llu to %llu: %d held, %d failed", campaign.runs,
      ShowDuration(campaign.seconds).c_str(), static_cast<unsigned long long>(options.seed),
      static_cast<unsigned long long>(options.seed + static_cast<std::uint64_t>(campaign.runs) - 1),
      campaign.held, campaign.runs - campaign.held - campaign.cutOff);
  if (campaign.cutOff > 0) std::printf(", %d cut off", campaign.cutOff);
  std::printf("\n");
  if (campaign.failures.empty()) {
    std::printf("No failure was found in %d runs; that is not to say that there is none.\n",
                campaign.runs);
    return;
  }
  std::vector<std::vector<std::string>> rows = {{"failure", "runs", "first seed"}};
  for (const auto& [what, failure] : campaign.failures)
    rows.push_back({what, std::to_string(failure.runs), std::to_string(failure.seed)});
  std::printf("\n%s", Table(rows).c_str());
  for (const auto& [what, failure] : campaign.failures) {
    std::printf("\n%s\n%s\nto try that storm again (it may come out otherwise):\n  %s\n",
                what.c_str(), Indent(failure.evidence, 2).c_str(), failure.commandLine.c_str());
  }
}

void ShowJson(const StormOptions& options, const Campaign& campaign) {
  Json out;
  out.BeginObject().Key("program").String(options.subject.path);
  out.Key("runs").Number(campaign.runs).Key("held").Number(campaign.held);
  out.Key("cut_off").Number(campaign.cutOff);
  out.Key("milliseconds").Number(static_cast<long long>(campaign.seconds * 1000));
  out.Key("first_seed").String(std::to_string(options.seed));
  out.Key("failures").BeginArray();
  for (const auto& [what, failure] : campaign.failures) {
    out.BeginObject().Key("what").String(what).Key("runs").Number(failure.runs);
    out.Key("first_seed").String(std::to_string(failure.seed));
    out.Key("command").String(failure.commandLine).Key("evidence").String(failure.evidence);
    out.EndObject();
  }
  out.EndArray().Key("status").Number(campaign.Status(options.wantsFailure)).EndObject();
  std::printf("%s\n", out.text().c_str());
}

// All of it is checked here: in the program a mistake would end every run.
std::string FindMistake(const StormOptions& options) {
  for (const std::string& pattern : options.focus)
    if (auto parsed = ParseStorm("focus=" + pattern);
        const auto* error = std::get_if<SpecError>(&parsed))
      return "--focus " + pattern + ": " + error->message;
  if (auto parsed = ParseStorm(options.knobs); const auto* error = std::get_if<SpecError>(&parsed))
    return "--knobs, " + ShowSpecError(options.knobs, *error);
  if (options.chaos.empty()) return "";
  if (auto parsed = ParseSpec(options.chaos); const auto* error = std::get_if<SpecError>(&parsed))
    return "--chaos, " + ShowSpecError(options.chaos, *error);
  return "";
}

}  // namespace

int StormCommand(const StormOptions& given) {
  StormOptions options = given;
  std::string mistake = FindSubject(&options.subject);
  if (mistake.empty()) mistake = FindMistake(options);
  if (!mistake.empty()) return WrongUse(mistake, kHelpWords);
  const Outcome calm = OutcomeOf(RunSubject(options.subject, {}));
  if (calm.kind != Outcome::kExit) {
    std::fprintf(stderr, "chaos: the program fails without a storm: %s\n",
                 Complaint(calm, 0).c_str());
    return kNothingKnown;
  }
  const int limit = options.runs > 0 ? options.runs : options.seconds > 0 ? 1 << 30 : kDefaultRuns;
  ProgressLine progress;
  Campaign campaign;
  const double begin = Now();
  for (int i = 0; i < limit; i++) {
    campaign.seconds = Now() - begin;
    if (options.seconds > 0 && campaign.seconds >= options.seconds) break;
    const std::uint64_t seed = options.seed + static_cast<std::uint64_t>(i);
    progress.Show("storm: run " + std::to_string(i + 1) +
                  (limit < 1 << 30 ? " of " + std::to_string(limit) : "") + ", " +
                  ShowDuration(campaign.seconds) + ", " +
                  std::to_string(campaign.runs - campaign.held) + " failed");
    const Environment environment = EnvironmentOf(options, seed);
    const RunResult run = RunSubject(options.subject, environment);
    const Outcome outcome = OutcomeOf(run);
    const std::string complaint = Complaint(outcome, calm.status);
    campaign.runs++;
    if (options.verbose) {
      progress.Clear();
      std::fprintf(stderr, "  seed %llu, %.2f s: %s\n", static_cast<unsigned long long>(seed),
                   run.seconds, complaint.empty() ? "held" : complaint.c_str());
    }
    if (complaint.empty()) {
      campaign.held++;
      continue;
    }
    if (outcome.kind == Outcome::kBroken) campaign.cutOff++;
    Failure& failure = campaign.failures[complaint];
    if (failure.runs++ > 0) continue;
    failure.seed = seed;
    failure.commandLine = CommandLineOf(options.subject, environment);
    failure.evidence = EvidenceOf(outcome, run);
    if (options.first) break;
  }
  campaign.seconds = Now() - begin;
  progress.Clear();
  if (options.json)
    ShowJson(options, campaign);
  else
    Show(options, campaign);
  return campaign.Status(options.wantsFailure);
}

const std::vector<std::string>& StormValues() {
  static const std::vector<std::string> options = {"--runs",  "--for",   "--seed",   "--focus",
                                                   "--chaos", "--knobs", "--timeout"};
  return options;
}

StormOptions StormOptionsFrom(Arguments* a, StormOptions options) {
  options.runs = static_cast<int>(a->Number("--runs", options.runs, 1, 100000000));
  if (a->Has("--for")) options.seconds = a->Seconds("--for");
  options.seed = static_cast<std::uint64_t>(
      a->Number("--seed", static_cast<long long>(options.seed), 0, 1ll << 62));
  if (a->Has("--focus")) options.focus = a->All("--focus");
  if (a->Has("--chaos")) options.chaos = a->Last("--chaos");
  if (a->Has("--knobs")) options.knobs = a->Last("--knobs");
  options.subject.timeoutSeconds =
      static_cast<int>(a->Number("--timeout", options.subject.timeoutSeconds, 1, 86400));
  if (!a->rest().empty()) options.subject.arguments = a->rest();
  options.json |= a->Has("--json");
  options.verbose |= a->Has("-v");
  return options;
}

int StormFromArguments(const std::vector<std::string>& arguments) {
  Arguments a(arguments, "storm", StormValues(), {"--first", "--json", "-v"});
  if (a.AskForHelp(kHelp)) return kHeld;
  StormOptions options;
  options.subject = a.Program();
  options = StormOptionsFrom(&a, options);
  options.first = a.Has("--first");
  if (!a.problem().empty()) return WrongUse(a.problem(), kHelpWords);
  return StormCommand(options);
}

}  // namespace gort::chaos
