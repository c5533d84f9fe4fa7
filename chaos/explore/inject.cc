#include "chaos/explore/inject.h"

#include <signal.h>
#include <sys/syscall.h>

#include "runtime/explore.h"
#include "runtime/os_linux.h"
#include "runtime/panic_throw.h"
#include "runtime/proc.h"
#include "runtime/stack.h"
#include "runtime/stubs.h"

// No roots of the collector (goroutine.lds).
#pragma clang section bss = ".bss.noroots" data = ".data.noroots"

namespace gort::chaos {

namespace {

using runtime::explore::Kind;

void (*installedBefore)(Point);

constexpr std::uintptr_t kOnGoroutine = 1 << 16;

// On a system stack; as the hook of scripts.
void AtPoint(void* arg) {
  const auto word = reinterpret_cast<std::uintptr_t>(arg);
  const Point p = static_cast<Point>(word & (kOnGoroutine - 1));
  runtime::g* gp = nullptr;
  if ((word & kOnGoroutine) != 0) gp = static_cast<runtime::m*>(runtime::getg()->m)->curg;
  switch (static_cast<Injection>(
      runtime::explore::ask(Kind::kPoint, nullptr, 0, static_cast<std::int64_t>(p)))) {
    case Injection::kMoveStack:
      if (gp != nullptr) gp->stackguard0 = runtime::stackForceMove;
      return;
    case Injection::kFailAllocation:
      if (p == Point::mallocgc_begin) runtime::throw_("out of memory (injected)");
      return;
    case Injection::kPreempt:
      if (gp == nullptr) return;
      gp->preempt = true;
      gp->stackguard0 = runtime::stackPreempt;
      return;
    case Injection::kSignal:
      runtime::rawsyscall(SYS_tgkill, runtime::rawsyscall(SYS_getpid), runtime::gettid(), SIGURG);
      return;
    case Injection::kNone:
    case Injection::count_:
      return;
  }
}

void Hook(Point p) {
  if (installedBefore != nullptr) installedBefore(p);
  std::uintptr_t word = static_cast<std::uintptr_t>(p);
  runtime::g* gp = runtime::getg();
  if (gp != nullptr && gp != gp->m->g0 && gp != gp->m->gsignal) word |= kOnGoroutine;
  runtime::gort_systemstack(AtPoint, reinterpret_cast<void*>(word));
}

}  // namespace

const char* InjectionName(Injection injection) {
  switch (injection) {
    case Injection::kNone:
      return "nothing";
    case Injection::kMoveStack:
      return "movestack";
    case Injection::kFailAllocation:
      return "throw(out of memory)";
    case Injection::kPreempt:
      return "preempt";
    case Injection::kSignal:
      return "signal(23)";
    case Injection::count_:
      break;
  }
  return "?";
}

void InstallInjections() {
  installedBefore = runtime::pointHook;
  runtime::pointHook = Hook;
}

}  // namespace gort::chaos
