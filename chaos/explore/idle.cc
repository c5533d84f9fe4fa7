#include "chaos/explore/idle.h"

#include <cstdint>

#include "chaos/explore/turn.h"
#include "runtime/proc.h"

namespace gort::chaos {

namespace {

using runtime::allp;
using runtime::sched;

// The thread waits for somebody, or it runs a goroutine's code with a P, in nothing that has to end
// first.
bool IsInGoroutine(const ThreadView& v) {
  switch (v.state) {
    case ThreadView::kEnded:
    case ThreadView::kFutex:
      return true;
    case ThreadView::kSleeping:
      return v.daemon;  // others sleep in the middle of looking for work, or of a lock
    case ThreadView::kRunnable:
      break;
  }
  const auto* gp = static_cast<const runtime::g*>(v.g);
  if (gp == nullptr) return false;
  const runtime::m* mp = gp->m;
  return mp != nullptr && gp == mp->curg && mp->p != nullptr && mp->locks == 0 && !mp->spinning &&
         gp->atomicstatus.Load() == runtime::_Grunning;
}

bool AnyWork() {
  if (sched.runqsize > 0) return true;
  for (std::int32_t i = 0; i < allp.len; i++)
    if (allp[i] != nullptr && Queued(allp[i]) > 0) return true;
  return false;
}

}  // namespace

std::uint32_t Queued(const runtime::p* pp) {
  return pp->runqtail.Load() - pp->runqhead.Load() + (pp->runnext.Load() != nullptr ? 1 : 0);
}

bool WorkWaits() {
  if (!runtime::mainStarted || sched.npidle.Load() == 0 || sched.nmspinning.Load() != 0)
    return false;
  // The world is stopped, or about to be: what is idle stays so.
  if (sched.gcwaiting.Load()) return false;
  for (int i = 0; i < ThreadCount(); i++)
    if (!IsInGoroutine(ViewThread(i))) return false;
  return AnyWork();
}

}  // namespace gort::chaos
