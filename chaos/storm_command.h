// chaos storm: a program, run again and again, each time in another storm.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "chaos/arguments.h"
#include "chaos/campaign.h"

namespace gort::chaos {

struct StormOptions {
  Subject subject;
  // So many runs; 0: as many as seconds allow, and 100 if there is no limit either.
  int runs = 0;
  double seconds = 0;
  std::uint64_t seed = 1;  // of the first run; each run has the next one
  std::string chaos;  // a spec (spec.h) that holds in each run, "" for none
  std::vector<std::string> focus;  // patterns of points
  std::string knobs;  // further ones of chaos/stormknobs.h, "" for none
  bool first = false;  // the campaign ends with the first run that fails
  bool wantsFailure =
      false;  // a failure is what is asked for: kHeld stands for it, kFailed for none
  bool json = false;
  bool verbose = false;  // a line for each run
};

// StormCommand runs the campaign, prints what came of it, and returns the tool's exit status.
int StormCommand(const StormOptions& options);

// The options with a value that say how a program is stormed.
const std::vector<std::string>& StormValues();

// StormOptionsFrom sets what these options say, and --json and -v. A mistake is the arguments'
// problem.
StormOptions StormOptionsFrom(Arguments* arguments, StormOptions options = {});

// StormFromArguments reads the command line behind the word storm and runs it.
int StormFromArguments(const std::vector<std::string>& arguments);

}  // namespace gort::chaos
