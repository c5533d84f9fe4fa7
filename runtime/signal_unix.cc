// See signal_unix.h. Ports the part of signal_unix.go, os_linux.go and signal_amd64.go that turns a
// crash signal into a report.
//
// Invariants:
//  - The handler runs on gsignal's stack (sigaltstack). It may interrupt any code, with any limit in
//    %fs:112 and any g current: it installs gsignal and gsignal's limit before it calls anything with
//    a stack check.
//  - It is not instrumented by TSan and installed by the raw system call, past TSan's interceptor.
//  - Every crash signal is fatal in this build: the process reports and exits with status 2.
#include "signal_unix.h"

#include <signal.h>
#include <sys/syscall.h>
#include <ucontext.h>

#include "malloc.h"
#include "os_linux.h"
#include "panic.h"
#include "print.h"
#include "proc.h"
#include "stack.h"

namespace gort::runtime {

namespace {

constexpr uintptr gsignalStackSize = raceenabled ? 512 << 10 : 64 << 10;

struct kernelsigaction {
  void (*handler)(int, siginfo_t*, void*);
  unsigned long flags;
  void (*restorer)();
  std::uint64_t mask;
};

constexpr unsigned long kernelSA_RESTORER = 0x04000000;

__attribute__((naked)) void sigreturn() { asm("movq $15, %rax\n\tsyscall"); }

const char* signame(int sig) {
  switch (sig) {
    case SIGSEGV:
      return "SIGSEGV: segmentation violation";
    case SIGBUS:
      return "SIGBUS: bus error";
    case SIGFPE:
      return "SIGFPE: floating-point exception";
    case SIGILL:
      return "SIGILL: illegal instruction";
    default:
      return "SIGTRAP: trace trap";
  }
}

// On gsignal's stack with gsignal current.
[[noreturn]] void sighandler(int sig, siginfo_t* info, ucontext_t* ctx, g* gp) {
  uintptr pc = static_cast<uintptr>(ctx->uc_mcontext.gregs[REG_RIP]);
  uintptr sp = static_cast<uintptr>(ctx->uc_mcontext.gregs[REG_RSP]);
  uintptr bp = static_cast<uintptr>(ctx->uc_mcontext.gregs[REG_RBP]);
  uintptr addr = reinterpret_cast<uintptr>(info->si_addr);
  g* curg = getg()->m->curg;
  if (gp == curg && gp != nullptr && sp >= gp->stack.lo && sp < gp->stack.hi) {
    // The traceback starts where the goroutine was interrupted.
    gp->sched = {sp, pc, bp};
  }
  freedStack f;
  if (sig == SIGSEGV && findFreedStack(addr, &f)) {
    print("unexpected fault address ", hex(addr), ": the stack [", hex(f.stk.lo), ", ",
          hex(f.stk.hi), ") was freed by goroutine ", f.goid,
          " when it moved to another; somebody kept a pointer into it\n");
  } else if (sig == SIGSEGV || sig == SIGBUS) {
    print("unexpected fault address ", hex(addr), "\n");
  }
  print("[signal ", signame(sig), " code=", hex(static_cast<std::uint32_t>(info->si_code)),
        " addr=", hex(addr), " pc=", hex(pc), "]\n");
  throw_(sig == SIGSEGV || sig == SIGBUS ? "fault" : "unexpected signal during runtime execution");
}

GORT_NOSPLIT __attribute__((disable_sanitizer_instrumentation)) void sigtramp(int sig,
                                                                              siginfo_t* info,
                                                                              void* ctx) {
  g* gp = getg();
  if (gp == nullptr) {
    // Not a thread of ours: the default action, by raising it again without a handler.
    kernelsigaction sa = {};
    rawsyscall(SYS_rt_sigaction, sig, reinterpret_cast<long>(&sa), 0, 8);
    return;
  }
  g* gsignal = gp->m->gsignal;
  setg(gsignal);
  setstackguard(gsignal->stackguard0);
  sighandler(sig, info, static_cast<ucontext_t*>(ctx), gp);
}

}  // namespace

void initsig() {
  for (int sig : {SIGSEGV, SIGBUS, SIGFPE, SIGILL}) {
    kernelsigaction sa = {};
    sa.handler = sigtramp;
    sa.flags = SA_SIGINFO | SA_ONSTACK | kernelSA_RESTORER;
    sa.restorer = sigreturn;
    sa.mask = ~std::uint64_t(0);
    if (rawsyscall(SYS_rt_sigaction, sig, reinterpret_cast<long>(&sa), 0, 8) < 0)
      throw_("sigaction failed");
  }
}

void mpreinit(m* mp) {
  if (mp->gsignal != nullptr) return;  // an M that is used again
  g* gp = newpersistent<g>();
  uintptr lo = reinterpret_cast<uintptr>(sysAlloc(gsignalStackSize));
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
  rawsyscall(SYS_sigaltstack, reinterpret_cast<long>(&st), 0);
  // Threads are born with every signal blocked (newosproc).
  std::uint64_t none = 0;
  rawsyscall(SYS_rt_sigprocmask, SIG_SETMASK, reinterpret_cast<long>(&none), 0, 8);
}

void unminit(m*) {
  std::uint64_t all = ~std::uint64_t(0);
  rawsyscall(SYS_rt_sigprocmask, SIG_SETMASK, reinterpret_cast<long>(&all), 0, 8);
  stack_t st = {};
  st.ss_flags = SS_DISABLE;
  rawsyscall(SYS_sigaltstack, reinterpret_cast<long>(&st), 0);
}

}  // namespace gort::runtime
