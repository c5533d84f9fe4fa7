// See signal_unix.h.
#include "signal_unix.h"

#include <errno.h>
#include <sys/syscall.h>

#include "error.h"
#include "gochan.h"
#include "gofunc.h"
#include "malloc.h"
#include "mheap.h"
#include "os_linux.h"
#include "panic.h"
#include "panic_throw.h"
#include "print.h"
#include "proc.h"
#include "runtime1.h"
#include "sigqueue.h"
#include "stack.h"

namespace gort::runtime {

atomic::Uintptr fwdSig[nsig];
atomic::Uint32 handlingSig[nsig];

namespace {

constexpr uintptr gsignalStackSize = raceenabled ? 512 << 10 : 64 << 10;

struct kernelsigaction {
  uintptr handler;
  unsigned long flags;
  void (*restorer)();
  sigset mask;
};
constexpr unsigned long kernelSA_RESTORER = 0x04000000;

// The kernel refuses SIGKILL and SIGSTOP only.
GORT_INLINE long rt_sigaction(std::uint32_t sig, const kernelsigaction* nw, kernelsigaction* old) {
  return rawsyscall(SYS_rt_sigaction, sig, reinterpret_cast<long>(nw), reinterpret_cast<long>(old),
                    sizeof(sigset));
}

GORT_INLINE sigset rtsigprocmask(int how, const sigset* nw) {
  sigset old = 0;
  if (rawsyscall(SYS_rt_sigprocmask, how, reinterpret_cast<long>(nw), reinterpret_cast<long>(&old),
                 sizeof(sigset)) < 0)
    throw_("rtsigprocmask failed");
  return old;
}

// The C library's own signals: how to cancel a thread, and setxid. A thread that ends must not block
// them: whoever waits for its answer would wait for ever.
constexpr sigset sigsetAllExiting = sigset_all & ~sigmaskOf(32) & ~sigmaskOf(33) & ~sigmaskOf(34);

// Signals that nobody blocks on purpose must not be blocked by all Ms either: the goroutine below
// takes, on a thread of its own, those that os::signal has been asked for.
struct {
  bool started;  // os::signal calls under its own lock
  chan<std::uint32_t> enable;
  chan<std::uint32_t> disable;
  chan<bool> updated;
} sigM;

void sigMloop() {
  LockOSThread();
  sigset blocked = sigset_all;
  for (std::uint32_t s = 1; s < nsig; s++)
    if (!blockableSig(s)) blocked &= ~sigmaskOf(s);
  rtsigprocmask(SIG_SETMASK, &blocked);
  for (;;) {
    std::uint32_t s = 0;
    switch (select(recv_case(sigM.enable, s), recv_case(sigM.disable, s))) {
      case 0:
        if (s > 0) blocked &= ~sigmaskOf(s);
        break;
      case 1:
        if (s > 0 && blockableSig(s)) blocked |= sigmaskOf(s);
        break;
    }
    rtsigprocmask(SIG_SETMASK, &blocked);
    sigM.updated.send(true);
  }
}

// os::signal calls this under its own lock.
void ensureSigM() {
  if (sigM.started) return;
  sigM.started = true;
  sigM.enable = make_chan<std::uint32_t>();
  sigM.disable = make_chan<std::uint32_t>();
  sigM.updated = make_chan<bool>();
  newprocargs a{};
  a.fn = [](void*) { sigMloop(); };
  a.startpc = reinterpret_cast<uintptr>(&sigMloop);
  a.systemg = true;
  newproc(a, getcallerpc());
}

bool wantsNotify(std::uint32_t sig) {
  // SIGPROF belongs to the profiler.
  return sig < nsig && sig != SIGPROF && (sigtable[sig].flags & sigNotify) != 0;
}

void setsigstack(std::uint32_t sig) {
  kernelsigaction sa{};
  rt_sigaction(sig, nullptr, &sa);
  if ((sa.flags & SA_ONSTACK) != 0) return;
  sa.flags |= SA_ONSTACK;
  rt_sigaction(sig, &sa, nullptr);
}

GORT_SIGNALSAFE void raise(std::uint32_t sig) {
  rawsyscall(SYS_tgkill, rawsyscall(SYS_getpid), gettid(), sig);
}

}  // namespace

const char* signame(std::uint32_t sig) { return sig < nsig ? sigtable[sig].name : nullptr; }

GORT_SIGNALSAFE uintptr getsig(std::uint32_t sig) {
  kernelsigaction sa{};
  rt_sigaction(sig, nullptr, &sa);
  return sa.handler;
}

GORT_SIGNALSAFE void setsig(std::uint32_t sig, uintptr fn) {
  kernelsigaction sa{};
  sa.handler = fn;
  sa.flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART | kernelSA_RESTORER;
  sa.restorer = gort_sigreturn;
  sa.mask = sigset_all;
  rt_sigaction(sig, &sa, nullptr);
}

bool sigInstallGoHandler(std::uint32_t sig) {
  // nohup and shells' background jobs ignore these, and so it stays.
  if ((sig == SIGHUP || sig == SIGINT) && fwdSig[sig].Load() == sig_ign) return false;
  return (sigtable[sig].flags & sigSetStack) == 0;
}

bool blockableSig(std::uint32_t sig) {
  std::uint16_t flags = sigtable[sig].flags;
  if ((flags & sigUnblock) != 0) return false;
  if (sig == sigPreempt && dbg.asyncpreemptoff == 0) return false;
  return (flags & (sigKill | sigThrow)) == 0;
}

void initsig() {
  for (std::uint32_t i = 1; i < nsig; i++) {
    std::uint16_t flags = sigtable[i].flags;
    if (flags == 0 || (flags & sigDefault) != 0) continue;
    fwdSig[i].Store(getsig(i));
    if (!sigInstallGoHandler(i)) {
      if (fwdSig[i].Load() == sig_ign)
        sigInitIgnored(i);
      else if (fwdSig[i].Load() != sig_dfl)
        setsigstack(i);
      continue;
    }
    handlingSig[i].Store(1);
    setsig(i, reinterpret_cast<uintptr>(&gort_sigtramp));
  }
}

void sigenable(std::uint32_t sig) {
  if (!wantsNotify(sig)) return;
  ensureSigM();
  sigM.enable.send(sig);
  sigM.updated.recv();
  if (handlingSig[sig].CompareAndSwap(0, 1)) {
    fwdSig[sig].Store(getsig(sig));
    setsig(sig, reinterpret_cast<uintptr>(&gort_sigtramp));
  }
}

void sigdisable(std::uint32_t sig) {
  if (!wantsNotify(sig)) return;
  ensureSigM();
  sigM.disable.send(sig);
  sigM.updated.recv();
  // The handlers that were there from the start stay.
  if (!sigInstallGoHandler(sig) || (sigtable[sig].flags & sigDefault) != 0) {
    handlingSig[sig].Store(0);
    setsig(sig, fwdSig[sig].Load());
  }
}

void sigignore(std::uint32_t sig) {
  if (!wantsNotify(sig)) return;
  handlingSig[sig].Store(0);
  setsig(sig, sig_ign);
}

GORT_SIGNALSAFE sigset sigsave() { return rtsigprocmask(SIG_SETMASK, nullptr); }
GORT_SIGNALSAFE void msigrestore(sigset mask) { rtsigprocmask(SIG_SETMASK, &mask); }
GORT_SIGNALSAFE void sigblock(bool exiting) {
  msigrestore(exiting ? sigsetAllExiting : sigset_all);
}
GORT_SIGNALSAFE void unblocksig(std::uint32_t sig) {
  sigset set = sigmaskOf(sig);
  rtsigprocmask(SIG_UNBLOCK, &set);
}

void mpreinit(m* mp) {
  if (mp->gsignal != nullptr) return;  // an M that is used again
  mp->vecstate = allocvecstate();
  g* gp = newpersistent<g>();
  uintptr lo =
      reinterpret_cast<uintptr>(POINT_FAILS(mpreinit_mmap) ? nullptr : sysAlloc(gsignalStackSize));
  if (lo == 0) throw_("runtime: cannot allocate a signal stack");
  gp->stack = {lo, lo + gsignalStackSize};
  gp->stackguard0 = lo + stackGuard;
  gp->m = mp;
  mp->gsignal = gp;
}

void minit(m* mp) {
  stack_t st = {};
  st.ss_sp = reinterpret_cast<void*>(mp->gsignal->stack.lo);
  st.ss_size = mp->gsignal->stack.hi - mp->gsignal->stack.lo;
  if (rawsyscall(SYS_sigaltstack, reinterpret_cast<long>(&st), 0) < 0) throw_("sigaltstack failed");
  // A request that was on its way to the thread that had this M before went with it.
  mp->signalPending.Store(0);
  sigset mask = mp->sigmask;
  for (std::uint32_t s = 1; s < nsig; s++)
    if (!blockableSig(s)) mask &= ~sigmaskOf(s);
  rtsigprocmask(SIG_SETMASK, &mask);
}

void unminit(m*) {
  stack_t st = {};
  st.ss_flags = SS_DISABLE;
  rawsyscall(SYS_sigaltstack, reinterpret_cast<long>(&st), 0);
}

GORT_SIGNALSAFE void dieFromSignal(std::uint32_t sig) {
  unblocksig(sig);
  // A handler of the program, from before ours, has the first word.
  handlingSig[sig].Store(0);
  raise(sig);
  // It is delivered at the latest when a system call ends.
  osyield();
  osyield();
  osyield();
  setsig(sig, sig_dfl);
  raise(sig);
  osyield();
  osyield();
  osyield();
  rawexit(2);
}

GORT_SIGNALSAFE void signalM(m* mp, std::uint32_t sig) {
  if (explore::on()) {
    explore::ask(explore::Kind::kSignalThread, mp, sig);
    return;
  }
  rawsyscall(SYS_tgkill, rawsyscall(SYS_getpid), static_cast<long>(mp->procid), sig);
}

void preemptM(m* mp) {
  // One at a time: a second one would say nothing new.
  if (!mp->signalPending.CompareAndSwap(0, 1)) return;
  POINT(preemptm_before_signal);
  signalM(mp, sigPreempt);
}

void sigpanic() {
  g* gp = getg();
  if (!canpanic()) throw_("unexpected signal during runtime execution");
  switch (gp->sig) {
    case SIGBUS:
      if (gp->sigcode0 == BUS_ADRERR && gp->sigcode1 < 0x1000) panicmem();
      break;
    case SIGSEGV:
      if ((gp->sigcode0 == 0 || gp->sigcode0 == SEGV_MAPERR || gp->sigcode0 == SEGV_ACCERR) &&
          gp->sigcode1 < 0x1000)
        panicmem();
      break;
    case SIGFPE:
      if (gp->sigcode0 == FPE_INTDIV) panicdivide();
      if (gp->sigcode0 == FPE_INTOVF) panicoverflow();
      panicfloat();
    default:
      if (gp->sig >= nsig) throw_("unexpected signal value");
      gopanic(any(errorString{sigtable[gp->sig].name}));
  }
  if (gp->paniconfault) panicmemAddr(gp->sigcode1);
  print("unexpected fault address ", hex(gp->sigcode1), "\n");
  throw_("fault");
}

}  // namespace gort::runtime
