// The tool: ./bazelw run //chaos -- COMMAND. docs/chaos.md tells what it is good for.

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "chaos/bug.h"
#include "chaos/explore_command.h"
#include "chaos/faults_command.h"
#include "chaos/nearest.h"
#include "chaos/points.h"
#include "chaos/report.h"
#include "chaos/storm_command.h"
#include "chaos/table.h"
#include "chaos/verify.h"

namespace gort::chaos {

namespace {

// What the tool's exit status means.
constexpr int kGood = 0;    // every bug fails without its fix and holds with it
constexpr int kBad = 1;     // at least one does not
constexpr int kUsage = 2;   // the command line is wrong
constexpr int kBroken = 3;  // a run could not be made or was cut off: nothing is known

constexpr char kHelp[] =
    R"(chaos puts bugs of the Go runtime's history back into gort and makes them fail on demand.

  ./bazelw run //chaos -- COMMAND [BUG...] [OPTION...]

commands:
  list             the bugs that can be put back
  verify [BUG...]  run each bug's scenario against the runtime without the fix, where it must fail
                   the way history says, and against the runtime as it is, where it must hold;
                   all bugs if none is named
  repro BUG        run the scenario without the fix once and show all that it prints
  points           the places in the runtime where something can be injected
  storm PROGRAM    run a program in storms of injections, on real threads
  faults PROGRAM   make each of a program's allocations fail in turn
  explore PROGRAM  run a program in many orders, one thread at a time
  replay TRACE     run it again as it was when it failed
  shrink TRACE     take out of that run what the failure does not need
  report TRACE     draw it, for a browser
  help             this text

storm, faults, explore, replay, shrink and report have options of their own: COMMAND --help.

options:
  --runs N         verify: run each program N times (default 8), over several values of GOMAXPROCS
  --mode MODE      plain, tsan (under ThreadSanitizer) or all (verify only); default all for verify,
                   plain for repro
  --json           list, points, verify: print JSON
  -v               verify: one line for each run, and all of the evidence

A BUG is a commit of the fix in Go's repository; its first four digits or more will do. A fix that
mends several failures is taken back in several ways: BUG/NAME is one of them, list has the names.

exit status: 0 every bug fails without its fix and holds with it; 1 one does not; 2 wrong use;
3 a run could not be made or was cut off, so that nothing is known.

Begin with:  ./bazelw run //chaos -- verify
)";

const std::vector<std::string> kCommands = {"list",   "verify", "repro",   "points",
                                            "storm",  "faults", "explore", "replay",
                                            "shrink", "report", "help"};
const std::vector<std::string> kOptions = {"--runs", "--mode", "--json", "-v", "--help"};

struct CommandLine {
  std::string command;
  std::vector<std::string> bugs;
  int runs = 8;
  std::string mode;  // "" if not given
  bool json = false;
  bool verbose = false;
};

[[noreturn]] void WrongUse(const std::string& message) {
  std::fprintf(stderr, "chaos: %s\nTry: ./bazelw run //chaos -- help\n", message.c_str());
  std::exit(kUsage);
}

int ParseRuns(const std::string& text) {
  char* end;
  const long n = std::strtol(text.c_str(), &end, 10);
  if (text.empty() || *end != 0 || n < 1 || n > 1000000)
    WrongUse("--runs wants a number from 1 to 1000000, not \"" + text + "\"");
  return static_cast<int>(n);
}

CommandLine ParseCommandLine(const std::vector<std::string>& arguments) {
  CommandLine line;
  for (std::size_t i = 0; i < arguments.size(); i++) {
    std::string argument = arguments[i];
    std::string value;
    const std::size_t equals = argument.find('=');
    const bool hasValue = argument.starts_with("--") && equals != std::string::npos;
    if (hasValue) {
      value = argument.substr(equals + 1);
      argument.resize(equals);
    }
    if (argument == "--runs" || argument == "--mode") {
      if (!hasValue) {
        if (i + 1 == arguments.size()) WrongUse(argument + " wants a value");
        value = arguments[++i];
      }
      if (argument == "--runs") {
        line.runs = ParseRuns(value);
      } else {
        if (value != "plain" && value != "tsan" && value != "all")
          WrongUse("--mode wants plain, tsan or all, not \"" + value + "\"");
        line.mode = value;
      }
    } else if (hasValue) {
      WrongUse("unknown option or one that wants no value: " + arguments[i]);
    } else if (argument == "--json") {
      line.json = true;
    } else if (argument == "-v") {
      line.verbose = true;
    } else if (argument == "--help" || argument == "-h") {
      line.command = "help";
      return line;
    } else if (argument.starts_with("-")) {
      WrongUse("unknown option " + argument + DidYouMean(argument, kOptions));
    } else if (line.command.empty()) {
      line.command = argument;
    } else {
      line.bugs.push_back(argument);
    }
  }
  return line;
}

// The directory below which the index and the programs lie, with a slash at the end: this program's
// runfiles, from wherever it is called, or where a test or `bazel run` starts it.
std::string RunfilesRoot(const char* argv0, const std::string& index) {
  std::vector<std::string> candidates;
  candidates.push_back(std::string(argv0) + ".runfiles/gort/");
  if (const char* dir = std::getenv("TEST_SRCDIR"))
    candidates.push_back(std::string(dir) + "/gort/");
  candidates.emplace_back("");
  for (const std::string& root : candidates)
    if (access((root + index).c_str(), R_OK) == 0) return root.empty() ? "./" : root;
  return "./";
}

History Load(const char* argv0) {
  const std::string index = "tests/history/index.txt";
  auto loaded = LoadHistory(RunfilesRoot(argv0, index), index);
  if (const auto* problem = std::get_if<std::string>(&loaded)) {
    std::fprintf(stderr, "chaos: %s\nRun it by ./bazelw run //chaos\n", problem->c_str());
    std::exit(kBroken);
  }
  return std::move(std::get<History>(loaded));
}

// What a name on the command line stands for.
struct Selection {
  const Entry* entry;
  std::string unfixing;  // "" for all that the bug has
};

Selection FindBug(const History& history, const std::string& name) {
  const std::size_t slash = name.find('/');
  Selection found{history.Find(std::string_view(name).substr(0, slash)), ""};
  if (found.entry == nullptr) {
    WrongUse("unknown bug " + name + DidYouMean(name, history.Names()) +
             "\nThe bugs there are: ./bazelw run //chaos -- list");
  }
  if (slash == std::string::npos) return found;
  found.unfixing = name.substr(slash + 1);
  const std::vector<std::string> known = found.entry->bug.Unfixings();
  if (std::find(known.begin(), known.end(), found.unfixing) == known.end())
    WrongUse("unknown bug " + name + DidYouMean(found.unfixing, known) +
             "\nThe bugs there are: ./bazelw run //chaos -- list");
  return found;
}

bool Selects(const Selection& selection, const Build& build) {
  return selection.unfixing.empty() || selection.unfixing == build.unfixing;
}

int List(const History& history, bool json) {
  if (json) {
    Json out;
    out.BeginArray();
    for (const Entry& entry : history.entries) {
      const Bug& bug = entry.bug;
      out.BeginObject();
      out.Key("bug").String(bug.name).Key("commit").String(bug.commit);
      out.Key("subject").String(bug.subject).Key("date").String(bug.date);
      out.Key("issue").String(bug.issue).Key("unfixings").BeginArray();
      for (const std::string& unfixing : bug.Unfixings()) out.String(unfixing);
      out.EndArray().EndObject();
    }
    std::printf("%s\n", out.EndArray().text().c_str());
    return kGood;
  }
  std::vector<std::vector<std::string>> rows = {{"bug", "fixed", "without the fix", "subject"}};
  for (const Entry& entry : history.entries)
    for (const std::string& unfixing : entry.bug.Unfixings())
      rows.push_back({FullName(entry.bug, unfixing), entry.bug.date,
                      entry.bug.Expected(false, unfixing, "plain").outcome, entry.bug.subject});
  std::printf("%s", Table(rows).c_str());
  return kGood;
}

int Points(bool json) {
  if (json) {
    Json out;
    out.BeginArray();
    for (const PointInfo& point : AllPoints()) {
      out.BeginObject().Key("name").String(point.name).Key("file").String(point.file);
      out.Key("meaning").String(point.meaning).EndObject();
    }
    std::printf("%s\n", out.EndArray().text().c_str());
    return kGood;
  }
  std::vector<std::vector<std::string>> rows = {{"point", "file", "what holds there"}};
  for (const PointInfo& point : AllPoints())
    rows.push_back({point.name, point.file, point.meaning});
  std::printf("%s", Table(rows).c_str());
  return kGood;
}

// Says what is running: one line that is written anew on a terminal, else a line for each program.
class Progress {
 public:
  void Show(const std::string& what, int run, int runs) {
    if (terminal_) {
      std::fprintf(stderr, "\r\033[K%s: run %d of %d", what.c_str(), run, runs);
    } else if (run == 1) {
      std::fprintf(stderr, "%s: %d runs\n", what.c_str(), runs);
    }
    std::fflush(stderr);
  }
  void Clear() {
    if (terminal_) std::fprintf(stderr, "\r\033[K");
  }

 private:
  const bool terminal_ = isatty(STDERR_FILENO) != 0;
};

int VerifyBugs(const History& history, const CommandLine& line) {
  std::vector<Selection> selections;
  selections.reserve(line.bugs.size());
  for (const std::string& name : line.bugs) selections.push_back(FindBug(history, name));
  if (line.bugs.empty())
    for (const Entry& entry : history.entries) selections.push_back({&entry, ""});
  if (selections.empty()) {
    std::fprintf(stderr, "chaos: there is no bug to verify\n");
    return kBroken;
  }

  Progress progress;
  VerifyOptions options;
  options.runs = line.runs;
  options.progress = [&](const std::string& what, int run, int runs) {
    progress.Show(what, run, runs);
  };
  if (line.verbose) {
    options.after = [&](const Outcome& outcome, const RunResult& run, const std::string& problem) {
      progress.Clear();
      std::fprintf(stderr, "  %.2f s: %s%s%s\n", run.seconds, outcome.Summary().c_str(),
                   problem.empty() ? "" : "; WRONG: ", problem.c_str());
    };
  }
  std::vector<Verdict> verdicts;
  for (const Selection& selection : selections)
    for (const Build& build : selection.entry->builds)
      if (Selects(selection, build) &&
          (line.mode.empty() || line.mode == "all" || line.mode == build.mode))
        verdicts.push_back(Verify(history, *selection.entry, build, options));
  progress.Clear();

  int status = verdicts.empty() ? kBroken : kGood;
  for (const Verdict& verdict : verdicts) {
    if (verdict.Broken()) status = kBroken;
    if (!verdict.Good() && status == kGood) status = kBad;
  }
  std::printf("%s", line.json ? VerdictsAsJson(verdicts, status).c_str()
                              : ShowVerdicts(verdicts, line.verbose).c_str());
  return status;
}

int Repro(const History& history, const CommandLine& line) {
  if (line.bugs.size() != 1) WrongUse("repro wants one bug");
  if (line.mode == "all") WrongUse("repro wants one mode, plain or tsan");
  const Selection selection = FindBug(history, line.bugs[0]);
  const Bug& bug = selection.entry->bug;
  const std::vector<std::string> unfixings = bug.Unfixings();
  if (selection.unfixing.empty() && unfixings.size() > 1) {
    std::string names;
    for (const std::string& unfixing : unfixings) names += " " + FullName(bug, unfixing);
    WrongUse("repro wants one way to take the fix back:" + names);
  }
  const std::string mode = line.mode.empty() ? "plain" : line.mode;
  for (const Build& build : selection.entry->builds) {
    if (!Selects(selection, build) || build.mode != mode) continue;
    // The largest GOMAXPROCS, and the first case.
    const std::vector<int>& procs = bug.Procs(build.unfixing, mode);
    const Turn turn{procs.back(), bug.cases.empty() ? "" : bug.cases.front()};
    RunOptions options;
    options.environment = EnvironmentOf(history, turn.procs);
    options.timeoutSeconds = bug.timeoutSeconds;
    options.echo = true;
    const RunResult run = Run(ArgumentsOf(build.without, turn), options);
    const Outcome outcome = Classify(run);
    const std::string problem = bug.Expected(false, build.unfixing, mode).Check(outcome, run);
    std::printf("\n%s without the fix, mode %s: %s\n", FullName(bug, build.unfixing).c_str(),
                mode.c_str(), outcome.Summary().c_str());
    if (outcome.kind == Outcome::kBroken) return kBroken;
    if (problem.empty()) return kGood;
    std::printf("NOT what history says: %s\n", problem.c_str());
    return kBad;
  }
  std::fprintf(stderr, "chaos: %s is not built in mode %s\n", bug.name.c_str(), mode.c_str());
  return kBroken;
}

int Main(const char* argv0, const std::vector<std::string>& arguments) {
  if (!arguments.empty()) {
    const std::vector<std::string> rest(arguments.begin() + 1, arguments.end());
    const std::string& command = arguments[0];
    if (command == "storm") return StormFromArguments(rest);
    if (command == "faults") return FaultsFromArguments(rest);
    if (command == "explore" || command == "replay" || command == "shrink" || command == "report")
      return ExploreFromArguments(command, rest);
  }
  const CommandLine line = ParseCommandLine(arguments);
  if (line.command.empty()) {
    std::fprintf(stderr, "%s", kHelp);
    return kUsage;
  }
  if (line.command == "help") {
    std::printf("%s", kHelp);
    return kGood;
  }
  if (std::find(kCommands.begin(), kCommands.end(), line.command) == kCommands.end()) {
    std::string known;
    for (const std::string& command : kCommands) known += " " + command;
    WrongUse("unknown command " + line.command + DidYouMean(line.command, kCommands) +
             "\nThe commands there are:" + known);
  }
  if ((line.command == "list" || line.command == "points") && !line.bugs.empty())
    WrongUse(line.command + " takes no name");
  if (line.command == "points") return Points(line.json);
  const History history = Load(argv0);
  if (line.command == "list") return List(history, line.json);
  if (line.command == "repro") return Repro(history, line);
  return VerifyBugs(history, line);
}

}  // namespace

}  // namespace gort::chaos

int main(int argc, char** argv) {
  return gort::chaos::Main(argv[0], std::vector<std::string>(argv + 1, argv + argc));
}
