#include "chaos/runner.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstring>
#include <thread>

namespace gort::chaos {

namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::seconds kStacksTime(5);

// In the child, between fork and exec: async-signal-safe calls only.
[[noreturn]] void Exec(char** argv, char** envp, int out, int err, int failure) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  dup2(out, STDOUT_FILENO);
  dup2(err, STDERR_FILENO);
  const rlimit noCore = {0, 0};
  setrlimit(RLIMIT_CORE, &noCore);
  execve(argv[0], argv, envp);
  const int error = errno;
  [[maybe_unused]] const ssize_t n = write(failure, &error, sizeof error);
  _exit(127);
}

std::vector<std::string> Environment(const RunOptions& options) {
  std::vector<std::string> result;
  for (char** e = environ; *e != nullptr; e++) {
    const std::string entry = *e;
    bool replaced = false;
    for (const auto& [name, value] : options.environment)
      if (entry.starts_with(name + "=")) replaced = true;
    if (!replaced) result.push_back(entry);
  }
  for (const auto& [name, value] : options.environment)
    result.emplace_back(name).append("=").append(value);
  return result;
}

std::vector<char*> Pointers(std::vector<std::string>* strings) {
  std::vector<char*> pointers;
  for (std::string& s : *strings) pointers.push_back(s.data());
  pointers.push_back(nullptr);
  return pointers;
}

// Appends what can be read now; false at the end of the file.
bool Drain(int fd, std::string* text, bool echo) {
  char buffer[64 << 10];
  const ssize_t n = read(fd, buffer, sizeof buffer);
  if (n < 0) return errno == EINTR || errno == EAGAIN;
  if (n == 0) return false;
  if (echo) {
    [[maybe_unused]] const ssize_t written = write(STDERR_FILENO, buffer, static_cast<size_t>(n));
  }
  const std::size_t room = kMaxOutput - text->size();
  text->append(buffer, std::min(static_cast<std::size_t>(n), room));
  return true;
}

}  // namespace

RunResult Run(const std::vector<std::string>& argv, const RunOptions& options) {
  RunResult result;
  int out[2], err[2], failure[2];
  if (pipe2(out, O_CLOEXEC) != 0 || pipe2(err, O_CLOEXEC) != 0 || pipe2(failure, O_CLOEXEC) != 0) {
    result.problem = std::string("pipe: ") + std::strerror(errno);
    return result;
  }
  std::vector<std::string> arguments = argv;
  std::vector<std::string> environment = Environment(options);
  const std::vector<char*> argumentPointers = Pointers(&arguments);
  const std::vector<char*> environmentPointers = Pointers(&environment);

  const Clock::time_point start = Clock::now();
  Clock::time_point deadline = start + std::chrono::seconds(options.timeoutSeconds);
  const pid_t pid = fork();
  if (pid == 0) {
    Exec(const_cast<char**>(argumentPointers.data()),
         const_cast<char**>(environmentPointers.data()), out[1], err[1], failure[1]);
  }
  const int forkError = errno;
  for (int fd : {out[1], err[1], failure[1]}) close(fd);
  int execError = 0;
  if (pid > 0 && read(failure[0], &execError, sizeof execError) != sizeof execError) execError = 0;
  close(failure[0]);
  if (pid < 0 || execError != 0) {
    result.problem = argv[0] + ": " + std::strerror(pid < 0 ? forkError : execError);
    close(out[0]);
    close(err[0]);
    if (pid > 0) waitpid(pid, nullptr, 0);
    return result;
  }
  result.started = true;

  pollfd fds[2] = {{out[0], POLLIN, 0}, {err[0], POLLIN, 0}};
  while (fds[0].fd >= 0 || fds[1].fd >= 0) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now()).count();
    if (left <= 0 && options.stacksAtTimeout && !result.cutOff) {
      // It goes on writing for a while; whatever it does now, its time was up.
      result.cutOff = true;
      kill(pid, SIGQUIT);
      deadline = Clock::now() + kStacksTime;
      continue;
    }
    if (left <= 0) {
      result.cutOff = true;
      break;
    }
    if (poll(fds, 2, static_cast<int>(left)) < 0 && errno != EINTR) break;
    if (fds[0].revents != 0 && !Drain(fds[0].fd, &result.out, options.echo)) fds[0].fd = -1;
    if (fds[1].revents != 0 && !Drain(fds[1].fd, &result.err, options.echo)) fds[1].fd = -1;
  }

  // It may have closed its output and live on.
  int status = 0;
  while (!result.cutOff) {
    const pid_t ended = waitpid(pid, &status, WNOHANG);
    if (ended == pid || (ended < 0 && errno != EINTR)) break;
    if (Clock::now() >= deadline) result.cutOff = true;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  if (result.cutOff) {
    kill(pid, SIGKILL);
    waitpid(pid, &status, 0);
  } else if (WIFSIGNALED(status)) {
    result.signal = WTERMSIG(status);
  } else {
    result.status = WEXITSTATUS(status);
  }
  close(out[0]);
  close(err[0]);
  result.seconds = std::chrono::duration<double>(Clock::now() - start).count();
  return result;
}

}  // namespace gort::chaos
