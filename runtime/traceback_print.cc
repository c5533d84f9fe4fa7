// Printing stacks. The second part of traceback.go.
#include "os_linux.h"
#include "point.h"
#include "print.h"
#include "proc.h"
#include "runtime1.h"
#include "stubs.h"
#include "traceback.h"

namespace gort::runtime {

namespace {

constexpr uintptr unset = ~uintptr(0);
constexpr int maxInt = 0x7fffffff;

// Only for functions of the runtime. A type's methods are not exported by this rule, as in Go.
bool isExportedRuntime(const symname& name) {
  constexpr uintptr n = 8;  // of "runtime."
  return name.hasPrefix("runtime.") && name.size() > n && 'A' <= name.buf[n] && name.buf[n] <= 'Z';
}

bool showframe(const symname& name, g* gp, bool firstFrame) {
  m* mp = getg()->m;
  if (mp->throwing >= throwTypeRuntime && gp != nullptr && gp == mp->curg) return true;
  return showfuncinfo(name, firstFrame);
}

void printFuncName(const symname& name) {
  if (name.is("runtime.gopanic"))
    print("panic");
  else
    print(name);
}

// «created by» and where, for the pc of a go statement; and the goroutine that it stands in, unless
// goid is 0. Nothing if show(name) accepts no function there.
template <class Show>
void printcreatedby1(uintptr pc, std::uint64_t goid, Show show) {
  if (pc == 0) return;
  funcInfo f = findfunc(pc - 1);
  if (!f.valid()) return;
  // The go statement is a call that the compiler may have inlined into its function, and go itself is
  // the runtime's: the creator is the innermost function that users see.
  inlineFrames fr;
  expandInlines(f, pc > f.entry ? pc - 1 : pc, &fr);
  for (int i = 0; i < fr.n; i++) {
    symname name = gosymname(fr.frames[i].linkername);
    if (!show(name)) continue;
    if (i < fr.n - 1 && name.hasPrefix("runtime.")) continue;
    print("created by ");
    printFuncName(name);
    if (goid != 0) print(" in goroutine ", goid);
    print("\n\t", fr.frames[i].file, ":", fr.frames[i].line);
    if (pc > f.entry) print(" +", hex(pc - f.entry));
    print("\n");
    return;
  }
}

// What one frame of an ancestor says: that its arguments are not known, whatever they are.
void printAncestorTracebackFuncInfo(uintptr pc, bool first) {
  funcInfo f = findfunc(pc - 1);
  if (!f.valid()) return;
  inlineFrames fr;
  expandInlines(f, pc - 1, &fr);
  for (int i = 0; i < fr.n; i++) {
    symname name = gosymname(fr.frames[i].linkername);
    if (!showfuncinfo(name, first && i == 0)) continue;
    printFuncName(name);
    print("(...)\n\t", fr.frames[i].file, ":", fr.frames[i].line);
    if (!fr.isInlined(i) && pc > f.entry) print(" +", hex(pc - f.entry));
    print("\n");
  }
}

void printAncestorTraceback(const ancestorInfo* a) {
  print("[originating from goroutine ", a->goid, "]:\n");
  int n = a->npcs;
  for (int i = 0; i < n; i++) printAncestorTracebackFuncInfo(a->pcs[i], i == 0);
  if (n == tracebackInnerFrames) print("...additional frames elided...\n");
  // The goroutine that created it comes next, so its number need not be said here.
  if (a->goid != 1)
    printcreatedby1(a->gopc, 0, [](const symname& name) { return showfuncinfo(name, false); });
}

struct traceback2Result {
  int n;  // logical frames skipped and printed
  int lastN;  // those of the physical frame that the walk stands at
};

// Walks on from u: skips the first skip logical frames, prints the next max, and stops in front of
// the one after.
traceback2Result traceback2(unwinder* u, bool showRuntime, int skip, int max) {
  g* gp = u->gp;
  int level = gotraceback().level;
  traceback2Result r{0, 0};
  for (; u->valid(); u->next()) {
    r.lastN = 0;
    inlineFrames fr;
    expandInlines(u->fn, u->symPC(), &fr);
    for (int i = 0; i < fr.n; i++) {
      symname name = gosymname(fr.frames[i].linkername);
      if (!showRuntime && !showframe(name, gp, r.n == 0)) continue;
      if (skip == 0 && max == 0) return r;
      r.n++;
      r.lastN++;
      if (skip > 0) {
        skip--;
        continue;
      }
      max--;
      printFuncName(name);
      bool noargs = name.noargs && !fr.isInlined(i) && !name.is("runtime.gopanic");
      print(noargs ? "()\n" : "(...)\n");
      print("\t", fr.frames[i].file, ":", fr.frames[i].line);
      if (!fr.isInlined(i)) {
        if (u->pc > u->fn.entry) print(" +", hex(u->pc - u->fn.entry));
        if ((gp->m != nullptr && gp->m->throwing >= throwTypeRuntime && gp == gp->m->curg) ||
            level >= 2)
          print(" fp=", hex(u->fp()), " sp=", hex(u->sp), " pc=", hex(u->pc));
      }
      print("\n");
    }
  }
  r.lastN = 0;
  return r;
}

// Prints the inner frames at once, then counts what is left and prints the outer ones: the inner part
// is read only once, because in a bad state reading may crash.
int tracebackWithRuntime(uintptr pc, uintptr sp, uintptr bp, g* gp, unwindFlags flags,
                         bool showRuntime) {
  unwinder u;
  u.initAt(pc, sp, bp, gp, flags);
  auto [n, lastN] = traceback2(&u, showRuntime, 0, tracebackInnerFrames);
  if (n < tracebackInnerFrames) return n;
  // The frame that u stands at may be printed in part: the second walk begins with it again.
  unwinder u2 = u;
  int remaining = traceback2(&u, showRuntime, maxInt, 0).n;
  int elide = remaining - lastN - tracebackOuterFrames;
  if (elide > 0)
    print("...", elide, " frames elided...\n");
  else
    elide = 0;
  traceback2(&u2, showRuntime, lastN + elide, tracebackOuterFrames);
  return n;
}

void traceback1(uintptr pc, uintptr sp, uintptr bp, g* gp, unwindFlags flags) {
  if ((readgstatus(gp) & ~_Gscan) == _Gsyscall) {
    pc = gp->syscallpc;
    sp = gp->syscallsp;
    bp = gp->syscallbp;
    flags &= static_cast<unwindFlags>(~unwindTrap);
  }
  flags |= unwindPrintErrors;
  // A stack that is all runtime is still better than nothing.
  if (tracebackWithRuntime(pc, sp, bp, gp, flags, false) == 0)
    tracebackWithRuntime(pc, sp, bp, gp, flags, true);
  printcreatedby(gp);
  int n = dbg.tracebackancestors;
  for (ancestorInfo* a = gp->ancestors; a != nullptr && n > 0; a = a->next, n--)
    printAncestorTraceback(a);
}

constexpr const char* gStatusStrings[] = {"idle", "runnable", "running", "syscall",   "waiting",
                                          "???",  "dead",     "???",     "copystack", "preempted"};

}  // namespace

bool showfuncinfo(const symname& name, bool firstFrame) {
  if (gotraceback().level > 1) return true;
  // In the middle of a stack, panic separates ordinary code from deferred calls.
  if (name.is("runtime.gopanic") && !firstFrame) return true;
  return name.contains('.') && (!name.hasPrefix("runtime.") || isExportedRuntime(name));
}

void traceback(uintptr pc, uintptr sp, uintptr bp, g* gp) { traceback1(pc, sp, bp, gp, 0); }

void tracebacktrap(uintptr pc, uintptr sp, uintptr bp, g* gp) {
  traceback1(pc, sp, bp, gp, unwindTrap);
}

void printcreatedby(g* gp) {
  if (gp->goid == 1) return;
  printcreatedby1(gp->gopc, gp->parentGoid,
                  [gp](const symname& name) { return showframe(name, gp, false); });
}

void goroutineheader(g* gp) {
  std::uint32_t status = readgstatus(gp);
  bool isScan = (status & _Gscan) != 0;
  status &= ~_Gscan;

  const char* text =
      status < sizeof gStatusStrings / sizeof *gStatusStrings ? gStatusStrings[status] : "???";
  waitReason why = gp->waitreason;
  if (status == _Gwaiting && why != waitReasonZero) text = waitReasonString(why);

  std::int64_t minutes = 0;
  if ((status == _Gwaiting || status == _Gsyscall) && gp->waitsince != 0)
    minutes = (nanotime() - static_cast<std::int64_t>(gp->waitsince)) / 60000000000;

  print("goroutine ", gp->goid, " [", text);
  if (isScan) print(" (scan)");
  if (minutes >= 1) print(", ", minutes, " minutes");
  if (gp->lockedm != nullptr) print(", locked to thread");
  print("]:\n");
}

// Called while a throw or an unrecovered panic is reported, with whatever locks its thread held:
// allglock may be one of them, so no lock is taken. Goroutines made meanwhile may be missed.
void tracebackothers(g* me) {
  POINT(tracebackothers_begin);
  int level = gotraceback().level;
  m* mp = getg()->m;

  g* curgp = mp->curg;
  if (curgp != nullptr && curgp != me) {
    print("\n");
    goroutineheader(curgp);
    traceback(unset, unset, unset, curgp);
  }

  forEachGRace([&](g* gp) {
    if (gp == me || gp == curgp || readgstatus(gp) == _Gdead ||
        (isSystemGoroutine(gp, false) && level < 2))
      return;
    print("\n");
    goroutineheader(gp);
    // A goroutine of this very M is running when a signal came in the middle of a systemstack call;
    // its stack can be read.
    if (gp->m != mp && (readgstatus(gp) & ~_Gscan) == _Grunning) {
      print("\tgoroutine running on other thread; stack unavailable\n");
      printcreatedby(gp);
    } else {
      traceback(unset, unset, unset, gp);
    }
  });
}

}  // namespace gort::runtime
