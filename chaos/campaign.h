// What storms and fault loops have in common: one program, run again and again in an environment of
// its own.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "chaos/exit_status.h"
#include "chaos/outcome.h"
#include "chaos/progress.h"
#include "chaos/runner.h"

namespace gort::chaos {

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

}  // namespace gort::chaos
