#include "chaos/wholefile.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>

namespace gort::chaos {

namespace {

// A limit on the size of files is an error like a full disk, not the end of the program.
class IgnoreFileSizeSignal {
 public:
  IgnoreFileSizeSignal() {
    struct sigaction ignore = {};
    ignore.sa_handler = SIG_IGN;
    sigaction(SIGXFSZ, &ignore, &before_);
  }
  ~IgnoreFileSizeSignal() { sigaction(SIGXFSZ, &before_, nullptr); }
  IgnoreFileSizeSignal(const IgnoreFileSizeSignal&) = delete;
  IgnoreFileSizeSignal& operator=(const IgnoreFileSizeSignal&) = delete;

 private:
  struct sigaction before_ = {};
};

// Who is interrupted while it writes comes to its end first: nothing half is left behind.
class HoldInterrupts {
 public:
  HoldInterrupts() {
    sigset_t signals;
    sigemptyset(&signals);
    for (const int sig : {SIGINT, SIGTERM, SIGHUP}) sigaddset(&signals, sig);
    pthread_sigmask(SIG_BLOCK, &signals, &before_);
  }
  ~HoldInterrupts() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  HoldInterrupts(const HoldInterrupts&) = delete;
  HoldInterrupts& operator=(const HoldInterrupts&) = delete;

 private:
  sigset_t before_;
};

// WriteAll returns 0 or the error's number.
int WriteAll(int fd, const std::string& text) {
  std::size_t done = 0;
  while (done < text.size()) {
    const ssize_t n = write(fd, text.data() + done, text.size() - done);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return n < 0 ? errno : ENOSPC;
    done += static_cast<std::size_t>(n);
  }
  return 0;
}

}  // namespace

bool SameFile(const std::string& a, const std::string& b) {
  if (a.empty() || b.empty()) return false;
  std::error_code ignored;
  if (std::filesystem::equivalent(a, b, ignored)) return true;
  const auto whole = [&](const std::string& path) {
    return std::filesystem::weakly_canonical(std::filesystem::absolute(path, ignored), ignored);
  };
  return whole(a) == whole(b);
}

std::string WriteWhole(const std::string& path, const std::string& text) {
  const IgnoreFileSizeSignal ignore;
  const HoldInterrupts hold;
  auto failed = [&](int error) { return path + ": cannot be written: " + std::strerror(error); };
  // A link stays, and what it leads to is replaced.
  std::error_code unresolved;
  std::string target = std::filesystem::weakly_canonical(path, unresolved).string();
  if (unresolved || target.empty()) target = path;
  struct stat is = {};
  const bool exists = stat(target.c_str(), &is) == 0;
  if (exists && S_ISDIR(is.st_mode)) return failed(EISDIR);
  if (exists && !S_ISREG(is.st_mode)) {
    const int fd = open(path.c_str(), O_WRONLY | O_CLOEXEC);
    if (fd < 0) return failed(errno);
    const int wrong = WriteAll(fd, text);
    const int closed = close(fd) == 0 ? 0 : errno;
    return wrong != 0 ? failed(wrong) : closed != 0 ? failed(closed) : "";
  }

  std::string temporary = target + ".tmp.XXXXXX";
  const int fd = mkostemp(temporary.data(), O_CLOEXEC);
  if (fd < 0) return failed(errno);
  int wrong = WriteAll(fd, text);
  const mode_t mask = umask(0);
  umask(mask);
  const mode_t mode = exists ? is.st_mode & 0777 : 0666 & ~mask;
  if (wrong == 0 && fchmod(fd, mode) != 0) wrong = errno;
  if (wrong == 0 && fsync(fd) != 0) wrong = errno;
  if (close(fd) != 0 && wrong == 0) wrong = errno;
  if (wrong == 0 && rename(temporary.c_str(), target.c_str()) != 0) wrong = errno;
  if (wrong == 0) return "";
  unlink(temporary.c_str());
  return failed(wrong);
}

}  // namespace gort::chaos
