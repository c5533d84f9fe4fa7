// Pipes, for goroutines that block in a system call. For use in a scenario.
#pragma once

#include <fcntl.h>
#include <sys/syscall.h>

#include "tests/harness.h"

namespace gort::test {

struct pipefds {
  int r, w;
};
inline pipefds makepipe() {
  pipefds p;
  CHECK_GO(syscall::RawSyscall(SYS_pipe2, reinterpret_cast<long>(&p), O_CLOEXEC) == 0);
  return p;
}
// Blocks its thread until a byte comes.
inline int readbyte(int fd) {
  unsigned char b = 0;
  CHECK_GO(syscall::Syscall(SYS_read, fd, reinterpret_cast<long>(&b), 1) == 1);
  return b;
}
inline void writebyte(int fd, int v) {
  auto b = static_cast<unsigned char>(v);
  CHECK_GO(syscall::Syscall(SYS_write, fd, reinterpret_cast<long>(&b), 1) == 1);
}

}  // namespace gort::test
