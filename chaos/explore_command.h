// The commands explore, replay and shrink: they start the program, which does the work itself
// (chaos/explore).
#pragma once

#include <string>
#include <vector>

namespace gort::chaos {

struct ExploreOptions {
  std::string command;  // explore, replay, shrink, report
  std::string file;  // the program, or the trace
  std::vector<std::string> arguments;  // of the program
  std::string program;  // replay, shrink: instead of the trace's
  std::string seed = "1";
  std::string runs;
  std::string duration;  // 90s, 10m, 2h
  std::string strategy;
  std::string inject;
  std::string limit;
  std::string trace;  // explore: where the trace goes
  std::string output;  // shrink: where the small trace goes; replay: where the events go
  std::string times;
  bool all = false;
  bool json = false;
  bool verbose = false;
};

// Does not return unless it is wrong use or the program cannot be started: then the exit status.
// *problem says what is wrong.
int ExploreCommand(const ExploreOptions& options, std::string* problem);

// Where a path given on the command line is, when `bazel run` has changed the folder.
std::string FromWhereWeWereCalled(const std::string& path);

// A duration as the command line has it, in seconds; false if it is none.
bool ParseDuration(const std::string& text, double* seconds);

}  // namespace gort::chaos
