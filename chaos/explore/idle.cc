#include "chaos/explore/idle.h"

#include <algorithm>
#include <cstdint>

#include "chaos/explore/turn.h"
#include "runtime/proc.h"
#include "runtime/timeheap.h"
#include "runtime/timer.h"

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

// When t, on a heap, is due; INT64_MAX if it is not.
std::int64_t DueAt(const runtime::timer* t) {
  switch (t->status.Load()) {
    case runtime::timerWaiting:
      return t->when;
    case runtime::timerModifiedEarlier:
    case runtime::timerModifiedLater:
      return t->nextwhen;
    default:
      return INT64_MAX;
  }
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

std::int64_t LateTimer() {
  if (!runtime::mainStarted || sched.npidle.Load() == 0 || sched.nmspinning.Load() != 0 ||
      sched.gcwaiting.Load())
    return 0;
  // Until when the poller means to sleep. It sleeps for somewhat longer, as Go's: it subtracts a time that
  // it has read before.
  const std::int64_t until = sched.lastpoll.Load() == 0 ? sched.pollUntil.Load() : 0;
  // Whoever else sleeps for a time is in the middle of something.
  int sleepers = 0;
  for (int i = 0; i < ThreadCount(); i++) {
    const ThreadView& v = ViewThread(i);
    sleepers += v.state != ThreadView::kEnded && !v.daemon && v.due != INT64_MAX;
  }
  if (sleepers != (until != 0 ? 1 : 0)) return 0;
  std::int64_t first = INT64_MAX;
  for (std::int32_t i = 0; i < allp.len; i++) {
    const runtime::p* pp = allp[i];
    if (pp == nullptr) continue;
    for (std::int32_t j = 0; j < pp->timerslen; j++) first = std::min(first, DueAt(pp->timers[j]));
  }
  return first < (until != 0 ? until : INT64_MAX) ? first : 0;
}

}  // namespace gort::chaos
