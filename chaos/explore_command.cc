#include "chaos/explore_command.h"

#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>

#include "chaos/arguments.h"
#include "chaos/campaign.h"
#include "chaos/explore/campaign.h"
#include "chaos/explore/mark.h"
#include "chaos/points.h"
#include "chaos/report_command.h"

namespace gort::chaos {

namespace {

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
  --strategy NAME    random, burst, pct:DEPTH, starve, or mix (default): all of them in turn;
                     bounded:BOUND makes all runs with at most so many preemptions
  --focus PATTERN    switch threads only at the points that match (chaos points); several times
  --inject P         with probability P at each named point, move the goroutine's stack, preempt it or
                     signal it; in a quarter of the runs one allocation fails (default 0)
  --limit N          steps after which a run is cut off as a livelock (default: 40 times the longest)
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
  --output FILE      the page (default TRACE.html)
  --chrome FILE      also a trace for chrome://tracing or Perfetto
all:
  --program PROGRAM  replay, shrink, report: instead of the one that the trace names
  --json             print JSON
  -v                 show what the program prints
  -- ARGUMENT...     of the program; those of the trace if there are none

exit status: 0 explore: no run failed; replay: the same failure each time; shrink, report: done.
1 not so; 2 wrong use; 3 a run broke, so that nothing is known.
)";

// Where a path of the command line is: `bazel run` changes the folder.
std::string Resolved(const std::string& path) {
  const char* folder = std::getenv("BUILD_WORKING_DIRECTORY");
  if (path.empty() || path[0] == '/' || folder == nullptr) return path;
  return std::string(folder) + "/" + path;
}

bool Contains(const std::string& path, const std::string& text) {
  std::ifstream in(path, std::ios::binary);
  const std::string all((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
  return all.find(text) != std::string::npos;
}

// Why the program cannot be explored, "" if it can.
std::string WhyNot(const std::string& program) {
  struct stat info;
  if (stat(program.c_str(), &info) != 0) return program + ": " + std::strerror(errno);
  if (!S_ISREG(info.st_mode) || access(program.c_str(), X_OK) != 0)
    return program + " is not a program";
  if (Contains(program, kExploreMark)) return "";
  const std::string how = "build it with gort_binary(..., mode = \"explore\")";
  if (Contains(program, "gort_systemstack")) return program + " is of another mode: " + how;
  return program + " is not a program of gort: " + how;
}

int WrongUse(const std::string& problem) {
  std::fprintf(stderr, "chaos: %s\nTry: ./bazelw run //chaos -- explore --help\n", problem.c_str());
  return kWrongUse;
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

// As Start, in a process of its own; returns its exit status.
int StartAndWait(const std::string& program, const Task& task,
                 const std::vector<std::string>& arguments) {
  std::fflush(nullptr);
  const pid_t child = fork();
  if (child == 0) _exit(Start(program, task, arguments));
  int status = 0;
  while (child > 0 && waitpid(child, &status, 0) < 0 && errno == EINTR) continue;
  return child > 0 && WIFEXITED(status) ? WEXITSTATUS(status) : kNothingKnown;
}

int Report(const std::string& program, Task task, const std::vector<std::string>& words,
           ReportOptions options) {
  if (options.output.empty()) options.output = task.trace + ".html";
  options.file = task.trace + ".events";
  options.replay = "./bazelw run //chaos -- replay " + task.trace;
  task.command = Task::kReplay;
  task.output = options.file;
  task.json = true;  // the page says it all
  const int status = StartAndWait(program, task, words);
  if (status != kHeld && status != kFailed) return status;
  const int drawn = ReportCommand(options);
  return drawn != 0 ? drawn : status;
}

}  // namespace

int ExploreFromArguments(const std::string& command, const std::vector<std::string>& arguments) {
  Arguments line(arguments, command,
                 {"--runs", "--for", "--seed", "--strategy", "--inject", "--limit", "--trace",
                  "--times", "--events", "--output", "--chrome", "--program", "--focus"},
                 {"--all", "--gdb", "--json", "-v", "--help"});
  if (line.Has("--help")) {
    std::printf("%s", kHelp);
    return kHeld;
  }
  const double seconds = line.Seconds("--for");
  const Subject subject = line.Program();
  if (!line.problem().empty()) return WrongUse(line.problem());

  std::string text = "command=" + (command == "report" ? "replay" : command) + "\n";
  text += "seconds=" + std::to_string(seconds) + "\n";
  // As many runs as the time allows.
  if (seconds > 0 && !line.Has("--runs")) text += "runs=1000000000\n";
  for (const char* key : {"runs", "seed", "strategy", "inject", "limit", "times"})
    if (const std::string option = "--" + std::string(key); line.Has(option))
      text += std::string(key) + "=" + line.Last(option) + "\n";
  std::string focus;
  for (const std::string& pattern : line.All("--focus")) {
    if (MatchPoints(pattern).empty()) return WrongUse("--focus: " + UnknownPoint(pattern));
    focus += (focus.empty() ? "" : " ") + pattern;
  }
  text += "focus=" + focus + "\n";
  Task task;
  std::string problem;
  if (!ParseTask(text, &task, &problem)) return WrongUse(problem);
  task.all = line.Has("--all");
  task.json = line.Has("--json");
  task.echo = line.Has("-v");
  task.inProcess = line.Has("--gdb");
  if (task.inProcess && command != "replay") return WrongUse("--gdb is for replay");

  std::string program;
  std::vector<std::string> words = subject.arguments;
  if (command == "explore") {
    program = Resolved(subject.path);
    task.name = subject.path;
    const std::string own = subject.path.substr(subject.path.rfind('/') + 1) + ".trace";
    task.trace = Resolved(line.Has("--trace") ? line.Last("--trace") : own);
  } else {
    task.trace = Resolved(subject.path);
    if (command == "report" && Contains(task.trace, "{\"gort_events\"")) {
      ReportOptions drawn{task.trace, Resolved(line.Last("--output")),
                          Resolved(line.Last("--chrome")), "", task.json};
      return ReportCommand(drawn);
    }
    Trace trace;
    if (!LoadTrace(task.trace, &trace, &problem)) return WrongUse(problem);
    program = line.Has("--program") ? Resolved(line.Last("--program")) : trace.program;
    if (words.empty()) words = trace.arguments;
    task.name = program;
    task.output = Resolved(line.Last(command == "replay" ? "--events" : "--output"));
  }
  if (problem = WhyNot(program); !problem.empty()) return WrongUse(problem);
  if (command != "report") return Start(program, task, words);
  ReportOptions options;
  options.output = task.output;
  options.chrome = Resolved(line.Last("--chrome"));
  options.json = task.json;
  return Report(program, task, words, options);
}

}  // namespace gort::chaos
