// syscall::AllThreadsSyscall: what it changes is seen in every thread's /proc entry. Ports the ideas
// of TestAllThreadsSyscall, TestSetuidEtc and TestAllThreadsSyscallBlockedSyscall; the deadlock of
// Go's issue 44193 is the storm of SIGHUP.
#include <errno.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <set>

#include "tests/hostthread.h"

using namespace gort;
using namespace gort::test;

namespace {

struct threads {
  static constexpr int max = 256;
  long tid[max];
  int n = 0;
};

// The threads of the runtime, the calling one included. On g0.
void collect(threads* t) {
  runtime::lock(&runtime::sched.lock);
  for (runtime::m* mp = runtime::allm; mp != nullptr; mp = mp->alllink) {
    auto tid = static_cast<long>(static_cast<std::uint64_t>(mp->procid));
    if (tid != 0 && t->n < threads::max) t->tid[t->n++] = tid;
  }
  runtime::unlock(&runtime::sched.lock);
}

// The number after name in /proc/self/task/<tid>/status, read as base; -1 if the thread is gone.
long statusOf(long tid, const char* name, int base) {
  char path[64], line[256];
  std::snprintf(path, sizeof path, "/proc/self/task/%ld/status", tid);
  std::FILE* f = std::fopen(path, "r");
  if (f == nullptr) return -1;
  long value = -1;
  std::size_t n = std::strlen(name);
  while (std::fgets(line, sizeof line, f) != nullptr)
    if (std::strncmp(line, name, n) == 0) value = std::strtol(line + n, nullptr, base);
  std::fclose(f);
  return value;
}

// Every thread of the runtime has the value; how many they were.
int everywhere(const char* name, long want, int base = 10) {
  int n = 0;
  bool ok = true;
  runtime::systemstack([&] {
    static threads t;
    t.n = 0;
    collect(&t);
    for (int i = 0; i < t.n; i++) {
      long got = statusOf(t.tid[i], name, base);
      if (got == -1) continue;
      n++;
      if (got != want) {
        ok = false;
        std::fprintf(stderr, "thread %ld: %s %ld, not %ld\n", t.tid[i], name, got, want);
      }
    }
  });
  CHECK_GO(ok);
  return n;
}

long setNoNewPrivs() { return syscall::AllThreadsSyscall(SYS_prctl, PR_SET_NO_NEW_PRIVS, 1, 0); }

// n goroutines that are locked to threads of their own, and parked. They end when c is closed.
void lockedThreads(int n, chan<bool> c) {
  auto ready = make_chan<bool>();
  for (int i = 0; i < n; i++)
    go([=] {
      runtime::LockOSThread();
      ready.send(true);
      c.recv();
      runtime::UnlockOSThread();
    });
  for (int i = 0; i < n; i++) ready.recv();
}

// PR_SET_KEEPCAPS is to be read by the thread itself only.
long keepcaps() { return syscall::RawSyscall(SYS_prctl, PR_GET_KEEPCAPS); }
long setKeepcaps(long v) { return syscall::AllThreadsSyscall(SYS_prctl, PR_SET_KEEPCAPS, v, 0); }

}  // namespace

GORT_TEST("every thread has made the call") {
  auto c = make_chan<bool>();
  lockedThreads(5, c);
  everywhere("NoNewPrivs:", 0);
  CHECK_GO(setNoNewPrivs() == 0);
  CHECK_GO(everywhere("NoNewPrivs:", 1) >= 6);
  // The kernel's threads of this process are the runtime's; TSan has one of its own.
  c.close();
}

GORT_TEST("locked goroutines see the call on their thread") {
  constexpr int n = 6;
  auto ask = make_chan<bool>();
  auto answer = make_chan<long>();
  for (int i = 0; i < n; i++)
    go([=] {
      runtime::LockOSThread();
      for (bool b : ask) {
        (void)b;
        answer.send(keepcaps());
      }
    });
  int rounds = runtime::raceenabled ? 100 : 1000;
  for (int r = 1; r <= rounds; r++) {
    CHECK_GO(setKeepcaps(r % 2) == 0);
    CHECK_GO(keepcaps() == r % 2);
    if (r % 10 == 0)
      for (int i = 0; i < n; i++) {
        ask.send(true);
        CHECK_GO(answer.recv() == r % 2);
      }
  }
  ask.close();
}

GORT_TEST("threads that are being made meanwhile") {
  static std::atomic<bool> end;
  end = false;
  auto done = make_chan<bool>();
  for (int i = 0; i < 3; i++)
    go([=] {
      while (!end) {
        auto c = make_chan<bool>();
        go([=] {
          runtime::LockOSThread();  // and ends so: its thread too
          c.send(true);
        });
        c.recv();
      }
      done.send(true);
    });
  int rounds = runtime::raceenabled ? 30 : 200;
  for (int r = 0; r < rounds; r++) CHECK_GO(setKeepcaps(r % 2) == 0);
  CHECK_GO(setNoNewPrivs() == 0);
  everywhere("NoNewPrivs:", 1);
  end = true;
  for (int i = 0; i < 3; i++) done.recv();
  // New threads inherit it.
  auto c = make_chan<bool>();
  lockedThreads(4, c);
  everywhere("NoNewPrivs:", 1);
  c.close();
}

// Callers wait for each other.
GORT_TEST("several callers at the same time, and collections") {
  auto done = make_chan<bool>();
  int rounds = runtime::raceenabled ? 30 : 200;
  for (int i = 0; i < 4; i++)
    go([=] {
      for (int r = 0; r < rounds; r++) CHECK_GO(setKeepcaps(1) == 0);
      done.send(true);
    });
  for (int i = 0; i < 10; i++) runtime::GC();
  for (int i = 0; i < 4; i++) done.recv();
  CHECK_GO(keepcaps() == 1);
}

namespace {

// Calls while sig comes all the time, received by one goroutine, sent by another and by a thread.
void storm(int sig, bool notify) {
  static std::atomic<bool> end;
  end = false;
  auto c = make_chan<os::Signal>(1);
  if (notify) os::signal::Notify(c, sig);
  auto done = make_chan<bool>();
  go([=] {
    while (!end) {
      syscall::Kill(syscall::Getpid(), sig);
      runtime::Gosched();
    }
    done.send(true);
  });
  go([=] {
    for (os::Signal s : c) (void)s;
    done.send(true);
  });
  int rounds = runtime::raceenabled ? 100 : 1000;
  for (int r = 0; r < rounds; r++) CHECK_GO(setKeepcaps(r % 2) == 0);
  end = true;
  done.recv();
  os::signal::Stop(c);
  c.close();
  done.recv();
}

}  // namespace

GORT_TEST("under a storm of SIGHUP") { storm(SIGHUP, true); }
GORT_TEST("under a storm of SIGURG") { storm(SIGURG, true); }
GORT_TEST("under a storm of SIGURG that nobody wants") { storm(SIGURG, false); }

GORT_TEST("while GOMAXPROCS changes and loops are preempted") {
  static std::atomic<bool> end;
  end = false;
  sync::WaitGroup* wg = make<sync::WaitGroup>();
  for (int i = 0; i < 2; i++) {
    wg->Add(1);
    go([=] {
      while (!end.load(std::memory_order_relaxed)) {
      }
      wg->Done();
    });
  }
  for (int r = 0; r < 16; r++) {
    runtime::GOMAXPROCS(1 + r % 8);
    CHECK_GO(setKeepcaps(r % 2) == 0);
  }
  end = true;
  wg->Wait();
}

// A call that fails on the first thread is made by no other.
GORT_TEST("failure on the caller's thread") {
  auto c = make_chan<bool>();
  lockedThreads(3, c);
  for (int i = 0; i < 20; i++) {
    CHECK_GO(syscall::AllThreadsSyscall(SYS_prctl, PR_SET_NO_NEW_PRIVS, 2, 0) == -EINVAL);
    CHECK_GO(syscall::AllThreadsSyscall(-1) == -ENOSYS);
    CHECK_GO(syscall::AllThreadsSyscall6(SYS_close, -1, 0, 0, 0, 0, 0) == -EBADF);
  }
  everywhere("NoNewPrivs:", 0);
  CHECK_GO(setNoNewPrivs() == 0);
  everywhere("NoNewPrivs:", 1);
  c.close();
}

// One that succeeds on the first thread and then fails: a file that can be closed once.
TEST_CASE("different results") {
  for (const char* procs : {"1", "2", "8"}) {
    for (bool close : {false, true}) {
      Result r = run_go(
          [close] {
            if (close)
              syscall::AllThreadsSyscall(SYS_close, ::dup(2));
            else
              syscall::AllThreadsSyscall(SYS_gettid);
          },
          {{"GOMAXPROCS", procs}});
      CHECK_MESSAGE(r.status == 2, r.str());
      CHECK_MESSAGE(
          r.err.starts_with(
              "fatal error: AllThreadsSyscall results differ between threads; runtime corrupted\n"),
          r.str());
    }
  }
}

// A thread in a blocking call makes this one when it comes back; the caller waits.
GORT_TEST("threads in system calls") {
  constexpr int n = 3;
  static int fds[n][2];
  auto made = make_chan<bool>();
  auto done = make_chan<long>();
  static std::atomic<int> reading;
  reading = 0;
  for (auto& fd : fds) {
    CHECK_GO(syscall::RawSyscall(SYS_pipe2, reinterpret_cast<long>(fd), 0) == 0);
    go([&fd, made, done] {
      runtime::LockOSThread();
      char b;
      reading++;
      syscall::Syscall(SYS_read, fd[0], reinterpret_cast<long>(&b), 1);
      made.recv_ok();
      done.send(keepcaps());
    });
  }
  while (reading < n) runtime::Gosched();
  // Somebody outside lets them go on while the world is stopped.
  static std::atomic<bool> called;
  called = false;
  HostThread t([] {
    while (!called) {
    }
    for (auto& fd : fds) (void)!::write(fd[1], "x", 1);
  });
  called = true;
  CHECK_GO(setKeepcaps(1) == 0);
  made.close();
  for (int i = 0; i < n; i++) CHECK_GO(done.recv() == 1);
  t.join();
}

GORT_TEST("the result, with all arguments") {
  CHECK_GO(syscall::AllThreadsSyscall(SYS_getpid) == syscall::Getpid());
  // A signal mask is a thread's own, too; this one is read and left as it is.
  CHECK_GO(syscall::AllThreadsSyscall6(SYS_rt_sigprocmask, SIG_BLOCK, 0, 0, 8, 0, 0) == 0);
}
