// The walk itself, and what collects program counters. Printing is in traceback_print.cc.
#include "traceback.h"

#include "panic_throw.h"
#include "print.h"
#include "stubs.h"

extern "C" {
void gort_morestack_begin();
extern char gort_morestack_end[];
}

namespace gort::runtime {

bool unwinder::instack(uintptr p) const {
  return gp->stack.lo <= p && p + sys::PtrSize <= gp->stack.hi && p % sys::PtrSize == 0;
}

namespace {

constexpr uintptr unset = ~uintptr(0);

// Stacks are read while other threads may still write theirs, and TSan's view of a stack that is
// being looked at from outside is meaningless.
__attribute__((disable_sanitizer_instrumentation)) uintptr load(uintptr p) {
  return *reinterpret_cast<uintptr*>(p);
}

bool inMorestack(uintptr pc) {
  return pc - 1 >= reinterpret_cast<uintptr>(&gort_morestack_begin) &&
         pc - 1 < reinterpret_cast<uintptr>(gort_morestack_end);
}

// Functions that a signal handler makes a goroutine call: the frame below stopped at an instruction,
// not at a call.
bool isInjectedCall(funcInfo f) {
  auto is = [&](const char* name) {
    const char* s = f.linkername;
    while (*name != 0 && *s == *name) s++, name++;
    return *s == *name;
  };
  return f.valid() && (is("_ZN4gort7runtime8sigpanicEv") || is("gort_asyncPreempt"));
}

constexpr int framed = -1;

// For a function that a signal has stopped at pc: how far above the stack pointer its return address is,
// in bytes, if it has not made its frame yet, or has taken it down; framed if it has one.
int framelessAt(funcInfo f, uintptr pc) {
  constexpr unsigned char ret = 0xc3;
  constexpr unsigned char makeFrame[] = {0x55, 0x48, 0x89, 0xe5};  // push %rbp; mov %rsp,%rbp
  constexpr uintptr longestCheck = 48;  // bytes of code that checks the stack, before that
  if (pc == f.entry || *reinterpret_cast<const unsigned char*>(pc) == ret) return 0;
  const auto* code = reinterpret_cast<const unsigned char*>(f.entry);
  for (uintptr i = 0; i < longestCheck; i++) {
    if (__builtin_memcmp(code + i, makeFrame, sizeof makeFrame) != 0) continue;
    const uintptr push = f.entry + i;
    return pc <= push ? 0 : pc == push + 1 ? int{sys::PtrSize} : framed;
  }
  return framed;
}

}  // namespace

void unwinder::init(g* gp, unwindFlags flags) { initAt(unset, unset, unset, gp, flags); }

void unwinder::initAt(uintptr pc0, uintptr sp0, uintptr bp0, g* gp0, unwindFlags flags0) {
  // The stack would change under the walk, and could move.
  if (g* ourg = getg(); ourg == gp0 && ourg != nullptr && ourg == ourg->m->curg)
    throw_("cannot trace user goroutine on its own stack");
  if (pc0 == unset && sp0 == unset) {
    if (gp0->syscallsp != 0) {
      pc0 = gp0->syscallpc;
      sp0 = gp0->syscallsp;
      bp0 = gp0->syscallbp;
    } else {
      pc0 = gp0->sched.pc;
      sp0 = gp0->sched.sp;
      bp0 = gp0->sched.bp;
    }
  }
  gp = gp0;
  flags = flags0;
  sp = sp0;
  bp = bp0;
  inprologue = false;
  pc = pc0;
  bool begun = true;
  // A call of a null function pointer: its caller is the first frame worth showing.
  if (pc == 0 && instack(sp)) {
    pc = load(sp);
    sp += sys::PtrSize;
  }
  if (pc == reinterpret_cast<uintptr>(&gort_gostart) && gp->startpc != 0) {
    // It has not run yet: the function that it will run is more telling than where it starts.
    pc = gp->startpc;
    bp = 0;
    begun = false;
    flags |= unwindTrap;
  }
  fn = {};
  if ((flags & unwindSilentErrors) != 0) return;
  // A call that does not return may be the last instruction of its function: look inside it.
  fn = findfunc((flags & unwindTrap) != 0 || pc == 0 ? pc : pc - 1);
  if (pc != 0 && !fn.valid()) {
    print("runtime: g ", gp->goid, ": unknown pc ", hex(pc), "\n");
    tracebackHexdump(gp->stack, sp, bp, 0);
    pc = 0;
  }
  if (begun) settle();
}

void unwinder::settle() {
  if ((flags & unwindTrap) == 0 || pc == 0 || inprologue) return;
  const int above = framelessAt(fn, pc);
  if (above == framed) return;
  sp += static_cast<uintptr>(above);
  inprologue = instack(sp);
}

void unwinder::stop(const char* why) {
  // The system stacks begin in C code without frame pointers; that is no error.
  bool system = gp->m != nullptr && (gp == gp->m->g0 || gp == gp->m->gsignal);
  if (why != nullptr && !system && (flags & unwindSilentErrors) == 0) {
    print("runtime: ", why, " pc=", hex(pc), " sp=", hex(sp), " bp=", hex(bp), "\n");
    tracebackHexdump(gp->stack, sp, bp, bp);
  }
  pc = 0;
}

void unwinder::found(uintptr callerpc) {
  pc = callerpc;
  if ((flags & unwindSilentErrors) != 0) return;
  funcInfo f = findfunc(callerpc == 0 || (flags & unwindTrap) != 0 ? callerpc : callerpc - 1);
  if (!f.valid()) {
    bool system = gp->m != nullptr && (gp == gp->m->g0 || gp == gp->m->gsignal);
    if (callerpc != 0 && !system) {
      print("runtime: g ", gp->goid, ": unexpected return pc for ", funcname(fn), " called from ",
            hex(callerpc), "\n");
      tracebackHexdump(gp->stack, sp, bp, 0);
    }
    pc = 0;
    return;
  }
  fn = f;
  if ((flags & unwindTrap) != 0 && !inprologue) {
    // The injected call may have aligned the stack pointer; calls push at addresses 16 n + 8.
    settle();
    if (inprologue && sp % 16 == 0) sp += sys::PtrSize;
  }
}

void unwinder::next() {
  if (isInjectedCall(fn))
    flags |= unwindTrap;
  else
    flags &= static_cast<unwindFlags>(~unwindTrap);

  if (inprologue) {
    // bp is the caller's already.
    inprologue = false;
    if (!instack(sp)) return stop("traceback stuck.");
    uintptr callerpc = load(sp);
    sp += sys::PtrSize;
    return found(callerpc);
  }
  if (bp == 0) return stop(nullptr);  // the outermost frame
  if (bp < sp || !instack(bp) || !instack(bp + sys::PtrSize)) return stop("traceback stuck.");
  uintptr callerbp = load(bp);
  uintptr callerpc = load(bp + sys::PtrSize);
  bool morestack = inMorestack(pc);
  sp = bp + 2 * sys::PtrSize;
  bp = callerbp;
  inprologue = morestack;
  found(callerpc);
}

uintptr unwinder::symPC() const { return (flags & unwindTrap) == 0 ? pc - 1 : pc; }

int tracebackPCs(unwinder* u, int skip, uintptr* pcbuf, int n) {
  int i = 0;
  for (; i < n && u->valid(); u->next()) {
    if (skip > 0) {
      inlineFrames fr;
      expandInlines(findfunc(u->symPC()), u->symPC(), &fr);
      skip -= fr.n;
      if (skip >= 0) continue;
      skip = 0;
    }
    // Readers of the buffer take 1 off to come into the call.
    pcbuf[i++] = u->symPC() + 1;
  }
  return i;
}

GORT_NOINLINE int callers(int skip, uintptr* pcbuf, int n) {
  uintptr pc = getcallerpc();
  uintptr sp = getcallersp();
  uintptr bp = getcallerbp();
  g* gp = getg();
  int stored = 0;
  systemstack([&] {
    unwinder u;
    u.initAt(pc, sp, bp, gp, unwindSilentErrors);
    stored = tracebackPCs(&u, skip, pcbuf, n);
  });
  return stored;
}

int gcallers(g* gp, int skip, uintptr* pcbuf, int n) {
  unwinder u;
  u.init(gp, unwindSilentErrors);
  return tracebackPCs(&u, skip, pcbuf, n);
}

void tracebackHexdump(stack stk, uintptr sp, uintptr fp, uintptr bad) {
  constexpr uintptr expand = 32 * sys::PtrSize;
  constexpr uintptr maxExpand = 256 * sys::PtrSize;
  uintptr lo = sp, hi = sp;
  if (fp != 0 && fp < lo) lo = fp;
  if (fp != 0 && fp > hi) hi = fp;
  lo -= expand;
  hi += expand;
  if (lo < sp - maxExpand) lo = sp - maxExpand;
  if (hi > sp + maxExpand) hi = sp + maxExpand;
  if (lo < stk.lo) lo = stk.lo;
  if (hi > stk.hi) hi = stk.hi;
  lo = alignUp(lo, sys::PtrSize);
  hi = alignDown(hi, sys::PtrSize);

  print("stack: frame={sp:", hex(sp), ", fp:", hex(fp), "} stack=[", hex(stk.lo), ",", hex(stk.hi),
        ")\n");
  struct {
    uintptr sp, fp, bad;
  } marks{sp, fp, bad};
  hexdumpWords(
      lo, hi,
      [](uintptr p, void* arg) {
        auto* m = static_cast<decltype(marks)*>(arg);
        return p == m->fp ? '>' : p == m->sp ? '<' : p == m->bad ? '!' : char(0);
      },
      &marks);
}

}  // namespace gort::runtime
