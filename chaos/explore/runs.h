// Single runs, as the controller makes them.
#pragma once

#include <string>

#include "chaos/explore/run.h"
#include "chaos/explore/tracefile.h"

namespace gort::chaos {

struct RunReport {
  std::string outcome;  // as in Trace
  std::string out;  // standard output and error, if kept
  bool failed;
  bool broken;  // nothing can be said of the program
  double seconds;
};

// Makes one run; config.deviations are copied. The numbers are in shared->result.
RunReport Run(const RunConfig& config, bool keepOutput);

// How to run a trace again.
RunConfig ConfigOf(const Trace& trace);

// The telling line of what a failing run printed: the fatal error, the panic, the report's head.
std::string TellingLine(const std::string& out);

// The path of the program.
std::string Executable();

}  // namespace gort::chaos
