#include "chaos/campaign.h"

#include <charconv>
#include <cstdio>
#include <cstdlib>

#include "chaos/listens.h"
#include "chaos/program.h"
#include "chaos/table.h"

namespace gort::chaos {

namespace {

constexpr char kPanicText[] = "panic: ";

}  // namespace

std::string FindSubject(Subject* subject) {
  subject->path = ProgramPath(subject->path);
  return WhyNotStormed(subject->path);
}

RunResult RunSubject(const Subject& subject, const Environment& environment) {
  std::vector<std::string> argv = {subject.path};
  argv.insert(argv.end(), subject.arguments.begin(), subject.arguments.end());
  RunOptions options;
  options.timeoutSeconds = subject.timeoutSeconds;
  options.stacksAtTimeout = true;
  options.environment = {{kSpecVariable, ""}, {kStormVariable, ""}, {kFaultVariable, ""}};
  // What the user has set comes last, and holds.
  const char* tsan = std::getenv("TSAN_OPTIONS");
  options.environment.emplace_back("TSAN_OPTIONS", std::string(GORT_TSAN_OPTIONS) +
                                                       (tsan == nullptr ? "" : ":") +
                                                       (tsan == nullptr ? "" : tsan));
  for (const auto& [name, value] : environment) {
    std::erase_if(options.environment, [&](const auto& entry) { return entry.first == name; });
    options.environment.emplace_back(name, value);
  }
  return Run(argv, options);
}

std::string CommandLineOf(const Subject& subject, const Environment& environment) {
  std::string line;
  for (const auto& [name, value] : environment) line += name + "=" + ShellWord(value) + " ";
  line += ShellWord(subject.path);
  for (const std::string& argument : subject.arguments) line += " " + ShellWord(argument);
  return line;
}

Outcome OutcomeOf(const RunResult& run) {
  Outcome outcome = Classify(run);
  if (outcome.kind != Outcome::kExit || run.status != 2) return outcome;
  const std::string panic = LinesFrom(run.err, kPanicText, 1);
  if (panic.empty() || run.err.find("\ngoroutine ") == std::string::npos) return outcome;
  outcome.kind = Outcome::kThrow;
  outcome.text = panic.substr(0, panic.find('\n'));
  return outcome;
}

std::string Complaint(const Outcome& outcome, int expectedStatus) {
  if (outcome.kind == Outcome::kThrow && outcome.text.starts_with(kPanicText)) return outcome.text;
  if (outcome.kind != Outcome::kExit) return outcome.Summary();
  if (outcome.status == expectedStatus) return "";
  return outcome.Summary() + " instead of " + std::to_string(expectedStatus);
}

double ParseDuration(std::string_view text) {
  double n = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), n);
  const std::string_view unit(end, static_cast<std::size_t>(text.data() + text.size() - end));
  if (error != std::errc() || !(n > 0) || n > 1e7) return -1;
  if (unit.empty() || unit == "s") return n;
  if (unit == "m" || unit == "min") return n * 60;
  if (unit == "h") return n * 3600;
  return -1;
}

std::string ShowDuration(double seconds) {
  char text[64];
  const auto whole = static_cast<long>(seconds);
  if (seconds < 60)
    std::snprintf(text, sizeof text, "%.1f s", seconds);
  else if (seconds < 3600)
    std::snprintf(text, sizeof text, "%ld min %ld s", whole / 60, whole % 60);
  else
    std::snprintf(text, sizeof text, "%ld h %ld min", whole / 3600, whole / 60 % 60);
  return text;
}

}  // namespace gort::chaos
