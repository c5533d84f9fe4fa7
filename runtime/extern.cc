#include "extern.h"

#include "any.h"
#include "malloc.h"
#include "os_linux.h"
#include "print.h"
#include "proc.h"
#include "stubs.h"
#include "traceback.h"

namespace gort::runtime {

namespace {

std::string_view cstring(const char* s) {
  uintptr n = 0;
  while (s[n] != 0) n++;
  return {s, n};
}

std::string_view keepname(const symname& name) { return copystring(name.data(), name.size()); }

}  // namespace

GORT_NOINLINE int Stack(std::span<char> buf, bool all) {
  if (all) stopTheWorld(stwAllGoroutinesStack);
  int n = 0;
  if (!buf.empty()) {
    g* gp = getg();
    uintptr pc = getcallerpc();
    uintptr sp = getcallersp();
    uintptr bp = getcallerbp();
    char* p = buf.data();
    uintptr size = buf.size();
    systemstack([&] {
      m* mp = getg()->m;
      // Show the caller the stack as users see it, whatever GOTRACEBACK says.
      mp->traceback = 1;
      beginwritebuf(p, size);
      goroutineheader(gp);
      traceback(pc, sp, bp, gp);
      if (all) tracebackothers(gp);
      n = static_cast<int>(endwritebuf());
      mp->traceback = 0;
    });
  }
  if (all) startTheWorld();
  return n;
}

GORT_NOINLINE CallerResult Caller(int skip) {
  uintptr pc = getcallerpc();
  uintptr sp = getcallersp();
  uintptr bp = getcallerbp();
  g* gp = getg();
  CallerResult r{0, {}, 0, false};
  systemstack([&] {
    unwinder u;
    for (u.initAt(pc, sp, bp, gp, unwindSilentErrors); u.valid(); u.next()) {
      inlineFrames fr;
      expandInlines(findfunc(u.symPC()), u.symPC(), &fr);
      if (skip < fr.n) {
        r = {u.symPC(), cstring(fr.frames[skip].file), fr.frames[skip].line, true};
        return;
      }
      skip -= fr.n;
    }
  });
  return r;
}

GORT_NOINLINE int Callers(int skip, std::span<uintptr> pc) {
  if (pc.empty()) return 0;
  return callers(skip, pc.data(), static_cast<int>(pc.size()));
}

std::string_view Func::Name() const { return f_.valid() ? keepname(gosymname(linkername_)) : ""; }

Func FuncForPC(uintptr pc) {
  funcInfo f = findfunc(pc);
  inlineFrames fr;
  expandInlines(f, pc, &fr);
  return Func(f, fr.n > 0 ? fr.frames[0].linkername : nullptr);
}

Frames::NextResult Frames::Next() {
  while (!pcs_.empty()) {
    uintptr pc = pcs_[0] - 1;
    if (i_ == 0) fn_ = findfunc(pc);
    inlineFrames fr;
    expandInlines(fn_, pc, &fr);
    if (i_ >= fr.n) {
      // Not a function of the program.
      pcs_ = pcs_.subspan(1);
      i_ = 0;
      continue;
    }
    const srcFrame& f = fr.frames[i_];
    Frame out{pc, keepname(gosymname(f.linkername)), cstring(f.file), f.line, fn_.entry};
    if (++i_ == fr.n) {
      pcs_ = pcs_.subspan(1);
      i_ = 0;
    }
    return {out, !pcs_.empty()};
  }
  return {{}, false};
}

namespace debug {

GORT_NOINLINE std::string_view Stack() {
  for (uintptr size = 1024;; size *= 2) {
    char* buf = static_cast<char*>(mallocgc(size, nullptr));
    auto n = static_cast<uintptr>(runtime::Stack({buf, size}, false));
    if (n < size) return {buf, n};
  }
}

GORT_NOINLINE void PrintStack() {
  std::string_view s = Stack();
  write(2, s.data(), s.size());
}

}  // namespace debug

}  // namespace gort::runtime
