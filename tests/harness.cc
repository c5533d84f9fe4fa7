#include "tests/harness.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <cstring>

namespace gort::test {

namespace {

// Far beyond what any scenario takes on a loaded machine under TSan.
constexpr std::chrono::seconds kHang(240);

// Reads both pipes until the child has closed them or the time is up. False if it is up.
bool drain(int out, int err, Result* r) {
  auto deadline = std::chrono::steady_clock::now() + kHang;
  pollfd fds[2] = {{out, POLLIN, 0}, {err, POLLIN, 0}};
  std::string* to[2] = {&r->out, &r->err};
  int open = 2;
  while (open > 0) {
    auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
        deadline - std::chrono::steady_clock::now());
    if (left.count() <= 0) return false;
    if (poll(fds, 2, static_cast<int>(left.count())) <= 0) continue;
    for (int i = 0; i < 2; i++) {
      if (fds[i].fd < 0 || fds[i].revents == 0) continue;
      char buf[65536];
      ssize_t n = read(fds[i].fd, buf, sizeof buf);
      if (n > 0) {
        to[i]->append(buf, static_cast<std::size_t>(n));
      } else {
        fds[i].fd = -1;
        open--;
      }
    }
  }
  return true;
}

int repeats() {
  const char* s = std::getenv("GORT_REPEAT");
  int n = s == nullptr ? 1 : std::atoi(s);
  return n > 0 ? n : 1;
}

}  // namespace

std::string Result::str() const {
  std::string s = hung          ? "hung"
                  : signal != 0 ? "signal " + std::to_string(signal)
                                : "status " + std::to_string(status);
  return s + "\n--- stdout\n" + out + "\n--- stderr\n" + err + "\n---";
}

Result run_child(const std::function<void()>& body, const Env& env) {
  int out[2], err[2];
  if (pipe2(out, O_CLOEXEC) != 0 || pipe2(err, O_CLOEXEC) != 0) {
    std::perror("pipe2");
    std::abort();
  }
  std::fflush(nullptr);
  pid_t pid = fork();
  if (pid < 0) {
    std::perror("fork");
    std::abort();
  }
  if (pid == 0) {
    // doctest's handlers would turn a crash signal into its own report.
    for (int sig : {SIGINT, SIGILL, SIGFPE, SIGSEGV, SIGTERM, SIGABRT}) signal(sig, SIG_DFL);
    dup2(out[1], 1);
    dup2(err[1], 2);
    for (const auto& [key, value] : env) setenv(key.c_str(), value.c_str(), 1);
    body();
    _exit(0);
  }
  ::close(out[1]);
  ::close(err[1]);
  Result r;
  if (!drain(out[0], err[0], &r)) {
    r.hung = true;
    kill(pid, SIGABRT);
  }
  ::close(out[0]);
  ::close(err[0]);
  int status = 0;
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  if (WIFEXITED(status)) r.status = WEXITSTATUS(status);
  if (WIFSIGNALED(status)) r.signal = WTERMSIG(status);
  return r;
}

void run_everywhere(const char* name, void (*f)(), const Env& env) {
  for (int i = 0; i < repeats(); i++) {
    for (int procs : kProcs) {
      Env e = env;
      e.emplace("GOMAXPROCS", std::to_string(procs));
      Result r = run_go(f, e);
      INFO(std::string(name) << " with GOMAXPROCS=" << e["GOMAXPROCS"] << ", run " << i + 1 << ": "
                             << r.str());
      bool ok = !r.hung && r.status == 0 && !r.has("WARNING: ThreadSanitizer");
      REQUIRE(ok);
      if (!ok) return;
    }
  }
}

void check_failed(const char* file, int line, const char* text) {
  println(std::string_view(file), ":", line, ": CHECK_GO failed:", std::string_view(text));
  runtime::debug::PrintStack();
  runtime::exit(1);
}

}  // namespace gort::test
