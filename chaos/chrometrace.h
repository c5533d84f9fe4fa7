// The run as a Chrome trace: Perfetto and chrome://tracing open it.
//
// One track for each thread, with a slice for each turn that it had and for each wait; instants for
// points, signals, injections and critical switches; an arrow from each wake-up to the turn that it
// led to. Locks may overlap turns and each other, which slices of one track must not: each lock that
// a thread holds is an asynchronous slice, which the viewers draw on tracks of their own beside it.
// A step is one microsecond: many steps happen at one virtual time, which stands in the arguments.
#pragma once

#include <string>

#include "chaos/events.h"

namespace gort::chaos {

// ChromeTrace returns the trace in the format's form of one JSON array.
std::string ChromeTrace(const Run& run);

}  // namespace gort::chaos
