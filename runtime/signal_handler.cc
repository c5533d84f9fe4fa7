// What runs inside a signal handler. Ports sigtrampgo, sighandler, doSigPreempt, sigfwdgo and
// badsignal of signal_unix.go, and preparePanic of signal_amd64.go.
//
// Invariants:
//  - It runs on gsignal's stack with gsignal current and any code of this thread interrupted: with a
//    runtime lock held, half-way through a switch of stacks, inside the C library or TSan. So until a
//    signal is found to be fatal, everything here is GORT_SIGNALSAFE or inlined; a test looks at the
//    object file.
//  - All signals are blocked meanwhile, so it does not interrupt itself; only a fault in here would,
//    and that ends the process.
//  - The report of a fatal signal is made by ordinary code. TSan's code can then not be what was
//    interrupted: the locks that it holds would be waited for for ever. In TSan builds the report is put
//    off until a timer's signal finds the thread elsewhere.
//  - A goroutine is changed here in one way only: its next instruction becomes the first of sigpanic
//    or gort_asyncPreempt, as if it had called them.
#include <errno.h>
#include <sys/syscall.h>
#include <time.h>
#include <ucontext.h>

#include "cpuprof.h"
#include "explore_signal.h"
#include "mheap.h"
#include "os_linux.h"
#include "panic.h"
#include "print.h"
#include "proc.h"
#include "runtime1.h"
#include "signal_unix.h"
#include "sigqueue.h"
#include "stack.h"
#include "stubs.h"
#include "textrange.h"
#include "traceback.h"

#pragma clang attribute push(__attribute__((disable_sanitizer_instrumentation)), \
                             apply_to = function)

namespace gort::runtime {

namespace {

// The interrupted thread.
struct sigctxt {
  siginfo_t* info;
  ucontext_t* ctx;

  GORT_INLINE greg_t& reg(int r) const { return ctx->uc_mcontext.gregs[r]; }
  GORT_INLINE uintptr sigpc() const { return static_cast<uintptr>(reg(REG_RIP)); }
  GORT_INLINE uintptr sigsp() const { return static_cast<uintptr>(reg(REG_RSP)); }
  GORT_INLINE uintptr sigbp() const { return static_cast<uintptr>(reg(REG_RBP)); }
  GORT_INLINE int sigcode() const { return info->si_code; }
  GORT_INLINE uintptr fault() const { return reinterpret_cast<uintptr>(info->si_addr); }
  // Somebody sent it, rather than an instruction of this thread.
  GORT_INLINE bool sigFromUser() const { return sigcode() == SI_USER || sigcode() == SI_TKILL; }
  // As if the interrupted code had called fn just before pc.
  GORT_INLINE void pushCall(void (*fn)(), uintptr pc) const {
    uintptr sp = sigsp() - sys::PtrSize;
    *reinterpret_cast<uintptr*>(sp) = pc;
    reg(REG_RSP) = static_cast<greg_t>(sp);
    reg(REG_RIP) = static_cast<greg_t>(reinterpret_cast<uintptr>(fn));
  }
};

// The fault of a goroutine becomes a call of sigpanic.
GORT_INLINE void preparePanic(const sigctxt& c, g* gp) {
  uintptr pc = c.sigpc();
  uintptr sp = c.sigsp();
  if (!inRuntimeText(pc) && !inGoroutineText(pc)) {
    // A call of a function pointer that pointed nowhere: the caller called sigpanic. (A jump to
    // nowhere cannot be told from that; then the traceback has a frame too few.)
    pc = *reinterpret_cast<uintptr*>(sp);
    sp += sys::PtrSize;
  }
  // Nothing returns to the instruction: what lies below its stack pointer can be used, and sigpanic
  // needs the alignment of a call.
  c.reg(REG_RSP) = static_cast<greg_t>(alignDown(sp, sys::StackAlign));
  gp->sigpc = pc;
  c.pushCall(sigpanic, pc);
}

// Whether the fault can have been made by the code of gp, on gp's stack. The C library and others
// cannot be left in the middle: there it is fatal.
GORT_INLINE bool canInject(const sigctxt& c, g* gp) {
  uintptr pc = c.sigpc(), sp = c.sigsp();
  if (sp < gp->stack.lo + 64 || sp > gp->stack.hi - sys::PtrSize || sp % sys::PtrSize != 0)
    return false;
  if (inRuntimeText(pc) || inGoroutineText(pc)) return true;
  uintptr caller = *reinterpret_cast<uintptr*>(sp);
  return pc < 4096 && (inRuntimeText(caller) || inGoroutineText(caller));
}

GORT_INLINE void doSigPreempt(g* gp, const sigctxt& c) {
  m* mp = gp->m;
  if (wantAsyncPreempt(gp) && isAsyncSafePoint(gp, c.sigpc(), c.sigsp()))
    c.pushCall(gort_asyncPreempt, c.sigpc());
  // After the attempt: who sees the new number knows that it was made.
  mp->preemptGen.Add(1);
  mp->signalPending.Store(0);
}

// The signal comes from a write to standard output or error. Go's os.File looks after that; here
// programs write with what they like, and the registers of the system call that has just failed tell.
GORT_INLINE bool brokenOutput(const sigctxt& c) {
  auto* p = reinterpret_cast<const unsigned char*>(c.sigpc());
  return c.reg(REG_RAX) == -EPIPE && p[-2] == 0x0f && p[-1] == 0x05 &&
         (c.reg(REG_RDI) == 1 || c.reg(REG_RDI) == 2);
}

void dumpregs(const sigctxt& c) {
  constexpr struct {
    const char* name;
    int reg;
  } regs[] = {
      {"rax    ", REG_RAX}, {"rbx    ", REG_RBX}, {"rcx    ", REG_RCX}, {"rdx    ", REG_RDX},
      {"rdi    ", REG_RDI}, {"rsi    ", REG_RSI}, {"rbp    ", REG_RBP}, {"rsp    ", REG_RSP},
      {"r8     ", REG_R8},  {"r9     ", REG_R9},  {"r10    ", REG_R10}, {"r11    ", REG_R11},
      {"r12    ", REG_R12}, {"r13    ", REG_R13}, {"r14    ", REG_R14}, {"r15    ", REG_R15},
      {"rip    ", REG_RIP}, {"rflags ", REG_EFL},
  };
  for (const auto& r : regs) print(r.name, hex(static_cast<std::uint64_t>(c.reg(r.reg))), "\n");
  auto csgsfs = static_cast<std::uint64_t>(c.reg(REG_CSGSFS));
  print("cs     ", hex(csgsfs & 0xffff), "\n");
  print("fs     ", hex(csgsfs >> 32 & 0xffff), "\n");
  print("gs     ", hex(csgsfs >> 16 & 0xffff), "\n");
}

// The head of the report of a signal that ends the process.
void fatalsignal(std::uint32_t sig, const sigctxt& c, m* mp) {
  if (sig < nsig)
    print(sigtable[sig].name, "\n");
  else
    print("Signal ", sig, "\n");
  print("PC=", hex(c.sigpc()), " m=", mp->id, " sigcode=", c.sigcode());
  if (sig == SIGSEGV || sig == SIGBUS) print(" addr=", hex(c.fault()));
  print("\n");
  freedStack f;
  if (sig == SIGSEGV && findFreedStack(c.fault(), &f)) {
    print("unexpected fault address ", hex(c.fault()), ": the stack [", hex(f.stk.lo), ", ",
          hex(f.stk.hi), ") was freed by goroutine ", f.goid,
          " when it moved to another; somebody kept a pointer into it\n");
  }
  if (sig == SIGILL || sig == SIGFPE) {
    uintptr pc = c.sigpc();
    uintptr n = physPageSize - pc % physPageSize;
    if (n > 16) n = 16;
    print("instruction bytes:");
    for (uintptr i = 0; i < n; i++)
      print(" ", hex(static_cast<std::uint64_t>(*reinterpret_cast<unsigned char*>(pc + i))));
    print("\n");
  }
  print("\n");
}

// The process ends with a dump. gp is what the signal interrupted.
[[noreturn]] GORT_NOINLINE void dieWithDump(std::uint32_t sig, const sigctxt& c, g* gp) {
  m* mp = getg()->m;
  mp->throwing = throwTypeRuntime;
  startpanicFromSignal();
  fatalsignal(sig, c, mp);
  auto [level, all, docrash] = gotraceback();
  if (level > 0) {
    goroutineheader(gp);
    tracebacktrap(c.sigpc(), c.sigsp(), c.sigbp(), gp);
    tracebackothers(gp);
    print("\n");
    dumpregs(c);
  }
  if (docrash) crash();
  // At once: what exit does besides may need what was interrupted (stdio's locks, TSan's).
  rawexit(2);
}

#if GORT_TSAN
// Has the thread interrupted once more, after some 10 to 75 microseconds: never in step with what it does.
GORT_INLINE void lookAgain(m* mp) {
  itimerspec spec = {};
  spec.it_value.tv_nsec = 10000 + static_cast<long>(__builtin_ia32_rdtsc() & 0xffff);
  rawsyscall(SYS_timer_settime, mp->fatalsigtimer, 0, reinterpret_cast<long>(&spec), 0);
}

// The instruction that was interrupted has caused the signal, and would do so again.
GORT_INLINE bool isFault(std::uint32_t sig, const sigctxt& c) {
  return c.sigcode() > 0 && (sig == SIGSEGV || sig == SIGBUS || sig == SIGFPE || sig == SIGILL ||
                             sig == SIGTRAP || sig == SIGSYS);
}

// The signal came while TSan's code ran. True if it is put off until that is over. A fault of TSan's
// itself cannot be.
GORT_INLINE bool putOff(std::uint32_t sig, const sigctxt& c, m* mp) {
  if (!inSanitizerText(c.sigpc()) || isFault(sig, c)) return false;
  sigevent sevp = {};
  sevp.sigev_notify = SIGEV_THREAD_ID;
  sevp.sigev_signo = SIGTRAP;
  sevp._sigev_un._tid = static_cast<int>(gettid());
  if (rawsyscall(SYS_timer_create, CLOCK_MONOTONIC, reinterpret_cast<long>(&sevp),
                 reinterpret_cast<long>(&mp->fatalsigtimer)) != 0)
    return false;
  mp->fatalsig = sig;
  mp->fatalsigcode = c.sigcode();
  setsig(SIGTRAP, reinterpret_cast<uintptr>(&gort_sigtramp));
  // Nothing else comes in until then.
  c.ctx->uc_sigmask.__val[0] = ~(1ul << (SIGTRAP - 1));
  lookAgain(mp);
  return true;
}

// True if that is what the signal SIGTRAP was about.
GORT_INLINE bool lookedAgain(std::uint32_t sig, const sigctxt& c, g* gp) {
  if (sig != SIGTRAP || gp == nullptr || gp->m->fatalsig == 0) return false;
  m* mp = gp->m;
  if (inSanitizerText(c.sigpc())) {
    lookAgain(mp);
    return true;
  }
  siginfo_t info = {};
  info.si_signo = static_cast<int>(mp->fatalsig);
  info.si_code = mp->fatalsigcode;
  setg(mp->gsignal);
  setstackguard(mp->gsignal->stackguard0);
  dieWithDump(mp->fatalsig, {&info, c.ctx}, gp);
}
#else
GORT_INLINE bool putOff(std::uint32_t, const sigctxt&, m*) { return false; }
GORT_INLINE bool lookedAgain(std::uint32_t, const sigctxt&, g*) { return false; }
#endif

void sighandler(std::uint32_t sig, const sigctxt& c, g* gp) {
  m* mp = getg()->m;
  if (sig == SIGPROF) {
    if (validSIGPROF(mp, c.sigcode())) sigprof(c.sigpc(), c.sigsp(), c.sigbp(), gp, mp);
    return;
  }
  if (sig == sigPreempt && dbg.asyncpreemptoff == 0) {
    // Somebody else's SIGURG, too: it is as good a moment as any, and is then treated as usual.
    doSigPreempt(gp, c);
  }
  std::uint16_t flags = sig < nsig ? sigtable[sig].flags : sigThrow;
  bool user = c.sigFromUser();
  if (!user && (flags & sigPanic) != 0) {
    freedStack f;
    if (gp->throwsplit || gp != mp->curg || !canInject(c, gp) ||
        (sig == SIGSEGV && findFreedStack(c.fault(), &f)))
      flags = sigThrow;
  }
  if (!user && (flags & sigPanic) != 0) {
    gp->sig = sig;
    gp->sigcode0 = static_cast<uintptr>(c.sigcode());
    gp->sigcode1 = c.fault();
    preparePanic(c, gp);
    return;
  }
  if (user || (flags & sigNotify) != 0)
    if (sigsend(sig)) return;
  if (user && signal_ignored(sig)) return;
  if ((flags & sigKill) != 0 || (sig == SIGPIPE && brokenOutput(c))) dieFromSignal(sig);
  if ((flags & (sigThrow | sigPanic)) == 0) return;
  if (putOff(sig, c, mp)) return;
  dieWithDump(sig, c, gp);
}

// A signal on a thread that the runtime does not know. Only what needs no g can be done.
void badsignal(std::uint32_t sig, const sigctxt& c) {
  if (sigsend(sig)) return;
  if (c.sigFromUser() && signal_ignored(sig)) return;
  std::uint16_t flags = sig < nsig ? sigtable[sig].flags : sigThrow;
  if (c.sigFromUser() && (flags & (sigKill | sigThrow | sigPanic)) == 0) return;
  // As if the runtime were not there: the handler from before, or the default action.
  uintptr handler = sig < nsig ? fwdSig[sig].Load() : sig_dfl;
  unblocksig(sig);
  setsig(sig, handler);
  rawsyscall(SYS_tgkill, rawsyscall(SYS_getpid), gettid(), sig);
  setsig(sig, reinterpret_cast<uintptr>(&gort_sigtramp));
}

// The signal stack's g becomes the current one. A request for preemption can come to a thread at any time, and puts
// its limit in force again: from here on a stack check knows what stack this is.
GORT_INLINE void adoptgsignal(g* gp) {
  g* gsignal = gp->m->gsignal;
  setg(gsignal);
  setstackguard(gsignal->stackguard0);
}

// Hands the signal to the handler that was there before the runtime's, if it is not ours.
GORT_INLINE bool sigfwdgo(std::uint32_t sig, const sigctxt& c, g* gp) {
  if (sig >= nsig) return false;
  uintptr fn = fwdSig[sig].Load();
  std::uint16_t flags = sigtable[sig].flags;
  if (handlingSig[sig].Load() == 0) {
    // It was on its way when it was taken off.
    if (fn == sig_ign || (fn == sig_dfl && (flags & sigIgn) != 0)) return true;
    if (fn == sig_dfl) {
      if (gp != nullptr) adoptgsignal(gp);
      setsig(sig, sig_dfl);
      dieFromSignal(sig);
    }
  } else {
    if (fn == sig_dfl) return false;
    // A fault of goroutine code is ours, one of other threads was theirs before we came.
    if ((c.sigFromUser() || (flags & sigPanic) == 0) && sig != SIGPIPE) return false;
    if (gp != nullptr) return false;
    if (fn == sig_ign) return true;
  }
  gort_sigfwd(reinterpret_cast<void (*)(int, siginfo_t*, void*)>(fn), static_cast<int>(sig), c.info,
              c.ctx);
  return true;
}

// A goroutine that has no M has no stack for signals either. Go's handler would come here again by its own
// fault, until the system ends the process without a word. Nothing here may check the stack: a request for
// preemption may come, and there is no g for it.
[[noreturn]] GORT_NOINLINE GORT_NOSPLIT void dieWithoutM(std::uint32_t sig, const sigctxt& c) {
  char text[] = "fatal: signal 00 in a goroutine without an M, pc=0x0000000000000000\n";
  constexpr uintptr kSignal = 14, kEnd = sizeof text - 2;
  text[kSignal] = static_cast<char>('0' + sig / 10 % 10);
  text[kSignal + 1] = static_cast<char>('0' + sig % 10);
  uintptr pc = c.sigpc();
  for (uintptr i = 1; i <= 16; i++, pc >>= 4) text[kEnd - i] = "0123456789abcdef"[pc & 15];
  rawsyscall(SYS_write, 2, reinterpret_cast<long>(text), static_cast<long>(sizeof text - 1));
  killself(sig);
}

}  // namespace

// Called by gort_sigtramp with no limit in force.
extern "C" GORT_NOSPLIT void gort_sigtrampgo(int signo, siginfo_t* info, void* ctx) {
  auto sig = static_cast<std::uint32_t>(signo);
  sigctxt c{info, static_cast<ucontext_t*>(ctx)};
  explore::leavestep(c.ctx->uc_mcontext.gregs);
  g* gp = getg();
  if (GORT_UNLIKELY(gp != nullptr && gp->m == nullptr)) dieWithoutM(sig, c);
  if (lookedAgain(sig, c, gp) || sigfwdgo(sig, c, gp)) return;
  if (gp == nullptr) {
    if (sig == SIGPROF) {
      if (validSIGPROF(nullptr, c.sigcode())) sigprofNonGoPC(c.sigpc());
      return;
    }
    if (sig == sigPreempt && dbg.asyncpreemptoff == 0) return;
    badsignal(sig, c);
    return;
  }
  adoptgsignal(gp);
  sighandler(sig, c, gp);
}

}  // namespace gort::runtime

#pragma clang attribute pop
