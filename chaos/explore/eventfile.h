// The file of events around what a run writes itself (events.h).
#pragma once

#include <string>

#include "chaos/explore/runs.h"
#include "chaos/explore/tracefile.h"

namespace gort::chaos {

// Makes the file, with its header, for a replay of the trace in tracePath. False, with a reason, if that cannot be
// done.
bool BeginEventFile(const std::string& path, const Trace& trace, const std::string& tracePath,
                    std::string* problem);

// After the run: puts names to addresses and appends what was printed and how the run ended. False,
// with a reason, if the file cannot be written.
bool FinishEventFile(const std::string& path, const RunReport& report, std::string* problem);

}  // namespace gort::chaos
