// The commands explore, replay, shrink and report. The first three start the program, which does the
// work itself (chaos/explore); report draws what a replay has written.
#pragma once

#include <string>
#include <vector>

#include "chaos/arguments.h"
#include "chaos/explore/campaign.h"

namespace gort::chaos {

// ExploreFromArguments reads the command line behind the word `command` and carries it out. Returns
// the tool's exit status, unless the program has taken the process over.
int ExploreFromArguments(const std::string& command, const std::vector<std::string>& arguments);

// ExploreOptions are the options with a value that say how a program is explored.
const std::vector<std::string>& ExploreOptions();

// ExploreTask sets in a task what these options say. With a limit of time and none of runs there are
// as many runs as the time allows. A mistake is the arguments' problem.
Task ExploreTask(Arguments* arguments, Task task = {});

// ExploreProcess has the program do the task and returns its exit status. With `out` its standard
// output goes there.
int ExploreProcess(const std::string& program, const Task& task,
                   const std::vector<std::string>& arguments, std::string* out = nullptr);

// What a campaign of the explorer has found.
struct Exploration {
  int status = 0;  // the program's; only for kHeld and kFailed the rest is known
  long long runs = 0;
  long long failed = 0;
  long long firstFailure = 0;  // number of the first run that failed, from 1; 0: none did
  double firstFailureAfter = 0;  // seconds
  double seconds = 0;
  std::string outcome;  // of that run, and its telling line
  std::string said;
  std::string trace;  // where its trace is, "" for standard error
};

// Explore does a task of kind kExplore, with the progress on standard error.
Exploration Explore(const std::string& program, const Task& task);

}  // namespace gort::chaos
