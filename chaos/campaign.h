// What storms and fault loops have in common: one program, run again and again in an environment of
// its own.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "chaos/outcome.h"
#include "chaos/runner.h"

namespace gort::chaos {

// What the tool's exit status means.
inline constexpr int kHeld = 0;  // every run ended as it should
inline constexpr int kFailed = 1;  // at least one did not
inline constexpr int kWrongUse = 2;
inline constexpr int kNothingKnown = 3;  // a run could not be made, or was cut off

// A program, found and found fit.
struct Subject {
  std::string path;
  std::vector<std::string> arguments;
  int timeoutSeconds = 60;
};

using Environment = std::vector<std::pair<std::string, std::string>>;

// FindSubject returns what is wrong with a program, "" for nothing, and completes its path: a
// relative one is looked for where the user called `bazel run`.
std::string FindSubject(Subject* subject);

// RunSubject runs it with the environment on top of the one that the tool has, which is first
// cleared of the variables that chaos/ listens to. One that does not end in time is asked for the
// stacks of its goroutines before it is ended.
RunResult RunSubject(const Subject& subject, const Environment& environment);

// CommandLineOf is the line to paste into a shell that runs the subject so.
std::string CommandLineOf(const Subject& subject, const Environment& environment);

// OutcomeOf is what became of a run. Other than for Classify, a panic that nobody recovered is a
// way to give up, and no exit status of the program's own choice.
Outcome OutcomeOf(const RunResult& run);

// Complaint is "" for a run that ended by itself with the expected status, else what it did
// instead.
std::string Complaint(const Outcome& outcome, int expectedStatus);

// ParseDuration reads "90s", "30m", "2h" or "45"; negative for anything else.
double ParseDuration(std::string_view text);

// ShowDuration is "1 h 12 min", "3 min 20 s" or "4.1 s".
std::string ShowDuration(double seconds);

// One line that is written anew on a terminal; in a log, a line now and then.
class ProgressLine {
 public:
  ProgressLine();
  void Show(const std::string& text);
  void Clear();

 private:
  bool terminal_;
  double last_ = -1e9;
};

// Seconds since some moment, for measuring.
double Now();

}  // namespace gort::chaos
