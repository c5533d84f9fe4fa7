#include "chaos/explore/runs.h"

#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <sstream>

#include "chaos/explore/zygote.h"
#include "chaos/rings.h"
#include "chaos/waitfor.h"

namespace gort::chaos {

namespace {

std::string KeptOutput() {
  std::string text;
  char buffer[8192];
  off_t at = 0;
  for (ssize_t n; (n = pread(outputFile, buffer, sizeof buffer, at)) > 0; at += n)
    text.append(buffer, static_cast<std::size_t>(n));
  return text;
}

// Addresses, numbers of goroutines and the like differ between failures that are the same.
std::string WithoutNumbers(const std::string& line) {
  std::string text;
  for (const char c : line) {
    const bool digit = std::isdigit(static_cast<unsigned char>(c)) != 0;
    if (!digit)
      text += c;
    else if (text.empty() || text.back() != '#')
      text += '#';
  }
  return text;
}

// Where a run was that has left no more than the address.
std::string PlaceOfDeath(const std::string& out) {
  constexpr char kHead[] = "in a goroutine without an M, pc=";
  const std::size_t at = out.rfind(kHead);
  if (at == std::string::npos) return "";
  std::string text;
  for (const StackFrame& frame :
       FramesOf(std::strtoull(out.c_str() + at + std::strlen(kHead), nullptr, 16)))
    text += "      " + frame.function + "  " + frame.place + "\n";
  return text;
}

}  // namespace

std::string TellingLine(const std::string& out) {
  constexpr const char* kHeads[] = {
      "fatal error: ", "fatal: signal ",    "panic: ",      "WARNING: ThreadSanitizer",
      kReportBegin,    "explore: livelock", "ERROR: CHECK", "explore: ",
      "SIGSEGV: ",     "SIGBUS: ",          "SIGFPE: ",     "SIGILL: "};
  for (const char* head : kHeads) {
    std::istringstream in(out);
    for (std::string line; std::getline(in, line);)
      if (line.find(head) != std::string::npos) return WithoutNumbers(line);
  }
  std::istringstream in(out);
  std::string last;
  for (std::string line; std::getline(in, line);)
    if (!line.empty()) last = line;
  return WithoutNumbers(last.substr(0, 200));
}

std::string Executable() {
  char path[4096];
  const ssize_t n = readlink("/proc/self/exe", path, sizeof path - 1);
  return n < 0 ? "?" : std::string(path, static_cast<std::size_t>(n));
}

std::vector<std::string> ProgramArguments() {
  std::ifstream in("/proc/self/cmdline", std::ios::binary);
  std::vector<std::string> words;
  for (std::string word; std::getline(in, word, '\0');) words.push_back(word);
  if (!words.empty()) words.erase(words.begin());
  return words;
}

RunConfig ConfigOf(const Trace& trace) {
  RunConfig config;
  config.seed = trace.seed;
  std::string problem;
  ParseStrategy(trace.strategy, &config.strategy, &problem);  // it was read: it is one
  config.limit = trace.limit;
  config.replay = true;
  config.deviations = trace.deviations.data();
  config.count = trace.deviations.size();
  return config;
}

void Prepare(const RunConfig& config) {
  shared->config = config;
  shared->config.deviations = shared->deviations;
  shared->config.count = std::min(config.count, kMaxDeviations);
  if (config.count > 0 && config.deviations != shared->deviations)
    std::memcpy(shared->deviations, config.deviations, shared->config.count * sizeof(Deviation));
}

RunReport Run(const RunConfig& config, const RunOptions& options) {
  std::snprintf(shared->events, sizeof shared->events, "%s", options.events.c_str());
  Prepare(config);
  RunOnce();
  RunReport report;
  const RunRecord& r = shared->result;
  const int status = shared->waitStatus;
  const int code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  // A program may have these statuses for itself.
  const bool gaveUp = code == kExplorerBroken && std::strcmp(r.outcome, "broken") == 0;
  const bool diverged = code == kDiverged && r.diverged[0] != 0;
  // A verdict stands, also if there was no time left to say all of it.
  const bool cutOff = shared->timedOut && r.outcome[0] == 0;
  report.broken = cutOff || gaveUp;
  report.failed = status != 0 && !diverged;
  if (status != 0 || options.output) report.out = KeptOutput();
  // An allocation that was made to fail ends a program as it should.
  if (code == 2 && report.out.find("out of memory (injected)") != std::string::npos)
    report.failed = false;
  if (cutOff) {
    report.outcome =
        "still running after " + std::to_string(shared->timeoutSeconds) +
        " s: it waits for something that the explorer does not know of, or makes no step";
  } else if (gaveUp) {
    report.outcome = "the explorer gave up";
  } else if (r.outcome[0] != 0) {
    report.outcome = r.outcome;
  } else if (diverged) {
    report.outcome = "diverged";
  } else if (code >= 0) {
    report.outcome = "exit " + std::to_string(code);
  } else {
    report.outcome = "signal " + std::to_string(WTERMSIG(status));
    report.out += PlaceOfDeath(report.out);
  }
  return report;
}

}  // namespace gort::chaos
