#include "chaos/explore_command.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>

#include "chaos/explore/campaign.h"
#include "chaos/explore/mark.h"

namespace gort::chaos {

namespace {

constexpr int kUsage = 2;
constexpr int kBroken = 3;

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
  if (Contains(program, "gort_systemstack"))
    return program + " is not built for this: build it with gort_binary(..., mode = \"explore\")";
  return program + " is not a program of gort: build it with gort_binary(..., mode = \"explore\")";
}

}  // namespace

std::string FromWhereWeWereCalled(const std::string& path) {
  const char* folder = std::getenv("BUILD_WORKING_DIRECTORY");
  if (path.empty() || path[0] == '/' || folder == nullptr) return path;
  return std::string(folder) + "/" + path;
}

bool ParseDuration(const std::string& text, double* seconds) {
  char* end;
  *seconds = std::strtod(text.c_str(), &end);
  if (end == text.c_str() || !(*seconds > 0)) return false;
  const std::string unit = end;
  if (unit == "m") *seconds *= 60;
  if (unit == "h") *seconds *= 3600;
  return unit.empty() || unit == "s" || unit == "m" || unit == "h";
}

int ExploreCommand(const ExploreOptions& o, std::string* problem) {
  Task task;
  std::string text = "command=" + o.command + "\nseed=" + o.seed + "\n";
  double seconds = 0;
  if (!o.duration.empty()) {
    if (!ParseDuration(o.duration, &seconds)) {
      *problem = "--for wants a time like 90s, 10m or 2h, not \"" + o.duration + "\"";
      return kUsage;
    }
    text += "seconds=" + std::to_string(seconds) + "\n";
    // As many runs as the time allows.
    if (o.runs.empty()) text += "runs=1000000000\n";
  }
  const std::pair<const char*, const std::string*> values[] = {{"runs", &o.runs},
                                                               {"strategy", &o.strategy},
                                                               {"inject", &o.inject},
                                                               {"limit", &o.limit},
                                                               {"times", &o.times}};
  for (const auto& [key, value] : values)
    if (!value->empty()) text += std::string(key) + "=" + *value + "\n";
  if (!ParseTask(text, &task, problem)) return kUsage;
  task.all = o.all;
  task.json = o.json;
  task.echo = o.verbose;

  std::string program = o.file;
  if (o.command == "explore") {
    program = FromWhereWeWereCalled(o.file);
    task.name = o.file;
    task.trace = FromWhereWeWereCalled(
        o.trace.empty() ? o.file.substr(o.file.rfind('/') + 1) + ".trace" : o.trace);
  } else {
    task.trace = FromWhereWeWereCalled(o.file);
    Trace trace;
    if (!LoadTrace(task.trace, &trace, problem)) return kUsage;
    program = o.program.empty() ? trace.program : FromWhereWeWereCalled(o.program);
    task.name = program;
    task.output = FromWhereWeWereCalled(o.output);
  }
  *problem = WhyNot(program);
  if (!problem->empty()) return kUsage;
  setenv("CHAOS_EXPLORE", ShowTask(task).c_str(), 1);
  std::vector<char*> arguments = {const_cast<char*>(program.c_str())};
  for (const std::string& argument : o.arguments)
    arguments.push_back(const_cast<char*>(argument.c_str()));
  arguments.push_back(nullptr);
  execv(program.c_str(), arguments.data());
  *problem = program + ": " + std::strerror(errno);
  return kBroken;
}

}  // namespace gort::chaos
