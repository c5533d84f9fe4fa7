// See writer.h.
#include "writer.h"

#include <errno.h>
#include <poll.h>
#include <sys/syscall.h>

#include "syscall.h"

namespace gort::runtime {

bool Writer::writefd(int fd, const void* p, std::size_t n) {
  auto at = reinterpret_cast<long>(p);
  long left = static_cast<long>(n);
  while (left > 0) {
    long w = syscall::Syscall(SYS_write, fd, at, left);
    if (w == -EINTR) continue;
    if (w == -EAGAIN) {
      // The descriptor does not block by itself.
      pollfd pfd{fd, POLLOUT, 0};
      syscall::Syscall(SYS_poll, reinterpret_cast<long>(&pfd), 1, -1);
      continue;
    }
    if (w <= 0) return false;
    at += w;
    left -= w;
  }
  return true;
}

}  // namespace gort::runtime
