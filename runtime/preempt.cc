// Stopping one goroutine at a safe point. Ports preempt.go, its cooperative part: a goroutine stops
// at function entry, when newstack finds the request.
//
// Invariants:
//  - suspendG returns with gp's _Gscan bit held by the caller (or with dead set): gp does not run and
//    its stack does not change until resumeG.
//  - A request made by suspendG (preemptStop) is withdrawn or honoured before suspendG returns.
#include "os_linux.h"
#include "point.h"
#include "print.h"
#include "proc.h"
#include "stack.h"

namespace gort::runtime {

bool canPreemptM(m* mp) {
  return mp->locks == 0 && mp->mallocing == 0 && mp->preemptoff[0] == 0 && mp->p != nullptr &&
         mp->p->status.Load() == _Prunning;
}

namespace {

// While it lives others can see that mp waits for gp: see m.waitinggoroutine.
struct suspendWait {
#if GORT_POINTS
  GORT_INLINE suspendWait(m* mp, g* gp) : mp_(mp) {
    mp->waitingfp = reinterpret_cast<uintptr>(__builtin_frame_address(0));
    mp->waits = mp->waits + 1;
    mp->waitinggoroutine = gp;
  }
  GORT_INLINE ~suspendWait() { mp_->waitinggoroutine = nullptr; }
  suspendWait(const suspendWait&) = delete;
  suspendWait& operator=(const suspendWait&) = delete;
  m* mp_;
#else
  GORT_INLINE suspendWait(m*, g*) {}
#endif
};

}  // namespace

suspendGState suspendG(g* gp) {
  m* mp = getg()->m;
  if (mp->curg != nullptr && readgstatus(mp->curg) == _Grunning) {
    // Two goroutines that suspend each other would deadlock: the caller must not be _Grunning.
    throw_("suspendG from non-preemptible goroutine");
  }
  suspendWait wait(mp, gp);
  POINT(suspendg_begin);
  constexpr std::int64_t yieldDelay = 10 * 1000;
  std::int64_t nextYield = 0;
  bool stopped = false, askAgain = false;
  for (int i = 0;; i++) {
    std::uint32_t s = readgstatus(gp);
    switch (s) {
      case _Gdead:
        return {gp, true, false};
      case _Gcopystack:
        break;  // wait until the copy is done
      case _Gpreempted:
        // It stopped itself for us or for another suspendG; whoever moves it owns it.
        if (!casGFromPreempted(gp, _Gpreempted, _Gwaiting)) break;
        stopped = true;
        s = _Gwaiting;
        [[fallthrough]];
      case _Grunnable:
      case _Gsyscall:
      case _Gwaiting:
        if (!castogscanstatus(gp, s, s | _Gscan)) break;
        // The bit is ours. Withdraw the request, which may still be pending.
        gp->preemptStop = false;
        gp->preempt = false;
        gp->stackguard0 = gp->stack.lo + stackGuard;
        return {gp, false, stopped};
      case _Grunning:
        // Asked already, and not answered yet?
        if (!askAgain && gp->preemptStop && gp->preempt && gp->stackguard0 == stackPreempt) break;
        if (!castogscanstatus(gp, _Grunning, _Gscanrunning)) break;
        // With the bit held the goroutine cannot change status; the request is seen when it next
        // enters a function.
        gp->preemptStop = true;
        gp->preempt = true;
        gp->stackguard0 = stackPreempt;
        if (m* other = gp->m; other != nullptr)
          if (atomic::Uintptr* slot = other->stackguardslot.LoadRelaxed(); slot != nullptr)
            slot->StoreRelaxed(stackPreempt);
        casfrom_Gscanstatus(gp, _Gscanrunning, _Grunning);
        askAgain = false;
        break;
      default:
        if ((s & _Gscan) != 0) break;  // somebody else has it
        dumpgstatus(gp);
        throw_("invalid g status");
    }
    if (i == 0) nextYield = nanotime() + yieldDelay;
    if (nanotime() < nextYield) {
      procyield(10);
    } else {
      osyield();
      // The store to the thread's own copy of the limit may have been lost to one of the thread.
      askAgain = true;
      nextYield = nanotime() + yieldDelay / 2;
    }
  }
}

void resumeG(suspendGState state) {
  if (state.dead) return;
  g* gp = state.g;
  std::uint32_t s = readgstatus(gp);
  switch (s) {
    case _Gscanrunnable:
    case _Gscanwaiting:
    case _Gscansyscall:
      casfrom_Gscanstatus(gp, s, s & ~_Gscan);
      break;
    default:
      dumpgstatus(gp);
      throw_("unexpected g status");
  }
  if (state.stopped) ready(gp, 0, true);  // it stopped itself: nobody else will wake it
}

}  // namespace gort::runtime
