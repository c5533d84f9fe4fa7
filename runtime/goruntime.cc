// See goruntime.h.
#include "goruntime.h"

#include <sys/syscall.h>

#include "mgc.h"
#include "os_linux.h"
#include "stack.h"

namespace gort::runtime {

int NumGoroutine() { return gcount(); }
int NumCPU() { return ncpu; }
std::string_view Version() { return "devel go1.22-ff7cf2d4cd82"; }

// Nosplit: between entersyscall and exitsyscall the stack may not grow.
GORT_NOSPLIT void cgocall(void (*fn)(void*), void* arg) {
  entersyscall();
  gort_systemstack(fn, arg);
  exitsyscall();
}

namespace debug {

std::int64_t SetMaxStack(std::int64_t bytes) {
  // Read by newstack on other threads, which take the old or the new limit.
  auto old = static_cast<std::int64_t>(static_cast<uintptr>(maxstacksize));
  maxstacksize = static_cast<uintptr>(bytes);
  return old;
}

std::int64_t SetMaxThreads(std::int64_t threads) {
  std::int64_t old = 0;
  systemstack([&] { old = setMaxThreads(threads); });
  return old;
}

int SetGCPercent(int percent) { return setGCPercent(percent); }

void FreeOSMemory() {
  GC();
  systemstack([] { scavenge(~uintptr(0)); });
}

void ReadGCStats(GCStats* stats) {
  // Four kilobytes, too much for a small stack.
  auto* ms = make<MemStats>();
  ReadMemStats(ms);
  constexpr std::int64_t ring = 256;
  std::int64_t n = ms->NumGC < ring ? ms->NumGC : ring;
  stats->NumGC = ms->NumGC;
  stats->LastGC = time::Unix(0, static_cast<std::int64_t>(ms->LastGC));
  stats->PauseTotal = ms->PauseTotalNs;
  stats->Pause = make_slice<time::Duration>(n);
  stats->PauseEnd = make_slice<time::Time>(n);
  for (std::int64_t i = 0; i < n; i++) {
    std::int64_t at = (ms->NumGC + ring - 1 - i) % ring;
    stats->Pause[i] = ms->PauseNs[at];
    stats->PauseEnd[i] = time::Unix(0, static_cast<std::int64_t>(ms->PauseEnd[at]));
  }
}

}  // namespace debug
}  // namespace gort::runtime
