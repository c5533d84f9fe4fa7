// Runs a bug's scenario without and with its fix and compares what happens with what history says.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "chaos/bug.h"
#include "chaos/explore/campaign.h"

namespace gort::chaos {

// The runs of one program. For the explorer without the fix, as expected are all of them or none:
// one that fails is enough.
struct Side {
  int runs = 0;
  int asExpected = 0;
  int broken = 0;
  std::map<std::string, int> summaries;  // what happened, and how often
  std::string firstProblem;              // of a run that was not as expected
  RunResult sample;                      // a run as expected if there was one, else the last
  Outcome outcome;                       // of the sample
  double seconds = 0;                    // of all runs
  long long firstFailure = 0;  // explorer: number of the first run that failed, 0: none
  double firstFailureAfter = 0;  // seconds

  bool Good() const { return runs > 0 && asExpected == runs; }
};

struct Verdict {
  const Entry* entry = nullptr;
  std::string unfixing;
  std::string mode;  // of the scenario's build, or "explore"
  Side without;
  Side with;

  bool Broken() const { return without.broken + with.broken > 0; }
  bool Good() const { return without.Good() && with.Good(); }
  // "reproduced, and the fix holds", or what is wrong.
  std::string Text() const;
};

struct VerifyOptions {
  int runs = 8;  // of each program
  // For the explorer: seed, strategy, and how long to look for a failure without the fix.
  Task explore;
  // Called before each run: what is about to run, and which run of how many.
  std::function<void(const std::string& what, int run, int runs)> progress;
  // Called after each run.
  std::function<void(const Outcome&, const RunResult&, const std::string& problem)> after;
};

Verdict Verify(const History& history, const Entry& entry, const Build& build,
               const VerifyOptions& options);

// VerifyExplored has the explorer look for a failure without the fix, and make as many runs with it,
// a hundred at least, for half a minute at most.
Verdict VerifyExplored(const Entry& entry, const GeneralProgram& program,
                       const VerifyOptions& options);

// What the number-th run of a scenario gets, counted from 0: over the runs all values of GOMAXPROCS
// meet all cases.
struct Turn {
  int procs;
  std::string scenarioCase;  // "" for none
};
Turn TurnOf(const Bug& bug, const std::vector<int>& procs, int number);

// ArgumentsOf is the command line of a scenario.
std::vector<std::string> ArgumentsOf(const std::string& program, const Turn& turn);

// EnvironmentOf is what a scenario's run gets: GOMAXPROCS, TSan's options, and no injections.
std::vector<std::pair<std::string, std::string>> EnvironmentOf(const History& history, int procs);

}  // namespace gort::chaos
