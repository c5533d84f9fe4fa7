// See goruntime.h.
#include "goruntime.h"

#include <sys/syscall.h>

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

}  // namespace debug
}  // namespace gort::runtime

namespace gort::syscall {

GORT_NOSPLIT long Syscall(long nr, long a1, long a2, long a3, long a4, long a5, long a6) {
  runtime::entersyscall();
  long r = runtime::rawsyscall(nr, a1, a2, a3, a4, a5, a6);
  runtime::exitsyscall();
  return r;
}

long RawSyscall(long nr, long a1, long a2, long a3) { return runtime::rawsyscall(nr, a1, a2, a3); }

int Getpid() { return static_cast<int>(runtime::rawsyscall(SYS_getpid)); }
int Kill(int pid, int sig) { return static_cast<int>(runtime::rawsyscall(SYS_kill, pid, sig)); }

}  // namespace gort::syscall
