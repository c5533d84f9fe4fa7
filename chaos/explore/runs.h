// Single runs, as the controller makes them.
#pragma once

#include <string>
#include <vector>

#include "chaos/explore/run.h"
#include "chaos/explore/tracefile.h"

namespace gort::chaos {

struct RunReport {
  std::string outcome;  // as in Trace
  std::string out;  // standard output and error
  bool failed;
  bool broken;  // nothing can be said of the program
};

struct RunOptions {
  bool output = false;  // RunReport::out also of a run that held
  std::string events;  // a file that is there, to which the run appends what happens (events.h)
};

// Makes one run; config.deviations are copied. The numbers are in shared->result.
RunReport Run(const RunConfig& config, const RunOptions& options = {});

// Hands a configuration over to the next run.
void Prepare(const RunConfig& config);

// How to run a trace again.
RunConfig ConfigOf(const Trace& trace);

// The telling line of what a failing run printed: the fatal error, the panic, the report's head.
std::string TellingLine(const std::string& out);

// The path of the program, and what it was called with.
std::string Executable();
std::vector<std::string> ProgramArguments();

}  // namespace gort::chaos
