// The fault of this process (chaos/faults.h), at the points.
#pragma once

#include <string_view>

#include "chaos/faults.h"

namespace gort::chaos {

// InstallFault makes it this process's; false for a text that is no fault. Before the runtime
// boots.
bool InstallFault(std::string_view text);

bool FaultInstalled();

// AtFault counts a visit of p, and is true if the fault is due there: then the next request for
// memory fails, or, with throws set, the thread is to throw kFaultThrow.
bool AtFault(Point p, bool* throws);

}  // namespace gort::chaos
