// Settings from the environment: GOTRACEBACK, GODEBUG and GOGC. Ports the parts of runtime1.go, env.go
// and mgcpacer.go that read them.
//
// Invariants:
//  - dbg is written by parsedebugvars while there is one thread, and constant afterwards. (Go can
//    change panicnil later; os.Setenv does not exist here.)
//  - traceback_cache holds the GOTRACEBACK level in force; SetTraceback may raise it above what the
//    environment asked for, never lower it.
//
// Nothing here allocates or calls libc: it runs before the heap exists.
#pragma once

#include "atomic.h"
#include "sys.h"

namespace gort::runtime {

// Bits of traceback_cache; the level stands above them.
inline constexpr std::uint32_t tracebackCrash = 1 << 0;
inline constexpr std::uint32_t tracebackAll = 1 << 1;
inline constexpr std::uint32_t tracebackShift = 2;

struct gotracebackResult {
  std::int32_t level;  // 0: no tracebacks; 1: without the runtime's frames; 2: with them
  bool all;  // of all goroutines, rather than the current one
  bool crash;  // dump core afterwards
};
gotracebackResult gotraceback();
// none, single, all, system, crash or a number. Unknown words count as 0 with «all», as in Go.
void setTraceback(const char* level);

// What GODEBUG=name=value,... sets. (Go's variable is called debug; here that is the namespace of
// package runtime/debug.)
struct dbgT {
  std::int32_t adaptivestackstart;  // new goroutines get as much stack as the scanned ones use
  std::int32_t asyncpreemptoff;  // no preemption by signals
  std::int32_t clobberfree;  // the sweeper overwrites what it frees
  std::int32_t dontfreezetheworld;  // a crash does not stop the other goroutines first
  std::int32_t efence;  // stacks: every one from pages of its own, never used again
  std::int32_t gccheckmark;
  std::int32_t gcshrinkstackoff;  // the collector does not shrink stacks
  std::int32_t gcstoptheworld;
  std::int32_t gctrace;
  std::int32_t scheddetail;  // schedtrace shows every P, M and G
  std::int32_t schedtrace;  // ms between the scheduler's trace lines, 0 for none
  std::int32_t tracebackancestors;  // number of creators' stacks that a traceback adds
  // This port's own:
  std::int32_t gcevery;  // collect at every so many allocations, 0 for never
  std::int32_t stackmoveall;  // newstack moves the stack at every call
  std::int32_t stackpoison;  // new and freed stacks are filled with a pattern
  std::int32_t
      stackfaultonfree;  // freed stacks become inaccessible, so that a stale pointer faults
  // At each collection look for addresses of stacks in heap objects.
  std::int32_t heapstackcheck;

  std::int32_t panicnil;  // recover returns nil after panic(nil)
};
extern dbgT dbg;

// Reads GODEBUG and GOTRACEBACK. Runs once, in schedinit.
void parsedebugvars();

// GOGC: the percentage by which the heap may grow, -1 for «off», 100 if it says nothing of the kind.
std::int32_t readGOGC();

// The value of an environment variable as it was when the process began; null if it is not set.
const char* gogetenv(const char* key);

struct atoiResult {
  std::int64_t n;
  bool ok;
};
// A decimal integer, with a minus sign or none, and nothing else; ok is false for anything else and
// for what does not fit.
atoiResult atoi(const char* s, uintptr len);
atoiResult atoi(const char* s);

namespace debug {
// Sets what tracebacks show, as GOTRACEBACK does.
void SetTraceback(const char* level);
}  // namespace debug

}  // namespace gort::runtime
