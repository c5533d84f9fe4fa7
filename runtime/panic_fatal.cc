// The end of the process: throws, fatal errors and panics that nobody recovered. The second half of
// panic.go.
//
// Invariants:
//  - Nothing here waits for a lock that the failing thread may hold: printlock is recursive, paniclk
//    is taken once per M (m.dying), the goroutine dump takes none.
//  - m.dying counts how often this M has failed: 1 reports, 2 prints stacks only, 3 exits. So a fault
//    inside the report ends the process instead of looping.
//  - It all runs on the system stack, whose limit is far away, and allocates nothing (m.mallocing
//    makes an allocation throw).
//  - The M whose report is the last to finish ends the process; the others wait for that.
#include "lock_futex.h"
#include "os_linux.h"
#include "panic.h"
#include "panic_throw.h"
#include "print.h"
#include "proc.h"
#include "runtime1.h"
#include "signal_unix.h"
#include "stubs.h"
#include "traceback.h"

namespace gort::runtime {

namespace {

atomic::Bool didothers;

// True if the report may begin with the panic's own text.
bool startpanic_m() {
  m* mp = getg()->m;
  mp->mallocing++;
  // A negative count of locks may be why we are here; it must not be why the report fails.
  if (mp->locks < 0) mp->locks = 1;

  switch (mp->dying) {
    case 0:
      mp->dying = 1;
      panicking.Add(1);
      lock(&paniclk);
      if (dbg.schedtrace > 0 || dbg.scheddetail > 0) schedtrace(true);
      freezetheworld();
      return true;
    case 1:
      mp->dying = 2;
      print("panic during panic\n");
      return false;
    case 2:
      mp->dying = 3;
      print("stack trace unavailable\n");
      exit(4);
    default:
      exit(5);
  }
}

// Prints the stacks. gp failed on this M; it may be the user goroutine, while this runs on g0.
// Returns whether to crash rather than exit.
bool dopanic_m(g* gp, uintptr pc, uintptr sp, uintptr bp) {
  if (gp->sig != 0) {
    print("[signal ");
    if (const char* name = signame(gp->sig); name != nullptr)
      print(name);
    else
      print(hex(gp->sig));
    print(" code=", hex(gp->sigcode0), " addr=", hex(gp->sigcode1), " pc=", hex(gp->sigpc), "]\n");
  }
  auto [level, all, docrash] = gotraceback();
  m* mp = gp->m;
  if (level > 0) {
    if (gp != mp->curg) all = true;
    if (gp != mp->g0) {
      print("\n");
      goroutineheader(gp);
      traceback(pc, sp, bp, gp);
    } else if (level >= 2 || mp->throwing >= throwTypeRuntime) {
      print("\nruntime stack:\n");
      traceback(pc, sp, bp, gp);
    }
    if (all && !didothers.Swap(true)) tracebackothers(gp);
  }
  unlock(&paniclk);

  if (panicking.Add(-1u) != 0) {
    // Somebody else is still printing, and will exit.
    lock(&deadlock);
    lock(&deadlock);
  }
  return docrash;
}

// A thread that the runtime does not know, or does not know yet.
[[noreturn]] void earlythrow(const char* s) {
  print("fatal error: ", s, "\n");
  rawexit(2);
}

bool haveM() {
  g* gp = getg();
  return gp != nullptr && gp->m != nullptr;
}

[[noreturn]] GORT_NOSPLIT GORT_NOINLINE void fatalthrow(throwType t) {
  uintptr pc = getcallerpc();
  uintptr sp = getcallersp();
  uintptr bp = getcallerbp();
  g* gp = getg();
  if (gp->m->throwing == throwTypeNone) gp->m->throwing = t;
  systemstack([&] {
    startpanic_m();
    if (dopanic_m(gp, pc, sp, bp)) crash();
    exit(2);
  });
  __builtin_unreachable();
}

}  // namespace

GORT_NOSPLIT GORT_NOINLINE void throw_(const char* s) {
  if (!haveM()) earlythrow(s);
  systemstack([&] { print("fatal error: ", s, "\n"); });
  fatalthrow(throwTypeRuntime);
}

GORT_NOSPLIT GORT_NOINLINE void fatal(const char* s) {
  if (!haveM()) earlythrow(s);
  systemstack([&] { print("fatal error: ", s, "\n"); });
  fatalthrow(throwTypeUser);
}

void startpanicFromSignal() { startpanic_m(); }

GORT_SIGNALSAFE bool panickingNow() { return panicking.Load() != 0; }

// Oldest first, so that each stands above the one that came while its deferred calls ran. Runs after
// preprintpanics.
void printpanics(_panic* p) {
  if (p->link != nullptr) {
    printpanics(p->link);
    if (!p->link->goexit) print("\t");
  }
  if (p->goexit) return;
  print("panic: ");
  printany(p->arg);
  if (p->recovered) print(" [recovered]");
  print("\n");
}

GORT_NOSPLIT GORT_NOINLINE void fatalpanic(_panic* msgs) {
  uintptr pc = getcallerpc();
  uintptr sp = getcallersp();
  uintptr bp = getcallerbp();
  g* gp = getg();
  bool docrash = false;
  systemstack([&] {
    if (startpanic_m() && msgs != nullptr) {
      // panicking keeps main from ending the process now, so this count is no longer needed.
      runningPanicDefers.Add(-1u);
      printpanics(msgs);
    }
    docrash = dopanic_m(gp, pc, sp, bp);
  });
  // On the goroutine's own stack, where a debugger finds the panic.
  if (docrash) crash();
  systemstack([] { exit(2); });
  __builtin_unreachable();
}

}  // namespace gort::runtime
