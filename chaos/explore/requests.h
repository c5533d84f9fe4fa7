// What the runtime asks the explorer for (runtime/explore.h), and what it gets instead of the kernel's answer.
//
// Invariants:
//  - Explore is called with the turn, but for kThreadStart, and comes back with the turn.
//  - A request is a step of the thread that makes it, or several; what may be decided is decided behind it, but
//    before what it asks for (a thread that is to sleep on a futex loses the turn before it looks at the word).
//  - Signals come last, after the request is done, so that their handlers may make requests in turn.
#pragma once

#include "runtime/explore.h"

namespace gort::chaos {

// gort_explorer. On the explorer's stack of the calling thread.
void Explore(runtime::explore::Request* r);

}  // namespace gort::chaos
