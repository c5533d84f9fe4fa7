#include "chaos/campaign.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "chaos/listens.h"

namespace gort::chaos {

namespace {

constexpr double kLogEvery = 10;  // seconds
constexpr char kPanicText[] = "panic: ";

bool FileHas(const std::string& path, std::string_view text, std::string* problem) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  struct stat info;
  if (fd < 0 || fstat(fd, &info) != 0) {
    *problem = path + ": " + std::strerror(errno);
    if (fd >= 0) close(fd);
    return false;
  }
  if (!S_ISREG(info.st_mode) || access(path.c_str(), X_OK) != 0) {
    *problem = path + ": not a program that can be run";
    close(fd);
    return false;
  }
  const auto size = static_cast<std::size_t>(info.st_size);
  void* data = size == 0 ? nullptr : mmap(nullptr, size, PROT_READ, MAP_PRIVATE, fd, 0);
  close(fd);
  if (data == nullptr || data == MAP_FAILED) return false;
  const bool has = memmem(data, size, text.data(), text.size()) != nullptr;
  munmap(data, size);
  return has;
}

// As a word of a shell's command line.
std::string Quoted(const std::string& word) {
  constexpr std::string_view kPlain =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_=./,:%+@";
  if (!word.empty() && word.find_first_not_of(kPlain) == std::string::npos) return word;
  std::string quoted = "'";
  for (const char c : word) {
    if (c == '\'')
      quoted += "'\\''";
    else
      quoted += c;
  }
  return quoted + "'";
}

}  // namespace

std::string FindSubject(Subject* subject) {
  if (subject->path.empty()) return "a program is missing";
  if (subject->path.front() != '/') {
    const char* where = std::getenv("BUILD_WORKING_DIRECTORY");
    if (where != nullptr)
      subject->path = std::string(where) + "/" + subject->path;
    else if (subject->path.find('/') == std::string::npos)
      subject->path = "./" + subject->path;
  }
  std::string problem;
  if (FileHas(subject->path, GORT_CHAOS_LISTENS, &problem)) return "";
  if (!problem.empty()) return problem;
  return "no points in this program: build it with gort_binary(..., points = True) and "
         "//chaos:from_environment";
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
  for (const auto& [name, value] : environment) line += name + "=" + Quoted(value) + " ";
  line += Quoted(subject.path);
  for (const std::string& argument : subject.arguments) line += " " + Quoted(argument);
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

double Now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

ProgressLine::ProgressLine() : terminal_(isatty(STDERR_FILENO) != 0) {}

void ProgressLine::Show(const std::string& text) {
  const double now = Now();
  if (terminal_) {
    std::fprintf(stderr, "\r\033[K%s", text.c_str());
  } else if (now - last_ >= kLogEvery) {
    std::fprintf(stderr, "%s\n", text.c_str());
    last_ = now;
  }
  std::fflush(stderr);
}

void ProgressLine::Clear() {
  if (terminal_) std::fprintf(stderr, "\r\033[K");
}

}  // namespace gort::chaos
