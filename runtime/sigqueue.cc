// See sigqueue.h.
#include "sigqueue.h"

#include "os_linux.h"
#include "panic_throw.h"
#include "point.h"
#include "proc.h"
#include "signal_unix.h"

namespace gort::runtime {

atomic::Racy<g*> sigreceiver;

namespace {

enum : std::uint32_t { sigIdle, sigReceiving, sigSending, sigFixup };

constexpr std::uint32_t words = (nsig + 31) / 32;
GORT_INLINE std::uint32_t bitOf(std::uint32_t s) { return std::uint32_t(1) << (s & 31); }

struct {
  struct note note;
  atomic::Uint32 mask[words];  // arrived, not yet taken
  // Written by os::signal, which has a lock; read by handlers.
  atomic::Uint32 wanted[words];
  atomic::Uint32 ignored[words];
  std::uint32_t recv[words];  // taken, not yet returned; the receiver's
  atomic::Uint32 state;
  atomic::Uint32 delivering;
  bool inuse;  // the first signal_enable has been; as wanted
} sig;

void setbit(atomic::Uint32* w, std::uint32_t s) { w[s / 32].Or(bitOf(s)); }
void clearbit(atomic::Uint32* w, std::uint32_t s) { w[s / 32].And(~bitOf(s)); }

// See m.waitingreceiver. The handler may have interrupted another wait.
struct receiverWait {
#if GORT_POINTS
  GORT_INLINE receiverWait() : mp(nullptr), interruptedfp(0) {}
  GORT_INLINE void begin() {
    g* gp = getg();
    if (mp != nullptr || gp == nullptr) return;
    mp = gp->m;
    interruptedfp = mp->waitingfp;
    mp->waitingfp = reinterpret_cast<uintptr>(__builtin_frame_address(0));
    mp->waits = mp->waits + 1;
    mp->waitingreceiver = true;
  }
  GORT_INLINE void end() {
    if (mp == nullptr) return;
    mp->waitingreceiver = false;
    mp->waitingfp = interruptedfp;
  }
  m* mp;
  uintptr interruptedfp;
#else
  GORT_INLINE receiverWait() {}
  GORT_INLINE void begin() {}
  GORT_INLINE void end() {}
#endif
};

// The signal has interrupted the very thread that the receiver sleeps on, or has just woken on.
GORT_INLINE bool onReceiversThread() {
  g* gp = getg();
  return gp != nullptr && gp->m->curg != nullptr && gp->m->curg == sigreceiver;
}

// The receiver's sleep in sigReceiving. False if there is nothing to take: it was for sigFixup.
bool sleepForSignal() {
  bool received = false;
  entersyscallblock();
  systemstack([&] {
    notetsleep(&sig.note, -1);
    noteclear(&sig.note);
    // Here, without a P: a handler may hold one while it waits for the end of sigFixup, and the next
    // one who stops the world waits for that P. To get a P first is to wait for him.
    received = !sig.state.CompareAndSwap(sigFixup, sigIdle);
  });
  exitsyscall();
  return received;
}

}  // namespace

GORT_SIGNALSAFE bool sigsend(std::uint32_t s) {
  if (s >= 32 * words) return false;
  std::uint32_t bit = bitOf(s);
  // Before wanted is read: who takes s off the wanted ones and then sees 0 here knows that no
  // handler is on its way with it.
  sig.delivering.Add(1);
  if ((sig.wanted[s / 32].Load() & bit) == 0) {
    sig.delivering.Add(-1u);
    return false;
  }
  for (;;) {
    std::uint32_t mask = sig.mask[s / 32].Load();
    if ((mask & bit) != 0) {
      sig.delivering.Add(-1u);
      return true;  // it is in the queue already
    }
    if (sig.mask[s / 32].CompareAndSwap(mask, mask | bit)) break;
  }
  POINT(sigsend_begin);
  receiverWait wait;
  for (bool sent = false; !sent;) {
    switch (sig.state.Load()) {
      case sigIdle:
        sent = sig.state.CompareAndSwap(sigIdle, sigSending);
        break;
      case sigSending:
        sent = true;  // the receiver has been told, and has not looked yet
        break;
      case sigReceiving:
        if (!sig.state.CompareAndSwap(sigReceiving, sigIdle)) break;
        POINT(sigsend_before_wakeup);
        notewakeupsignal(&sig.note);
        sent = true;
        break;
      case sigFixup:
        // The receiver is about to put sigIdle. On its own thread it cannot while this handler runs, so
        // it is done here; the receiver then takes it for a signal, which it is.
        if (onReceiversThread()) {
          sig.state.CompareAndSwap(sigFixup, sigIdle);
          break;
        }
        // Elsewhere it may be waiting for who has stopped the world, and he for this thread's call.
        wait.begin();
        mDoFixupAndOSYield();
        break;
      default:
        throw_("sigsend: inconsistent state");
    }
  }
  wait.end();
  sig.delivering.Add(-1u);
  return true;
}

std::uint32_t signal_recv() {
  sigreceiver = getg();
  for (;;) {
    for (std::uint32_t i = 0; i < nsig; i++) {
      if ((sig.recv[i / 32] & bitOf(i)) == 0) continue;
      sig.recv[i / 32] &= ~bitOf(i);
      return i;
    }
    for (bool received = false; !received;) {
      switch (sig.state.Load()) {
        case sigIdle:
          if (!sig.state.CompareAndSwap(sigIdle, sigReceiving)) break;
          POINT(signal_recv_before_sleep);
          received = sleepForSignal();
          break;
        case sigSending:
          received = sig.state.CompareAndSwap(sigSending, sigIdle);
          break;
        default:
          throw_("signal_recv: inconsistent state");
      }
    }
    for (std::uint32_t i = 0; i < words; i++) sig.recv[i] = sig.mask[i].Swap(0);
  }
}

void sigRecvPrepareForFixup() {
  if (sig.state.CompareAndSwap(sigReceiving, sigFixup)) notewakeup(&sig.note);
}

void signalWaitUntilIdle() {
  POINT(signalwaituntilidle_begin);
  // The signals that are in sigsend may be put in after wanted has changed.
  while (sig.delivering.Load() != 0) Gosched();
  // Those that were put in are taken when the receiver is back where it waits.
  while (sig.state.Load() != sigReceiving) Gosched();
}

void signal_enable(std::uint32_t s) {
  if (!sig.inuse) {
    sig.inuse = true;
    noteclear(&sig.note);
  }
  if (s >= 32 * words) return;
  POINT(signal_enable_before_wanted);
  setbit(sig.wanted, s);
  clearbit(sig.ignored, s);
  sigenable(s);
}

void signal_disable(std::uint32_t s) {
  if (s >= 32 * words) return;
  sigdisable(s);
  clearbit(sig.wanted, s);
}

void signal_ignore(std::uint32_t s) {
  if (s >= 32 * words) return;
  sigignore(s);
  clearbit(sig.wanted, s);
  setbit(sig.ignored, s);
}

void sigInitIgnored(std::uint32_t s) { setbit(sig.ignored, s); }

GORT_SIGNALSAFE bool signal_ignored(std::uint32_t s) {
  return s < 32 * words && (sig.ignored[s / 32].Load() & bitOf(s)) != 0;
}

}  // namespace gort::runtime
