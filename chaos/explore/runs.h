// Single runs, as the controller makes them.
#pragma once

#include <string>
#include <vector>

#include "chaos/explore/run.h"
#include "chaos/explore/tracefile.h"

namespace gort::chaos {

struct RunReport {
  std::string outcome;  // as in Trace
  std::string out;  // standard output and error, if kept
  bool failed;
  bool broken;  // nothing can be said of the program
};

// Makes one run; config.deviations are copied. The numbers are in shared->result. events: a file that
// is there, to which the run appends what happens (events.h).
RunReport Run(const RunConfig& config, bool keepOutput, const std::string& events = "");

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
