// The process that forks the runs.
//
// Invariants:
//  - It is the process in which Main was called, stopped at Main's beginning: one thread, no runtime.
//    It allocates nothing and changes nothing of its own memory after it has forked the controller, so
//    all runs begin in the same state, whatever has been run before.
//  - The controller tells it by one byte on a socket to fork a run, and is told by one byte that the
//    run has ended; all else is in memory that the three share.
#pragma once

#include "chaos/explore/run.h"

namespace gort::chaos {

struct Shared {
  // From the controller.
  RunConfig config;
  int timeoutSeconds;  // after so many of the processor's, or without doing anything, a run is killed
  char events[4096];  // the file to which the run appends its events (events.h), "": none
  Deviation deviations[kMaxDeviations];  // of config
  // From the zygote and the run.
  int waitStatus;  // as of waitpid
  bool timedOut;
  RunRecord result;
};

extern Shared* shared;
extern int outputFile;  // what a run prints

// In the controller: one run as shared->config says.
void RunOnce();

// For a debugger: one run in this very process. A child calls `prepare`, which fills in shared->config
// and returns 0; any other value ends the process with it.
void RunHere(int (*prepare)());

// Forks the controller, which ends with the result of `control`, and serves it. Returns only in a run.
void ServeRuns(int (*control)());

}  // namespace gort::chaos
