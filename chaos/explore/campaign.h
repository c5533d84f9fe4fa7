// Many runs of one program: what is asked for, and how it is done.
//
// Everything here runs in a process of its own, the controller; the runs are forked by another one,
// which never changes (zygote.h).
#pragma once

#include <cstdint>
#include <string>

#include "chaos/explore/run.h"
#include "chaos/explore/tracefile.h"

namespace gort::chaos {

// What the environment variable CHAOS_EXPLORE says, key=value in each line. chaos/explore_command.h
// writes it.
struct Task {
  enum Command { kExplore, kReplay, kShrink } command = kExplore;
  std::uint64_t seed = 1;  // of the first run; the others follow
  std::uint64_t runs = 100;
  double seconds = 0;  // stop after so long, 0: never
  StrategyChoice strategy;
  std::uint64_t limit = 0;  // steps of a run; 0: as the program needs
  double inject = 0;
  std::string focus;  // patterns of points, with blanks between; "": everywhere
  std::string trace;  // explore: where the failing one goes; replay, shrink: the one to take
  std::string output;  // shrink: where the small one goes; replay: where the events go
  bool all = false;  // go on after a failure
  bool json = false;
  bool echo = false;  // show what the program prints
  bool inProcess = false;  // replay: no fork, for a debugger
  std::uint64_t times = 1;  // replay: so many times
  std::string name;  // of the program, for messages
};

// False, with a reason, if the text is not a task.
bool ParseTask(const std::string& text, Task* out, std::string* problem);
std::string ShowTask(const Task& task);

// Does the task and returns the exit status: 0: explore: no run failed; replay: the same failure each
// time; shrink: the small trace fails in the same way; 1: not so; 2: the task is wrong (a trace of
// another version); 3: a run broke.
int DoTask(const Task& task);

// Has the run that begins in this process next (RunHere) replay the task's trace. 0, or 2 if there is
// no such trace.
int PrepareReplay(const Task& task);

// The telling line of what a failing run printed: the fatal error, the panic, the report's head.
std::string TellingLine(const std::string& out);

}  // namespace gort::chaos
