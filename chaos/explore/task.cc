// The text of a task.
#include <charconv>
#include <cstdlib>
#include <sstream>

#include "chaos/explore/campaign.h"

namespace gort::chaos {

namespace {

bool Number(const std::string& text, std::uint64_t* out) {
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), *out);
  return !text.empty() && parsed.ec == std::errc() && parsed.ptr == text.data() + text.size();
}

bool Real(const std::string& text, double* out) {
  char* end;
  *out = std::strtod(text.c_str(), &end);
  return !text.empty() && *end == 0 && *out >= 0;
}

bool Flag(const std::string& text, bool* out) {
  *out = text == "1";
  return text == "0" || text == "1";
}

const char* const kCommands[] = {"explore", "replay", "shrink"};

bool Command(const std::string& text, Task::Command* out) {
  for (int i = 0; i < 3; i++) {
    if (text != kCommands[i]) continue;
    *out = static_cast<Task::Command>(i);
    return true;
  }
  return false;
}

}  // namespace

bool ParseTask(const std::string& text, Task* out, std::string* problem) {
  std::istringstream in(text);
  Task task = *out;
  for (std::string line; std::getline(in, line);) {
    if (line.empty()) continue;
    const std::size_t equals = line.find('=');
    const std::string key = line.substr(0, equals);
    const std::string value = equals == std::string::npos ? "" : line.substr(equals + 1);
    bool good = true;
    if (key == "command")
      good = Command(value, &task.command);
    else if (key == "seed")
      good = Number(value, &task.seed);
    else if (key == "runs")
      good = Number(value, &task.runs);
    else if (key == "seconds")
      good = Real(value, &task.seconds);
    else if (key == "limit")
      good = Number(value, &task.limit);
    else if (key == "inject")
      good = Real(value, &task.inject) && task.inject <= 1;
    else if (key == "times")
      good = Number(value, &task.times);
    else if (key == "all")
      good = Flag(value, &task.all);
    else if (key == "json")
      good = Flag(value, &task.json);
    else if (key == "echo")
      good = Flag(value, &task.echo);
    else if (key == "inprocess")
      good = Flag(value, &task.inProcess);
    else if (key == "trace")
      task.trace = value;
    else if (key == "output")
      task.output = value;
    else if (key == "focus")
      task.focus = value;
    else if (key == "name")
      task.name = value;
    else if (key == "strategy") {
      if (!ParseStrategy(value, &task.strategy, problem)) return false;
    } else {
      *problem = "unknown key \"" + key + "\"";
      return false;
    }
    if (!good) {
      *problem = "\"" + line + "\" is no value for " + key;
      return false;
    }
  }
  *out = task;
  return true;
}

std::string ShowTask(const Task& task) {
  std::ostringstream out;
  out << "command=" << kCommands[task.command] << "\nseed=" << task.seed << "\nruns=" << task.runs
      << "\nseconds=" << task.seconds << "\nstrategy=" << ShowStrategy(task.strategy)
      << "\nlimit=" << task.limit << "\ninject=" << task.inject << "\nfocus=" << task.focus
      << "\ntrace=" << task.trace << "\noutput=" << task.output << "\nall=" << task.all
      << "\njson=" << task.json << "\necho=" << task.echo << "\ninprocess=" << task.inProcess
      << "\ntimes=" << task.times << "\nname=" << task.name << "\n";
  return out.str();
}

}  // namespace gort::chaos
