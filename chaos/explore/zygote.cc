#include "chaos/explore/zygote.h"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>

#include "chaos/explore/frozen.h"
#include "chaos/explore/inject.h"
#include "chaos/rings.h"
#include "chaos/explore/events.h"

namespace gort::chaos {

Shared* shared;
int outputFile = -1;

namespace {

constexpr char kRun = 'r';
constexpr char kDone = 'd';

// Bytes of a mapping that is worth while. Smaller ones may belong to the C library.
constexpr std::size_t kLarge = 256 << 10;

int toZygote = -1;

[[noreturn]] void Fail(const char* what, int status = 3) {
  std::fprintf(stderr, "explore: %s: %s\n", what, std::strerror(errno));
  _exit(status);
}

bool ReadByte(int fd, char* byte) {
  ssize_t n;
  while ((n = read(fd, byte, 1)) < 0 && errno == EINTR) continue;
  return n == 1;
}

void WriteByte(int fd, char byte) {
  while (write(fd, &byte, 1) < 0)
    if (errno != EINTR) _exit(3);
}

void Share() {
  void* memory = mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE,
                      MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) Fail("no memory to share with the runs");
  shared = static_cast<Shared*>(memory);
  shared->config.deviations = shared->deviations;
  shared->timeoutSeconds = 60;
}

// The processor time of a process, ns.
std::int64_t ProcessorTime(pid_t process) {
  clockid_t clock;
  timespec time{};
  if (clock_getcpuclockid(process, &clock) != 0 || clock_gettime(clock, &time) != 0) return 0;
  return time.tv_sec * 1'000'000'000 + time.tv_nsec;
}

// Waits for the run, and ends it when its time is up: the seconds in which it did nothing are counted, and
// those that it has spent on the processor. So a machine that is busy, or has stopped us all, costs it nothing.
void Await(pid_t run) {
  constexpr std::int64_t kNothing = 1'000'000;  // ns in a second
  shared->timedOut = false;
  const int pidfd = static_cast<int>(syscall(SYS_pidfd_open, run, 0));
  if (pidfd >= 0) {
    pollfd waiting{pidfd, POLLIN, 0};
    std::int64_t before = 0;
    for (int idle = 0; !shared->timedOut;) {
      const int n = poll(&waiting, 1, 1000);
      if (n < 0 && errno == EINTR) continue;
      if (n != 0) break;
      const std::int64_t now = ProcessorTime(run);
      idle = now - before < kNothing ? idle + 1 : 0;
      before = now;
      shared->timedOut =
          idle >= shared->timeoutSeconds || now >= shared->timeoutSeconds * 1'000'000'000ll;
    }
    if (shared->timedOut) kill(run, SIGKILL);
    close(pidfd);
  }
  while (waitpid(run, &shared->waitStatus, 0) < 0)
    if (errno != EINTR) Fail("waitpid");
}

// Each run finds standard input as the first one did, or empty if it cannot be read again.
void RewindInput() {
  if (lseek(STDIN_FILENO, 0, SEEK_SET) == 0) return;
  const int nothing = open("/dev/null", O_RDONLY | O_CLOEXEC);
  if (nothing < 0) return;
  dup2(nothing, STDIN_FILENO);
  close(nothing);
}

// The events file stands behind the descriptors that the program will use: these have the numbers that they have
// without it.
int OpenEvents() {
  constexpr int kHigh = 500;
  const int fd = open(shared->events, O_WRONLY | O_APPEND | O_CLOEXEC);
  if (fd < 0) Fail(shared->events, kExplorerBroken);
  const int high = fcntl(fd, F_DUPFD_CLOEXEC, kHigh);
  if (high < 0) return fd;
  close(fd);
  return high;
}

// The rest of a run's beginning, in its process.
void Begin() {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  // One thread runs at a time: on the processor that the kernel has found for the first one, the turn
  // is handed over fastest.
  cpu_set_t here;
  CPU_ZERO(&here);
  CPU_SET(static_cast<std::size_t>(sched_getcpu()), &here);
  sched_setaffinity(0, sizeof here, &here);
  if (shared->events[0] != 0) BeginEvents(OpenEvents());
  BeginRun(shared->config, &shared->result);
  InstallInjections();
}

}  // namespace

void RunOnce() {
  RunRecord& r = shared->result;
  // The array of deviations is what its count says.
  std::memset(static_cast<void*>(&r), 0, offsetof(RunRecord, deviations));
  if (ftruncate(outputFile, 0) != 0 || lseek(outputFile, 0, SEEK_SET) != 0)
    Fail("cannot empty the file of a run's output");
  WriteByte(toZygote, kRun);
  char byte;
  if (!ReadByte(toZygote, &byte)) std::exit(3);
}

void RunHere(int (*prepare)()) {
  Share();
  const pid_t child = fork();
  if (child < 0) Fail("fork");
  if (child == 0) {
    const int status = prepare();
    std::fflush(nullptr);
    _exit(status);
  }
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) continue;
  if (status != 0) _exit(WIFEXITED(status) ? WEXITSTATUS(status) : 3);
  Begin();
}

void ServeRuns(int (*control)()) {
  int sockets[2];
  Share();
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets) != 0) Fail("socketpair");
  outputFile = memfd_create("gort-output", MFD_CLOEXEC);
  if (outputFile < 0) Fail("memfd_create");
  // The program's debug information is read once, here, and not by every run that fails.
  FramesOf(reinterpret_cast<std::uint64_t>(__builtin_return_address(0)));
  FreezeMemory(kLarge);
  std::fflush(nullptr);
  const pid_t controller = fork();
  if (controller < 0) Fail("fork");
  if (controller == 0) {
    close(sockets[0]);
    toZygote = sockets[1];
    const int status = control();
    std::fflush(nullptr);
    _exit(status);
  }
  close(sockets[1]);
  char byte;
  while (ReadByte(sockets[0], &byte)) {
    const pid_t run = fork();
    if (run < 0) Fail("fork");
    if (run == 0) {
      close(sockets[0]);
      // What a terminal sends (SIGWINCH, SIGTSTP) would come to any thread, at any time.
      setsid();
      RewindInput();
      dup2(outputFile, STDOUT_FILENO);
      dup2(outputFile, STDERR_FILENO);
      Begin();
      return;
    }
    Await(run);
    WriteByte(sockets[0], kDone);
  }
  int status = 0;
  while (waitpid(controller, &status, 0) < 0 && errno == EINTR) continue;
  _exit(WIFEXITED(status) ? WEXITSTATUS(status) : 3);
}

}  // namespace gort::chaos
