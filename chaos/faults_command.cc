#include "chaos/faults_command.h"

#include <cstdio>
#include <cstdlib>

#include "chaos/arguments.h"
#include "chaos/listens.h"
#include "chaos/table.h"

namespace gort::chaos {

namespace {

constexpr int kMostProblems = 10;  // of one loop; it ends after so many
constexpr int kEvidenceLines = 40;

constexpr char kHelpWords[] = "faults --help";
constexpr char kHelp[] =
    R"(chaos faults PROGRAM [OPTION...] [-- ARGUMENT...]

runs a program with its first allocation failing, then with its second, and so on until there is
none left to fail; each number twice: it fails once, or from there on. Two kinds of failure:

  throw   an allocation from the collected heap gives up, whatever locks its thread holds
  mmap    the system refuses memory (ENOMEM)

Each run must end as Go does, with exit status 2, one fatal error and the stacks, and must not hang
or fail again on the way; or survive, and then its heap and stacks are walked for damage. Any
program with points will do, as for storm.

  --kind KIND   throw or mmap (default both)
  --from N      begin with the N-th (default 1)
  --to N        end with the N-th (default: when the fault no longer fires)
  --step N      every N-th only (default 1)
  --timeout N   seconds that a run may take (default 60)
  --json        print JSON
  -v            a line for each run

exit status: 0 all runs ended as they should; 1 one did not; 2 wrong use; 3 a run could not be made.
)";

struct Problem {
  Fault fault;
  std::string what;
  std::string commandLine;
  std::string evidence;
};

// One kind, once or always.
struct Loop {
  Fault::Kind kind;
  bool always;
  std::int64_t runs = 0;
  std::int64_t died = 0;
  std::int64_t survived = 0;
  std::int64_t last = 0;  // the largest number that fired
  std::vector<Problem> problems;
  bool broken = false;
};

const char* KindName(Fault::Kind kind) { return kind == Fault::kThrow ? "throw" : "mmap"; }

std::size_t CountOf(const std::string& text, std::string_view what) {
  std::size_t n = 0;
  for (std::size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + 1)) n++;
  return n;
}

Environment EnvironmentOf(const Fault& fault) {
  Environment environment = {{kFaultVariable, ShowFault(fault)}};
  // The checks of heap and stacks: they cost nothing before there is a collection.
  const char* user = std::getenv("GODEBUG");
  environment.emplace_back("GODEBUG", std::string(user == nullptr || *user == 0 ? "" : user) +
                                          (user == nullptr || *user == 0 ? "" : ",") +
                                          "gccheckmark=1,heapstackcheck=1");
  // The stacks of all goroutines belong to the dump.
  environment.emplace_back("GOTRACEBACK", "all");
  return environment;
}

bool Fired(const RunResult& run) { return run.err.find(kFaultFired) != std::string::npos; }

void RunLoop(const FaultsOptions& options, int calm, ProgressLine* progress, Loop* loop) {
  for (std::int64_t n = options.from; options.to == 0 || n <= options.to; n += options.step) {
    const Fault fault{loop->kind, n, loop->always};
    progress->Show("faults: " + ShowFault(fault) + ", " + std::to_string(loop->problems.size()) +
                   " problems");
    const Environment environment = EnvironmentOf(fault);
    const RunResult run = RunSubject(options.subject, environment);
    const Outcome outcome = OutcomeOf(run);
    loop->runs++;
    if (!run.started) {
      loop->broken = true;
      return;
    }
    const std::string what = JudgeFault(fault, run, outcome, calm);
    if (options.verbose) {
      progress->Clear();
      std::fprintf(stderr, "  %s, %.2f s: %s%s%s\n", ShowFault(fault).c_str(), run.seconds,
                   outcome.Summary().c_str(), what.empty() ? "" : "; WRONG: ", what.c_str());
    }
    if (!what.empty()) {
      std::string evidence = outcome.evidence;
      if (evidence.empty()) evidence = LinesFrom(run.err, kFaultFired, kEvidenceLines);
      if (evidence.empty()) evidence = LastLines(run.err, kEvidenceLines);
      loop->problems.push_back(
          {fault, what, CommandLineOf(options.subject, environment), std::move(evidence)});
      if (loop->problems.size() >= kMostProblems) return;
    }
    if (!Fired(run)) return;
    loop->last = n;
    if (what.empty()) (outcome.kind == Outcome::kExit ? loop->survived : loop->died)++;
  }
}

int StatusOf(const std::vector<Loop>& loops) {
  int status = kHeld;
  for (const Loop& loop : loops) {
    if (!loop.problems.empty()) return kFailed;
    if (loop.broken) status = kNothingKnown;
  }
  return status;
}

void Show(const std::vector<Loop>& loops) {
  std::vector<std::vector<std::string>> rows = {
      {"fault", "fails", "runs", "last that fired", "died well", "survived", "problems"}};
  for (const Loop& loop : loops)
    rows.push_back({KindName(loop.kind), loop.always ? "from there on" : "once",
                    std::to_string(loop.runs), std::to_string(loop.last), std::to_string(loop.died),
                    std::to_string(loop.survived), std::to_string(loop.problems.size())});
  std::printf("%s", Table(rows).c_str());
  for (const Loop& loop : loops)
    for (const Problem& problem : loop.problems)
      std::printf("\n%s: %s\n%s\nto run it again:\n  %s\n", ShowFault(problem.fault).c_str(),
                  problem.what.c_str(), Indent(problem.evidence, 2).c_str(),
                  problem.commandLine.c_str());
}

void ShowJson(const FaultsOptions& options, const std::vector<Loop>& loops) {
  Json out;
  out.BeginObject().Key("program").String(options.subject.path).Key("loops").BeginArray();
  for (const Loop& loop : loops) {
    out.BeginObject().Key("fault").String(KindName(loop.kind)).Key("always").Bool(loop.always);
    out.Key("runs").Number(loop.runs).Key("last").Number(loop.last);
    out.Key("died").Number(loop.died).Key("survived").Number(loop.survived);
    out.Key("problems").BeginArray();
    for (const Problem& problem : loop.problems) {
      out.BeginObject().Key("fault").String(ShowFault(problem.fault));
      out.Key("what").String(problem.what).Key("command").String(problem.commandLine);
      out.Key("evidence").String(problem.evidence).EndObject();
    }
    out.EndArray().EndObject();
  }
  out.EndArray().Key("status").Number(StatusOf(loops)).EndObject();
  std::printf("%s\n", out.text().c_str());
}

}  // namespace

std::string JudgeFault(const Fault& fault, const RunResult& run, const Outcome& outcome, int calm) {
  if (run.cutOff) return "it hangs";
  if (!Fired(run)) {
    const std::string complaint = Complaint(outcome, calm);
    return complaint.empty() ? "" : "without the fault: " + complaint;
  }
  if (outcome.kind == Outcome::kExit)
    return outcome.status == calm ? "" : "it survives with " + outcome.Summary();
  if (outcome.kind != Outcome::kThrow) return outcome.Summary();
  if (run.status != 2) return "it dies with " + outcome.Summary() + " instead of 2";
  // The texts of all throws for want of memory.
  const bool expected = fault.kind == Fault::kThrow
                            ? outcome.text == kFaultThrow
                            : outcome.text.find("memory") != std::string::npos ||
                                  outcome.text.starts_with("runtime: cannot ");
  if (!expected) return "another failure: " + outcome.text;
  for (const char* second : {"panic during panic", "stack trace unavailable", "[signal "})
    if (run.err.find(second) != std::string::npos)
      return std::string("a second failure: ") + second;
  if (!fault.always && CountOf(run.err, "fatal error: ") != 1) return "two fatal errors";
  if (run.err.find("\nruntime stack:\n") == std::string::npos &&
      run.err.find("\ngoroutine ") == std::string::npos)
    return "it dies without a dump";
  return "";
}

int FaultsCommand(const FaultsOptions& given) {
  FaultsOptions options = given;
  if (const std::string mistake = FindSubject(&options.subject); !mistake.empty())
    return WrongUse(mistake, kHelpWords);
  const Outcome calm = OutcomeOf(RunSubject(options.subject, {}));
  if (calm.kind != Outcome::kExit) {
    std::fprintf(stderr, "chaos: the program fails without a fault: %s\n",
                 Complaint(calm, 0).c_str());
    return kNothingKnown;
  }
  ProgressLine progress;
  std::vector<Loop> loops;
  for (const Fault::Kind kind : options.kinds)
    for (const bool always : {false, true}) {
      loops.push_back({.kind = kind, .always = always, .problems = {}});
      RunLoop(options, calm.status, &progress, &loops.back());
    }
  progress.Clear();
  if (options.json)
    ShowJson(options, loops);
  else
    Show(loops);
  return StatusOf(loops);
}

int FaultsFromArguments(const std::vector<std::string>& arguments) {
  Arguments a(arguments, "faults", {"--kind", "--from", "--to", "--step", "--timeout"},
              {"--json", "-v"});
  if (a.AskForHelp(kHelp)) return kHeld;
  FaultsOptions options;
  options.from = a.Number("--from", 1, 1, 1ll << 40);
  options.to = a.Number("--to", 0, 1, 1ll << 40);
  options.step = a.Number("--step", 1, 1, 1ll << 40);
  options.json = a.Has("--json");
  options.verbose = a.Has("-v");
  options.subject = a.Program();
  std::string problem = a.problem();
  if (const std::string kind = a.Last("--kind"); a.Has("--kind")) {
    if (kind == "throw")
      options.kinds = {Fault::kThrow};
    else if (kind == "mmap")
      options.kinds = {Fault::kMmap};
    else if (problem.empty())
      problem = "--kind wants throw or mmap, not \"" + kind + "\"";
  }
  if (!problem.empty()) return WrongUse(problem, kHelpWords);
  return FaultsCommand(options);
}

}  // namespace gort::chaos
