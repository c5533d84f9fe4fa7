#include "chaos/explore_command.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <nlohmann/json.hpp>

#include "chaos/exit_status.h"
#include "chaos/points.h"
#include "chaos/program.h"
#include "chaos/report_command.h"
#include "chaos/table.h"
#include "chaos/wholefile.h"

namespace gort::chaos {

namespace {

constexpr char kHelpWords[] = "explore --help";
constexpr char kHelp[] =
    R"(chaos explore PROGRAM [OPTION...] [-- ARGUMENT...]
chaos replay  TRACE   [OPTION...] [-- ARGUMENT...]
chaos shrink  TRACE   [OPTION...] [-- ARGUMENT...]
chaos report  TRACE   [OPTION...] [-- ARGUMENT...]

explore runs a program again and again, one thread at a time, each time in another order of all that
its threads do; when a run fails it writes the run's trace. replay does the same run again. shrink
takes out of a trace what the failure does not need. report draws it as a page for a browser;
it also takes a file that replay --events has written. Any
program will do: gort_binary(..., mode = "explore").

explore:
  --runs N           so many runs (default 100, or as many as --for allows)
  --for DURATION     for so long: 90s, 30m, 2h
  --seed N           seed of the first run (default 1); each run has the next one
  --strategy NAME    random, burst, pct:DEPTH, starve, sites, or mix (if none is named): all of them in
                     turn; default decides nothing; bounded:BOUND makes all runs with at most so many preemptions. pct:DEPTH@points
                     switches at named points only, pct:DEPTH@memory also before ordinary loads and
                     stores; burst, starve and sites likewise
  --focus PATTERN    preempt threads only at the points that match (chaos points); several times
  --inject P         with probability P at each named point, move the goroutine's stack, preempt it or
                     signal it; in a quarter of the runs one allocation fails (default 0)
  --limit N          steps after which a run is cut off as a livelock (default: 40 times the longest run
                     that held, and more if some take long)
  --trace FILE       where the trace goes (default PROGRAM.trace in the current folder)
  --all              do not stop at the first failure
replay:
  --times N          so many times (default 1)
  --events FILE      write what happens, for report
  --gdb              run it in this process, under gdb
shrink:
  --output FILE      where the small trace goes (default TRACE.small)
  --for DURATION     try for so long at most (default 60s)
report:
  --output FILE      the page (default TRACE.html, for a file of events .html in place of its ending)
  --chrome FILE      also a trace for chrome://tracing or Perfetto
all:
  --program PROGRAM  replay, shrink, report: instead of the one that the trace names
  --json             print JSON
  -v                 show what the program prints
  -- ARGUMENT...     of the program; those of the trace if there are none

exit status:
  0  explore: no run failed; replay: the same failure each time; shrink: the small trace fails in the
     same way; report: the page is there, and the trace fails as it did
  1  not so: explore has found a failure, and its trace is written
  2  wrong use: of an option, or of a program or trace that cannot be used
  3  a run broke, was cut off, or was not the same twice, so that nothing is known
)";

// What each command takes, besides --json, -v and --help.
struct Command {
  std::string name;
  std::vector<std::string> values;
  std::vector<std::string> flags;
};
const std::vector<Command>& Commands() {
  static const std::vector<Command> commands = [] {
    std::vector<std::string> explore = ExploreOptions();
    explore.emplace_back("--trace");
    return std::vector<Command>{
        {"explore", explore, {"--all"}},
        {"replay", {"--times", "--events", "--program"}, {"--gdb"}},
        {"shrink", {"--output", "--for", "--program"}, {}},
        {"report", {"--output", "--chrome", "--program"}, {}},
    };
  }();
  return commands;
}

// Becomes the program; returns if it cannot.
int Start(const std::string& program, const Task& task, const std::vector<std::string>& arguments) {
  setenv("CHAOS_EXPLORE", ShowTask(task).c_str(), 1);
  std::vector<char*> words;
  if (task.inProcess)
    for (const char* word : {"gdb", "--args"}) words.push_back(const_cast<char*>(word));
  words.push_back(const_cast<char*>(program.c_str()));
  for (const std::string& word : arguments) words.push_back(const_cast<char*>(word.c_str()));
  words.push_back(nullptr);
  std::fflush(nullptr);
  execvp(words[0], words.data());
  std::fprintf(stderr, "chaos: %s: %s\n", words[0], std::strerror(errno));
  return kNothingKnown;
}

int Report(const std::string& program, Task task, const std::vector<std::string>& words,
           ReportOptions options, const std::string& shownTrace) {
  if (options.output.empty()) options.output = task.trace + ".html";
  options.file = task.trace + ".events";
  options.replay = "./bazelw run //chaos -- replay " + ShellWord(shownTrace);
  task.command = Task::kReplay;
  task.output = options.file;
  task.json = true;
  task.echo = false;
  std::string said;  // the page says it all
  const int status = ExploreProcess(program, task, words, &said);
  if (status != kHeld && status != kFailed) return status;
  const int drawn = ReportCommand(options);
  return drawn != 0 ? drawn : status;
}

// What replay, shrink and report do with their trace.
int WithTrace(const std::string& command, Arguments* line, const Subject& subject, Task task) {
  task.trace = Resolved(subject.path);
  ReportOptions report;
  report.chrome = Resolved(line->Last("--chrome"));
  report.output = Resolved(line->Last("--output"));
  report.json = task.json;
  if (command == "report" && FileHas(task.trace, "{\"gort_events\"")) {
    report.file = task.trace;
    return ReportCommand(report);
  }
  Trace trace;
  std::string problem;
  if (!LoadTrace(task.trace, &trace, &problem)) return WrongUse(problem, kHelpWords);
  for (const char* option : {"--output", "--chrome", "--events"})
    if (SameFile(Resolved(line->Last(option)), task.trace))
      return WrongUse(std::string(option) + " would replace the trace " + task.trace, kHelpWords);
  const std::string program =
      line->Has("--program") ? ProgramPath(line->Last("--program")) : trace.program;
  if (problem = WhyNotExplored(program); !problem.empty()) {
    if (!line->Has("--program"))
      problem += "\nThe trace names it; another one can be named by --program.";
    return WrongUse(problem, kHelpWords);
  }
  const std::vector<std::string>& words =
      subject.arguments.empty() ? trace.arguments : subject.arguments;
  task.name = program;
  Set(trace.settings);
  if (command == "report") return Report(program, task, words, report, subject.path);
  task.output = command == "replay" ? Resolved(line->Last("--events")) : report.output;
  if (problem = task.output.empty() ? "" : WhyNotWritten(task.output); !problem.empty())
    return WrongUse(problem, kHelpWords);
  return Start(program, task, words);
}

}  // namespace

const std::vector<std::string>& ExploreOptions() {
  static const std::vector<std::string> options = {"--runs",   "--for",   "--seed", "--strategy",
                                                   "--inject", "--limit", "--focus"};
  return options;
}

Task ExploreTask(Arguments* line, Task task) {
  constexpr long long kMost = 1ll << 62;
  const auto number = [&](const char* name, std::uint64_t otherwise, long long least) {
    return static_cast<std::uint64_t>(
        line->Number(name, static_cast<long long>(otherwise), least, kMost));
  };
  if (line->Has("--for")) {
    task.seconds = line->Seconds("--for");
    task.runs = 1'000'000'000;
  }
  task.runs = number("--runs", task.runs, 1);
  task.seed = number("--seed", task.seed, 0);
  task.limit = number("--limit", task.limit, 1);
  task.inject = line->Probability("--inject", task.inject);
  for (const std::string& pattern : line->All("--focus")) {
    if (MatchPoints(pattern).empty()) line->Fail("--focus: " + UnknownPoint(pattern));
    task.focus += (task.focus.empty() ? "" : " ") + pattern;
  }
  std::string problem;
  if (line->Has("--strategy") && !ParseStrategy(line->Last("--strategy"), &task.strategy, &problem))
    line->Fail(problem);
  return task;
}

int ExploreProcess(const std::string& program, const Task& task,
                   const std::vector<std::string>& arguments, std::string* out) {
  std::fflush(nullptr);
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return kNothingKnown;
  const pid_t child = fork();
  if (child == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (out != nullptr) dup2(ends[1], STDOUT_FILENO);
    _exit(Start(program, task, arguments));
  }
  close(ends[1]);
  char buffer[4096];
  for (ssize_t n; out != nullptr && (n = read(ends[0], buffer, sizeof buffer)) != 0;) {
    if (n > 0) out->append(buffer, static_cast<std::size_t>(n));
    if (n < 0 && errno != EINTR) break;
  }
  close(ends[0]);
  int status = 0;
  while (child > 0 && waitpid(child, &status, 0) < 0 && errno == EINTR) continue;
  return child > 0 && WIFEXITED(status) ? WEXITSTATUS(status) : kNothingKnown;
}

Exploration Explore(const std::string& program, const Task& asked) {
  Task task = asked;
  task.json = true;
  task.echo = false;  // what the program prints would stand between
  if (task.name.empty()) task.name = program;
  std::string out;
  Exploration found;
  found.status = ExploreProcess(program, task, {}, &out);
  if (found.status != kHeld && found.status != kFailed) return found;
  const auto json = nlohmann::json::parse(out, nullptr, false);
  if (!json.is_object()) {
    std::fprintf(stderr, "chaos: %s has not said what it found\n", program.c_str());
    found.status = kNothingKnown;
    return found;
  }
  found.runs = json.value("runs", 0ll);
  found.failed = json.value("failed", 0ll);
  found.firstFailure = json.value("first_failure_run", 0ll);
  found.firstFailureAfter = json.value("first_failure_seconds", 0.0);
  found.seconds = json.value("seconds", 0.0);
  found.outcome = json.value("outcome", "");
  found.said = json.value("said", "");
  found.trace = json.value("trace", "");
  return found;
}

int ExploreFromArguments(const std::string& command, const std::vector<std::string>& arguments) {
  const auto& options =
      *std::find_if(Commands().begin(), Commands().end(),
                    [&](const Command& candidate) { return candidate.name == command; });
  std::vector<std::string> flags = options.flags;
  for (const char* flag : {"--json", "-v"}) flags.emplace_back(flag);
  Arguments line(arguments, command, options.values, flags);
  if (line.AskForHelp(kHelp)) return kHeld;
  const Subject subject = line.Program();
  Task task = ExploreTask(&line);
  task.times = static_cast<std::uint64_t>(line.Number("--times", 1, 1, 1ll << 62));
  task.all = line.Has("--all");
  task.json = line.Has("--json");
  task.echo = line.Has("-v");
  task.inProcess = line.Has("--gdb");
  if (!line.problem().empty()) return WrongUse(line.problem(), kHelpWords);
  if (command != "explore") {
    task.command = command == "shrink" ? Task::kShrink : Task::kReplay;
    return WithTrace(command, &line, subject, task);
  }
  const std::string program = ProgramPath(subject.path);
  const std::string own = subject.path.substr(subject.path.rfind('/') + 1) + ".trace";
  task.name = subject.path;
  task.trace = Resolved(line.Has("--trace") ? line.Last("--trace") : own);
  std::string problem = WhyNotExplored(program);
  if (problem.empty()) problem = WhyNotWritten(task.trace);
  if (!problem.empty()) return WrongUse(problem, kHelpWords);
  return Start(program, task, subject.arguments);
}

}  // namespace gort::chaos
