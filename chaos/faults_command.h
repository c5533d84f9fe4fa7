// chaos faults: a program, run with its first allocation failing, then its second, and so on.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "chaos/campaign.h"
#include "chaos/faults.h"

namespace gort::chaos {

struct FaultsOptions {
  Subject subject;
  std::vector<Fault::Kind> kinds = {Fault::kThrow, Fault::kMmap};
  std::int64_t from = 1;  // the first to fail
  std::int64_t to = 0;  // the last; 0: until the fault no longer fires
  std::int64_t step = 1;
  bool json = false;
  bool verbose = false;
};

// What is wrong with a run in which a fault was injected, "" for nothing: it has to end as Go does,
// with exit status 2, the injected failure as the one fatal error, and the stacks; or to survive as
// if nothing had been. `calm` is the exit status without a fault.
std::string JudgeFault(const Fault& fault, const RunResult& run, const Outcome& outcome, int calm);

// FaultsCommand runs the loops, prints what came of them, and returns the tool's exit status.
int FaultsCommand(const FaultsOptions& options);

// FaultsFromArguments reads the command line behind the word faults and runs it.
int FaultsFromArguments(const std::vector<std::string>& arguments);

}  // namespace gort::chaos
