#include "tests/stackmove.h"

namespace gort::test {

namespace {

GORT_NOINLINE void entry() {
  char c[64];
  KEEP_FRAME(c);
}

// On g0, with the caller's goroutine out of _Grunning: two that suspend each other would deadlock.
bool moveOne(runtime::g* gp) {
  runtime::suspendGState state = runtime::suspendG(gp);
  if (state.dead) return false;
  bool movable = runtime::isShrinkStackSafe(gp);
  if (movable) {
    constexpr runtime::uintptr largest = runtime::fixedStack * 16;
    runtime::uintptr size = gp->stack.hi - gp->stack.lo;
    bool larger = size < largest && runtime::fastrandn(4) == 0;
    runtime::copystack(gp, larger ? size * 2 : size);
    if (runtime::fastrandn(2) == 0) runtime::shrinkstack(gp);
  }
  runtime::resumeG(state);
  return movable;
}

}  // namespace

GORT_NOINLINE void moveMyStack() {
  runtime::uintptr lo = stackbounds().lo;
  do {
    moveStackOnNextCall();
    entry();
  } while (stackbounds().lo == lo);
}

long moveStacks() {
  long moved = 0;
  runtime::g* self = runtime::getg();
  auto [all, n] = runtime::atomicAllG();
  for (runtime::uintptr i = 0; i < n; i++) {
    runtime::g* gp = runtime::atomicAllGIndex(all, i);
    if (gp == self || (runtime::readgstatus(gp) & ~runtime::_Gscan) == runtime::_Gdead) continue;
    runtime::systemstack([&] {
      runtime::casGToWaiting(self, runtime::_Grunning, runtime::waitReasonGCMarkTermination);
      if (moveOne(gp)) moved++;
      runtime::casgstatus(self, runtime::_Gwaiting, runtime::_Grunning);
    });
  }
  return moved;
}

GORT_NOINLINE void useStack(int kb) {
  char b[1024];
  KEEP_FRAME(b);
  if (kb > 1) useStack(kb - 1);
  KEEP_FRAME(b);
}

}  // namespace gort::test
