// Moving goroutine stacks on purpose, to see that nothing notices.
#pragma once

#include <vector>

#include "runtime/go.h"
#include "runtime/stack.h"

namespace gort::test {

// The next function of this goroutine that checks its stack moves it. Go's MoveStackOnNextCall. A
// preemption request in between may take its place.
GORT_INLINE void moveStackOnNextCall() {
  runtime::getg()->stackguard0 = runtime::stackForceMove;
  runtime::setstackguard(runtime::stackForceMove);
}

// Keeps a local array as it is, and its size, in the frame.
#define KEEP_FRAME(array) asm volatile("" : : "r"(&(array)) : "memory")

// The bounds of the caller's stack now.
GORT_INLINE struct runtime::stack stackbounds() { return runtime::getg()->stack; }

// Moves the caller's stack at once.
void moveMyStack();

// Moves the stack of every other goroutine that can be stopped, each to one of another size now and
// then: as a collector that shrinks stacks while their owners are blocked, but more often. Returns
// the number of stacks moved.
long moveStacks();

// Uses about kb KiB of stack and calls nothing.
void useStack(int kb);

}  // namespace gort::test
