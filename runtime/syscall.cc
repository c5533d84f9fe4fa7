// See syscall.h. Ports syscall_linux.go's part of it.
#include "syscall.h"

#include <errno.h>
#include <sys/syscall.h>

#include "os_linux.h"
#include "proc.h"

namespace gort::syscall {

GORT_NOSPLIT long Syscall(long nr, long a1, long a2, long a3, long a4, long a5, long a6) {
  runtime::entersyscall();
  long r = runtime::rawsyscall(nr, a1, a2, a3, a4, a5, a6);
  runtime::exitsyscall();
  return r;
}

long RawSyscall(long nr, long a1, long a2, long a3) { return runtime::rawsyscall(nr, a1, a2, a3); }

int Getpid() { return static_cast<int>(runtime::rawsyscall(SYS_getpid)); }
int Kill(int pid, int sig) {
  if (runtime::explore::on() && pid == Getpid() && sig != 0) {
    runtime::explore::ask(runtime::explore::Kind::kSignalProcess, nullptr, sig);
    return 0;
  }
  return static_cast<int>(runtime::rawsyscall(SYS_kill, pid, sig));
}

long AllThreadsSyscall(long nr, long a1, long a2, long a3) {
  return AllThreadsSyscall6(nr, a1, a2, a3, 0, 0, 0);
}

long AllThreadsSyscall6(long nr, long a1, long a2, long a3, long a4, long a5, long a6) {
  // Threads of others come and go as they like: there is no «every thread».
  if (runtime::iscgo.Load()) return -ENOTSUP;
  runtime::allThreadsFn fn{nr, {a1, a2, a3, a4, a5, a6}, 0};
  runtime::doAllThreadsSyscall(&fn);
  return fn.result;
}

}  // namespace gort::syscall
