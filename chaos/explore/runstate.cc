#include "chaos/explore/runstate.h"

#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdio>

#include "runtime/os_linux.h"

#pragma clang section bss = ".bss.noroots" data = ".data.noroots"

namespace gort::chaos {

constinit RunState run{};

void End(int status) {
  for (;;) runtime::rawsyscall(SYS_exit_group, status);
}

void Say(const char* text, int n) {
  runtime::rawsyscall(SYS_write, STDERR_FILENO, reinterpret_cast<long>(text), n);
}

void Broken(const char* why) {
  char line[300];
  const int n = std::snprintf(line, sizeof line, "explore: %s\n", why);
  Say(line, n);
  std::snprintf(run.result->outcome, sizeof run.result->outcome, "broken");
  End(kExplorerBroken);
}

void* MapMemory(std::size_t bytes, const char* what) {
  void* at = mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (at != MAP_FAILED) return at;
  char why[100];
  std::snprintf(why, sizeof why, "no memory for %s", what);
  Broken(why);
}

int ThreadId() { return static_cast<int>(runtime::rawsyscall(SYS_gettid)); }

int ThreadCount() { return run.threadCount; }
const ThreadView& ViewThread(int thread) { return run.threads[thread].v; }
int CurrentThread() { return run.current; }
std::uint64_t TotalSteps() { return run.result->steps; }
std::int64_t VirtualNow() { return run.result->now; }

}  // namespace gort::chaos
