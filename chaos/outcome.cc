#include "chaos/outcome.h"

#include <signal.h>

#include <algorithm>
#include <cstdio>
#include <cstring>

#include "chaos/waitfor.h"

namespace gort::chaos {

namespace {

constexpr std::string_view kThrowText = "fatal error: ";
// What the runtime's report of a fault begins with: one that became a panic or a throw, one outside of
// goroutine code.
constexpr std::string_view kFaultTexts[] = {"unexpected fault address",
                                            "SIGSEGV: segmentation violation", "SIGBUS: bus error"};
constexpr int kFaultLines = 40;  // of the dump: the threads that faulted, and a goroutine of theirs
constexpr std::string_view kRaceText = "WARNING: ThreadSanitizer: ";

// The rest of the line behind the first `title`.
std::string LineAfter(const std::string& text, std::string_view title) {
  const std::size_t at = text.find(title);
  if (at == std::string::npos) return "";
  const std::size_t begin = at + title.size();
  return text.substr(begin, text.find('\n', begin) - begin);
}

// The first of kFaultTexts that err has, "" for none.
std::string_view FaultText(const std::string& err) {
  for (const std::string_view text : kFaultTexts)
    if (err.find(text) != std::string::npos) return text;
  return "";
}

std::string Between(const std::string& text, std::string_view begin, std::string_view end) {
  const std::size_t from = text.find(begin);
  if (from == std::string::npos) return "";
  const std::size_t start = from + begin.size() + 1;
  const std::size_t stop = text.find(end, start);
  return stop == std::string::npos ? text.substr(start) : text.substr(start, stop - start);
}

}  // namespace

std::string LinesFrom(const std::string& text, std::string_view title, int n) {
  const std::size_t begin = text.find(title);
  if (begin == std::string::npos) return "";
  std::size_t end = begin;
  while (n-- > 0 && end < text.size()) end = std::min(text.find('\n', end), text.size() - 1) + 1;
  return text.substr(begin, end - begin);
}

std::string_view Outcome::Name() const {
  switch (kind) {
    case kBroken:
      return "broken";
    case kDeadlock:
      return "deadlock";
    case kRace:
      return "race";
    case kFault:
      return "fault";
    case kThrow:
      return "throw";
    case kSignal:
      return "signal";
    case kExit:
      return "exit";
  }
  return "";
}

std::string Outcome::Summary() const {
  std::string exit = status < 0 ? "" : "exit status " + std::to_string(status);
  switch (kind) {
    case kBroken:
      return text;
    case kDeadlock:
      return "deadlock seen";
    case kRace:
    case kFault:
      return text;
    case kThrow:
      return "throw: " + text + (exit.empty() ? "" : ", " + exit);
    case kSignal:
      return text;
    case kExit:
      return exit;
  }
  return "";
}

Outcome Classify(const RunResult& run) {
  Outcome o;
  o.status = run.status;
  if (!run.started) {
    o.text = "not started: " + run.problem;
  } else if (run.cutOff) {
    char seconds[32];
    std::snprintf(seconds, sizeof seconds, "%.0f", run.seconds);
    o.text = std::string("cut off after ") + seconds + " s";
  } else if (run.status == kDeadlockSeen && run.err.find(kReportBegin) != std::string::npos) {
    o.kind = Outcome::kDeadlock;
    o.text = "deadlock seen";
    o.evidence = Between(run.err, kReportBegin, kReportEnd);
  } else if (run.err.find(kRaceText) != std::string::npos) {
    o.kind = Outcome::kRace;
    o.text = LineAfter(run.err, kRaceText);
    o.text = o.text.substr(0, o.text.find(" (pid="));
    o.evidence = Between(run.err, "==================", "==================");
  } else if (const std::string_view fault = FaultText(run.err);
             !fault.empty() || run.signal == SIGSEGV || run.signal == SIGBUS) {
    o.kind = Outcome::kFault;
    o.text = run.signal != 0 ? strsignal(run.signal) : fault;
    o.evidence = LinesFrom(run.err, fault, kFaultLines);
  } else if (run.err.find(kThrowText) != std::string::npos) {
    o.kind = Outcome::kThrow;
    o.text = LineAfter(run.err, kThrowText);
  } else if (run.signal != 0) {
    o.kind = Outcome::kSignal;
    o.text = "signal " + std::to_string(run.signal) + ", " + strsignal(run.signal);
  } else {
    o.kind = Outcome::kExit;
  }
  return o;
}

}  // namespace gort::chaos
