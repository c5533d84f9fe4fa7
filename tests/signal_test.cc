// Package os/signal. Names of Go's tests (os/signal/signal_test.go) are those of our test cases. What
// the runtime does about signals that nobody asked for is signal_default_test.cc.
//
// Nothing here waits for a while to see that a signal does not come: signals are sent to the sending
// thread itself (raiseHere), which has handled them when the call returns, and one that is received
// afterwards shows that the earlier ones have been.
#include <signal.h>
#include <fcntl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "tests/hostthread.h"

using namespace gort;
using namespace gort::test;

namespace {

void kill(int sig) { CHECK_GO(syscall::Kill(syscall::Getpid(), sig) == 0); }

// To the calling thread.
GORT_NOINLINE void raiseHere(int sig) {
  runtime::LockOSThread();
  CHECK_GO(syscall::RawSyscall(SYS_tgkill, syscall::Getpid(), syscall::RawSyscall(SYS_gettid),
                               sig) == 0);
  runtime::UnlockOSThread();
}

// Everything that was raised before has been sent to its channels when this returns. SIGSYS is the
// last signal that the receiver of signals takes out of one batch of those below 32.
GORT_NOINLINE void settle() {
  static chan<os::Signal> c = make_chan<os::Signal>(1);
  os::signal::Notify(c, SIGSYS);
  raiseHere(SIGSYS);
  CHECK_GO(c.recv() == SIGSYS);
  // Its own delivery ends before this takes the lock.
  os::signal::Stop(c);
}

// Not SIGTSTP, SIGTTIN and SIGTTOU: the kernel drops those that are pending when SIGCONT is sent.
const int several[] = {SIGHUP,   SIGINT,  SIGQUIT, SIGABRT, SIGUSR1, SIGUSR2,   SIGALRM,
                       SIGTERM,  SIGCHLD, SIGCONT, SIGXCPU, SIGXFSZ, SIGVTALRM, SIGIO,
                       SIGWINCH, SIGPWR,  35,      50,      63,      64};

}  // namespace

GORT_TEST("TestSignal") {
  auto c = make_chan<os::Signal>(1);
  os::signal::Notify(c, SIGHUP);
  kill(SIGHUP);
  CHECK_GO(c.recv() == SIGHUP);

  // All there are; c1 has room for a SIGURG or two of the runtime's.
  auto c1 = make_chan<os::Signal>(10);
  os::signal::Notify(c1);
  os::signal::Reset(SIGURG);
  auto next = [=] {
    for (;;)
      if (os::Signal s = c1.recv(); s != SIGURG) return static_cast<int>(s);
  };
  kill(SIGWINCH);
  CHECK_GO(next() == SIGWINCH);
  kill(SIGHUP);
  CHECK_GO(next() == SIGHUP);
  kill(SIGHUP);
  CHECK_GO(next() == SIGHUP);
  // The first of the two waits in c, which has held nobody up.
  CHECK_GO(c.recv() == SIGHUP);
}

GORT_TEST("every signal that can be had is had") {
  auto check = [](int sig) {
    auto c = make_chan<os::Signal>(1);
    os::signal::Notify(c, sig);
    kill(sig);
    CHECK_GO(c.recv() == sig);
    os::signal::Stop(c);
  };
  for (int sig : several) check(sig);
  for (int sig : {SIGTSTP, SIGTTIN, SIGTTOU, SIGSYS, SIGURG}) check(sig);
}

// Several signals to several channels from several goroutines. Each sender waits until its signal has
// come before it sends the next: then each must come, once.
GORT_TEST("a storm of signals") {
  constexpr int kinds = sizeof several / sizeof *several;
  int each = runtime::raceenabled ? 30 : 200;
  auto all = make_chan<os::Signal>(kinds * each);
  for (int sig : several) os::signal::Notify(all, sig);
  auto done = make_chan<bool>();
  for (int i = 0; i < kinds; i++)
    go([=] {
      int sig = several[i];
      auto c = make_chan<os::Signal>(1);
      auto d = make_chan<int>(each);
      os::signal::Notify(c, sig);
      os::signal::Notify(d, sig);
      for (int n = 0; n < each; n++) {
        kill(sig);
        CHECK_GO(c.recv() == sig);
      }
      for (int n = 0; n < each; n++) CHECK_GO(d.recv() == sig);
      os::signal::Stop(c);
      os::signal::Stop(d);
      done.send(true);
    });
  for (int i = 0; i < kinds; i++) done.recv();
  int got[65] = {};
  for (int i = 0; i < kinds * each; i++) got[static_cast<int>(all.recv())]++;
  for (int sig : several) CHECK_GO(got[sig] == each);
  CHECK_GO(len(all) == 0);
}

// Without waiting: several may come as one, but after each that was sent at least one comes.
GORT_TEST("TestStress") {
  auto c = make_chan<os::Signal>(1);
  os::signal::Notify(c, SIGUSR1);
  int n = runtime::raceenabled ? 300 : 3000;
  go([=] {
    for (int i = 0; i < n; i++) {
      kill(SIGUSR1);
      runtime::Gosched();
    }
    settle();
    os::signal::Stop(c);
    // Nothing may be sent any more.
    c.close();
  });
  int got = 0;
  for (os::Signal s : c) {
    CHECK_GO(s == SIGUSR1);
    got++;
  }
  CHECK_GO(got >= 1 && got <= n);
}

GORT_TEST("the last signal of a burst comes after it") {
  auto c = make_chan<os::Signal>(1);
  os::signal::Notify(c, SIGUSR1);
  for (int i = 0; i < 200; i++) {
    while (select(recv_case(c), default_case) == 0) {
    }
    for (int j = 0; j < i % 5; j++) kill(SIGUSR1);
    kill(SIGUSR1);
    c.recv();
  }
}

GORT_TEST("Stop while signals come") {
  static std::atomic<bool> end;
  end = false;
  auto done = make_chan<bool>();
  // Somebody always wants the signal, so that it is never without a receiver.
  auto keep = make_chan<os::Signal>(1);
  os::signal::Notify(keep, SIGUSR1, SIGUSR2);
  for (int sig : {SIGUSR1, SIGUSR2})
    go([=] {
      while (!end) {
        kill(sig);
        runtime::Gosched();
      }
      done.send(true);
    });
  int rounds = runtime::raceenabled ? 50 : 300;
  for (int i = 0; i < rounds; i++) {
    auto c = make_chan<os::Signal>(1);
    os::signal::Notify(c, SIGUSR1, SIGUSR2);
    if (i % 2 == 0) c.recv();
    os::signal::Stop(c);
    c.close();
  }
  end = true;
  done.recv();
  done.recv();
}

// Test race between stopping and receiving a signal (Go's issue 14571): it is either received, or ends
// the process.
TEST_CASE("TestAtomicStop") {
  int received = 0;
  for (int i = 0; i < 24; i++) {
    Result r = run_go(
        [] {
          for (int t = 0; t < 10; t++) {
            auto c = make_chan<os::Signal>(1);
            os::signal::Notify(c, SIGINT);
            sync::WaitGroup wg;
            wg.Add(1);
            auto stopped = make_chan<bool>();
            go([=] {
              os::signal::Stop(c);
              stopped.send(true);
            });
            kill(SIGINT);
            c.recv();
            stopped.recv();
          }
        },
        {{"GOMAXPROCS", std::to_string(1 << i % 4)}});
    bool ok = !r.hung && (r.status == 0 || r.signal == SIGINT);
    CHECK_MESSAGE(ok, r.str());
    CHECK_MESSAGE(r.err == "", r.str());
    received += r.status == 0;
  }
  MESSAGE(received << " of 24 received all");
}

namespace {

void testCancel(bool ignore) {
  auto c1 = make_chan<os::Signal>(1);
  os::signal::Notify(c1, SIGWINCH);
  auto c2 = make_chan<os::Signal>(1);
  os::signal::Notify(c2, SIGHUP);
  kill(SIGWINCH);
  CHECK_GO(c1.recv() == SIGWINCH);
  kill(SIGHUP);
  CHECK_GO(c2.recv() == SIGHUP);
  if (ignore)
    os::signal::Ignore(SIGWINCH, SIGHUP);
  else
    os::signal::Reset(SIGWINCH, SIGHUP);
  raiseHere(SIGWINCH);
  if (ignore) raiseHere(SIGHUP);
  settle();
  CHECK_GO(len(c1) == 0 && len(c2) == 0);
  CHECK_GO(os::signal::Ignored(SIGWINCH) == ignore);
  // And asked for again.
  os::signal::Notify(c1, SIGWINCH);
  os::signal::Notify(c2, SIGHUP);
  CHECK_GO(!os::signal::Ignored(SIGWINCH) && !os::signal::Ignored(SIGHUP));
  raiseHere(SIGWINCH);
  CHECK_GO(c1.recv() == SIGWINCH);
  raiseHere(SIGHUP);
  CHECK_GO(c2.recv() == SIGHUP);
}

}  // namespace

GORT_TEST("TestReset") { testCancel(false); }
GORT_TEST("TestIgnore") { testCancel(true); }

GORT_TEST("TestIgnored") {
  auto c = make_chan<os::Signal>(1);
  os::signal::Notify(c, SIGWINCH);
  CHECK_GO(!os::signal::Ignored(SIGWINCH));
  os::signal::Stop(c);
  os::signal::Ignore(SIGWINCH);
  CHECK_GO(os::signal::Ignored(SIGWINCH));
  os::signal::Reset();
  for (int n : {-1, 0, 65, 1000}) CHECK_GO(!os::signal::Ignored(n));
}

namespace {

// The bit of sig in a line of /proc/self/status.
bool statusBit(const char* name, int sig) {
  static char buf[8192];
  long n = 0;
  runtime::cgocall([&] {
    int fd = ::open("/proc/self/status", 0);
    n = ::read(fd, buf, sizeof buf - 1);
    ::close(fd);
  });
  CHECK_GO(n > 0);
  std::string s(buf, static_cast<std::size_t>(n));
  std::size_t at = s.find(name);
  CHECK_GO(at != std::string::npos);
  return (std::stoull(s.substr(at + std::string(name).size()), nullptr, 16) >> (sig - 1) & 1) != 0;
}

}  // namespace

// Programs that are started inherit what the kernel knows, not what a handler would do.
GORT_TEST("Ignore and Reset are the kernel's") {
  CHECK_GO(statusBit("SigCgt:", SIGHUP) && !statusBit("SigIgn:", SIGHUP));
  os::signal::Ignore(SIGHUP, SIGTSTP);
  CHECK_GO(statusBit("SigIgn:", SIGHUP) && statusBit("SigIgn:", SIGTSTP));
  auto c = make_chan<os::Signal>(1);
  os::signal::Notify(c, SIGHUP);
  CHECK_GO(statusBit("SigCgt:", SIGHUP) && !statusBit("SigIgn:", SIGHUP));
  os::signal::Stop(c);
  // As it was when it was asked for.
  CHECK_GO(statusBit("SigIgn:", SIGHUP));

  // Handlers are there for what was asked for only, where the system's default is to stop.
  CHECK_GO(!statusBit("SigCgt:", SIGTTIN));
  os::signal::Notify(c, SIGTTIN);
  CHECK_GO(statusBit("SigCgt:", SIGTTIN));
  os::signal::Reset(SIGTTIN);
  CHECK_GO(!statusBit("SigCgt:", SIGTTIN) && !statusBit("SigIgn:", SIGTTIN));
}

GORT_TEST("TestStop") {
  for (int sig : {SIGWINCH, SIGUSR1, SIGCHLD, 40}) {
    raiseHere(sig);  // nobody's
    auto c = make_chan<os::Signal>(1);
    os::signal::Notify(c, sig);
    raiseHere(sig);
    CHECK_GO(c.recv() == sig);
    os::signal::Stop(c);
    raiseHere(sig);
    settle();
    CHECK_GO(len(c) == 0);
  }
}

TEST_CASE("TestStop: the default action is back") {
  for (int sig : {SIGHUP, SIGINT, SIGTERM}) {
    Result r = run_go([sig] {
      auto c = make_chan<os::Signal>(1);
      os::signal::Notify(c, sig);
      kill(sig);
      CHECK_GO(c.recv() == sig);
      os::signal::Stop(c);
      kill(sig);
      for (;;) runtime::Gosched();
    });
    CHECK_MESSAGE(r.signal == sig, r.str());
    CHECK_MESSAGE(r.err == "", r.str());
  }
}

GORT_TEST("Stop of one of two channels, and of one that has nothing") {
  auto a = make_chan<os::Signal>(4), b = make_chan<os::Signal>(4);
  os::signal::Notify(a, SIGUSR1, SIGUSR2);
  os::signal::Notify(b, SIGUSR1);
  os::signal::Stop(make_chan<os::Signal>());
  os::signal::Stop(chan<os::Signal>{});
  os::signal::Stop(a);
  os::signal::Stop(a);
  raiseHere(SIGUSR1);
  CHECK_GO(b.recv() == SIGUSR1);
  raiseHere(SIGUSR2);
  settle();
  CHECK_GO(len(a) == 0 && len(b) == 0);
}

GORT_TEST("a channel without room misses signals") {
  auto slow = make_chan<os::Signal>(2), fast = make_chan<os::Signal>(1);
  auto none = make_chan<os::Signal>();  // nobody receives
  os::signal::Notify(slow, SIGUSR1);
  os::signal::Notify(none, SIGUSR1);
  os::signal::Notify(fast, SIGUSR1);
  for (int i = 0; i < 5; i++) {
    kill(SIGUSR1);
    CHECK_GO(fast.recv() == SIGUSR1);
  }
  settle();
  CHECK_GO(len(slow) == 2);
  slow.recv();
  kill(SIGUSR1);
  fast.recv();
  settle();
  CHECK_GO(len(slow) == 2);
}

GORT_TEST("the same channel twice gets a signal once; more signals add up") {
  auto c = make_chan<os::Signal>(10);
  os::signal::Notify(c, SIGUSR1);
  os::signal::Notify(c, SIGUSR1, SIGUSR1);
  os::signal::Notify(c, SIGUSR2);
  raiseHere(SIGUSR1);
  settle();
  CHECK_GO(len(c) == 1 && c.recv() == SIGUSR1);
  raiseHere(SIGUSR2);
  settle();
  CHECK_GO(len(c) == 1 && c.recv() == SIGUSR2);
  // One Stop undoes all.
  os::signal::Stop(c);
  raiseHere(SIGUSR1);
  raiseHere(SIGUSR2);
  settle();
  CHECK_GO(len(c) == 0);
}

GORT_TEST("chan<int>, and numbers that are no signals") {
  auto c = make_chan<int>(4);
  os::signal::Notify(c, 0, -1, 65, 66, 1000, 1 << 30, -(1 << 30), SIGKILL, SIGSTOP);
  raiseHere(SIGUSR1);
  settle();
  CHECK_GO(len(c) == 0);
  os::signal::Notify(c, SIGUSR1);
  raiseHere(SIGUSR1);
  CHECK_GO(c.recv() == SIGUSR1);
  os::signal::Ignore(0, -1, 65, 1000, SIGKILL);
  os::signal::Reset(0, -1, 65, 1000, SIGKILL);
  os::signal::Stop(c);
}

TEST_CASE("Notify using nil channel") {
  Result r = run_go([] { os::signal::Notify(chan<os::Signal>{}, SIGHUP); });
  CHECK_MESSAGE(r.status == 2, r.str());
  CHECK_MESSAGE(r.err.starts_with("panic: os/signal: Notify using nil channel\n\ngoroutine 1"),
                r.str());
  // It can be recovered, and the package works on.
  r = run_go([] {
    func([](auto& defer) {
      defer([] { CHECK_GO(static_cast<bool>(recover())); });
      os::signal::Notify(chan<int>{});
    });
    auto c = make_chan<os::Signal>(1);
    os::signal::Notify(c, SIGHUP);
    kill(SIGHUP);
    c.recv();
  });
  CHECK_MESSAGE(r.status == 0, r.str());
}

GORT_TEST("names of signals") {
  CHECK_GO(os::Signal(SIGHUP).String() == "hangup");
  CHECK_GO(os::Interrupt.String() == "interrupt");
  CHECK_GO(os::Kill.String() == "killed");
  CHECK_GO(os::Signal(SIGSEGV).String() == "segmentation fault");
  CHECK_GO(os::Signal(SIGSYS).String() == "bad system call");
  CHECK_GO(os::Signal(42).String() == "signal 42");
  CHECK_GO(os::Signal(0).String() == "signal 0");
  CHECK_GO(os::Signal(-5).String() == "signal -5");
}

GORT_TEST("TestSIGCONT") {
  auto c = make_chan<os::Signal>(1);
  os::signal::Notify(c, SIGCONT);
  kill(SIGCONT);
  CHECK_GO(c.recv() == SIGCONT);
}

namespace {

// A child that ends at once with status 5. Nothing in between that looks at the stack limit, which may
// ask for preemption.
long forkAndExit() {
  long pid;
  asm volatile(
      "syscall\n\t"
      "test %%rax, %%rax\n\t"
      "jne 1f\n\t"
      "movl $5, %%edi\n\t"
      "movl %[exit], %%eax\n\t"
      "syscall\n"
      "1:"
      : "=a"(pid)
      : "a"(SYS_fork), [exit] "i"(SYS_exit_group)
      : "rcx", "r11", "rdi", "memory", "cc");
  return pid;
}

}  // namespace

GORT_TEST("SIGCHLD of a child") {
  auto c = make_chan<os::Signal>(1);
  os::signal::Notify(c, SIGCHLD);
  for (int i = 0; i < 3; i++) {
    long pid = forkAndExit();
    CHECK_GO(pid > 0);
    CHECK_GO(c.recv() == SIGCHLD);
    int status = 0;
    CHECK_GO(syscall::Syscall(SYS_wait4, pid, reinterpret_cast<long>(&status)) == pid);
    CHECK_GO(WIFEXITED(status) && WEXITSTATUS(status) == 5);
  }
}

GORT_TEST("TestTime") {
  auto c = make_chan<os::Signal>(1);
  os::signal::Notify(c, SIGUSR1);
  static std::atomic<bool> end;
  end = false;
  auto done = make_chan<bool>();
  go([=] {
    while (!end) {
      kill(SIGUSR1);
      runtime::Gosched();
    }
    settle();
    os::signal::Stop(c);
    c.close();
  });
  go([=] {
    for (os::Signal s : c) CHECK_GO(s == SIGUSR1);
    done.send(true);
  });
  auto t0 = time::Now();
  for (int i = 0; i < 20000; i++) {
    auto t1 = time::Now();
    CHECK_GO(t1.Sub(t0) >= 0);
  }
  end = true;
  done.recv();
}

// TestSignalTrace's idea (Go's issue 44193): signals while the world stops and starts.
GORT_TEST("signals while the world is stopped") {
  auto c = make_chan<os::Signal>(1);
  os::signal::Notify(c, SIGHUP);
  static std::atomic<bool> end;
  end = false;
  auto done = make_chan<bool>();
  go([=] {
    while (!end) {
      kill(SIGHUP);
      CHECK_GO(c.recv() == SIGHUP);
    }
    done.send(true);
  });
  static char buf[4096];
  for (int i = 0; i < 100; i++) {
    runtime::Stack(buf, true);
    if (i % 20 == 0) runtime::GC();
  }
  end = true;
  done.recv();
}

// Only the goroutine that waits for signals could wake anybody: no deadlock is reported.
GORT_TEST("all goroutines blocked, and a signal wakes one") {
  auto c = make_chan<os::Signal>(1);
  os::signal::Notify(c, SIGUSR1);
  static runtime::g* self;
  self = runtime::getg();
  go([] { select(); });
  for (int i = 0; i < 10; i++) {
    static std::atomic<bool> go1;
    go1 = false;
    HostThread t([] {
      while (!go1 || runtime::readgstatus(self) != runtime::_Gwaiting) {
      }
      ::kill(::getpid(), SIGUSR1);
    });
    go1 = true;
    CHECK_GO(c.recv() == SIGUSR1);
    t.join();
  }
}

TEST_CASE("without a receiver of signals a deadlock is one") {
  Result r = run_go([] { make_chan<os::Signal>(1).recv(); });
  CHECK_MESSAGE(r.status == 2, r.str());
  CHECK_MESSAGE(r.has("all goroutines are asleep - deadlock!"), r.str());
}

GORT_TEST("signals to a thread that is not the runtime's") {
  auto c = make_chan<os::Signal>(1);
  os::signal::Notify(c, SIGUSR1, SIGTERM, SIGQUIT, 44);
  static std::atomic<bool> end;
  end = false;
  HostThread t([] {
    while (!end) {
    }
  });
  for (int i = 0; i < 50; i++)
    for (int sig : {SIGUSR1, SIGTERM, SIGQUIT, 44}) {
      CHECK_GO(syscall::RawSyscall(SYS_tgkill, syscall::Getpid(), t.tid(), sig) == 0);
      CHECK_GO(c.recv() == sig);
    }
  // Nobody's, and the runtime's own.
  for (int sig : {SIGUSR2, SIGURG, SIGWINCH, SIGCHLD, 45})
    CHECK_GO(syscall::RawSyscall(SYS_tgkill, syscall::Getpid(), t.tid(), sig) == 0);
  CHECK_GO(syscall::RawSyscall(SYS_tgkill, syscall::Getpid(), t.tid(), SIGUSR1) == 0);
  CHECK_GO(c.recv() == SIGUSR1);
  end = true;
  t.join();
}

// Signals that the process began with blocked stay so, but for what is asked for, and for those that
// end the process.
TEST_CASE("blocked signals are unblocked by Notify") {
  Result r = run_child([] {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigaddset(&set, SIGUSR2);
    sigprocmask(SIG_BLOCK, &set, nullptr);
    Main(0, nullptr, [] {
      kill(SIGUSR2);  // pends
      for (int i = 0; i < 20; i++) {
        auto c = make_chan<os::Signal>(1);
        os::signal::Notify(c, SIGUSR1);
        kill(SIGUSR1);
        CHECK_GO(c.recv() == SIGUSR1);
        os::signal::Stop(c);
      }
      auto c = make_chan<os::Signal>(1);
      os::signal::Notify(c, SIGUSR2);
      CHECK_GO(c.recv() == SIGUSR2);
    });
  });
  CHECK_MESSAGE(r.status == 0, r.str());
}

GORT_TEST("Notify, Stop, Ignore and Reset by many at the same time") {
  static std::atomic<bool> end;
  end = false;
  auto done = make_chan<bool>();
  const int sigs[] = {SIGUSR1, SIGUSR2, SIGWINCH, SIGCHLD, 40, 41};
  int rounds = runtime::raceenabled ? 20 : 100;
  for (int i = 0; i < 6; i++) {
    int sig = sigs[i];
    go([=] {
      for (int n = 0; n < rounds; n++) {
        auto c = make_chan<os::Signal>(1);
        switch (n % 3) {
          case 0:
            os::signal::Ignore(sig);
            break;
          case 1:
            os::signal::Reset(sig);
            break;
          default:
            break;
        }
        kill(sig);
        os::signal::Notify(c, sig);
        kill(sig);
        CHECK_GO(c.recv() == sig);
        os::signal::Stop(c);
      }
      done.send(true);
    });
  }
  for (int i = 0; i < 6; i++) done.recv();
}
