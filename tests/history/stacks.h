// What scenarios about goroutine stacks share: using much of one, and shrinking another's.
#pragma once

#include "runtime/go.h"
#include "runtime/stack.h"

namespace scenario {

// Uses about kb KiB of stack.
GORT_NOINLINE inline void useStack(int kb) {
  volatile char b[1024];
  b[0] = static_cast<char>(kb);
  if (kb > 1) useStack(kb - 1);
  b[1] = b[0];
}

// Shrinks the stack of gp as a mark worker does: on g0, with the caller's goroutine out of
// _Grunning.
inline void shrink(gort::runtime::g* gp) {
  using namespace gort::runtime;
  g* self = getg();
  systemstack([self, gp] {
    // As soon as the goroutine counts as waiting its own stack may be moved, closure and all.
    g* caller = self;
    g* victim = gp;
    casGToWaiting(caller, _Grunning, waitReasonGCMarkTermination);
    const suspendGState state = suspendG(victim);
    if (isShrinkStackSafe(victim)) shrinkstack(victim);
    resumeG(state);
    casgstatus(caller, _Gwaiting, _Grunning);
  });
}

}  // namespace scenario
