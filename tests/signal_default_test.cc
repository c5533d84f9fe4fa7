// What becomes of signals that nobody asked for, and of handlers that a program had installed before
// the runtime came. The rules are those of Go's os/signal documentation, the texts the runtime's.
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstring>

#include "runtime/os_linux.h"
#include "runtime/signal_unix.h"
#include "tests/chan_wait.h"
#include "tests/hostthread.h"

using namespace gort;
using namespace gort::test;

namespace {

void kill(int sig) { CHECK_GO(syscall::Kill(syscall::Getpid(), sig) == 0); }

// The process ends by the signal that it gets here.
[[noreturn]] void dieBy(int sig) {
  kill(sig);
  for (;;) runtime::Gosched();
}

void noCore() {
  rlimit none{0, 0};
  setrlimit(RLIMIT_CORE, &none);
}

void ignore(int sig) { ::signal(sig, SIG_IGN); }

}  // namespace

TEST_CASE("SIGHUP, SIGINT and SIGTERM end the process by themselves") {
  for (int sig : {SIGHUP, SIGINT, SIGTERM})
    for (const char* procs : {"1", "4"}) {
      Result r = run_go([sig] { dieBy(sig); }, {{"GOMAXPROCS", procs}});
      CHECK_MESSAGE(r.signal == sig, r.str());
      CHECK_MESSAGE(r.err == "", r.str());
    }
}

TEST_CASE("SIGQUIT and others end it with a dump of all goroutines") {
  for (int sig : {SIGQUIT, SIGABRT, SIGILL, SIGTRAP, SIGSYS, SIGSTKFLT}) {
    Result r = run_go([sig] {
      auto c = make_chan<int>();
      go([=] { c.recv(); });
      go([=] { c.recv(); });
      waitReceivers(c, 2);
      dieBy(sig);
    });
    CHECK_MESSAGE(r.status == 2, r.str());
    CHECK_MESSAGE(r.err.starts_with(std::string(runtime::signame(sig)) + "\nPC=0x"), r.str());
    CHECK_MESSAGE(r.has(" sigcode=0\n"), r.str());
    std::size_t first = r.err.find("[chan receive]:");
    CHECK_MESSAGE(first != std::string::npos, r.str());
    CHECK_MESSAGE(r.err.find("[chan receive]:", first + 1) != std::string::npos, r.str());
    CHECK_MESSAGE(r.has("\ngoroutine 1 ["), r.str());
    CHECK_MESSAGE(r.has("\nrax    0x"), r.str());
    CHECK_MESSAGE(r.has("\ngs     0x"), r.str());
  }
}

// With TSan it mostly comes while TSan's own code runs, whose locks the report must not wait for.
TEST_CASE("SIGQUIT to a thread that does nothing but atomic operations") {
  for (int i = 0; i < 20; i++) {
    // Sent by kill's family, or with a value: other codes, and not only the first is "from a user".
    static bool queued;
    queued = i % 2 != 0;
    Result r = run_go([] {
      runtime::LockOSThread();
      static std::atomic<bool> working{false};
      static const long thread = syscall::RawSyscall(SYS_gettid);
      go([] {
        while (!working) runtime::Gosched();
        if (queued) {
          static siginfo_t info = {};
          info.si_signo = SIGQUIT;
          info.si_code = SI_QUEUE;
          runtime::rawsyscall(SYS_rt_tgsigqueueinfo, syscall::Getpid(), thread, SIGQUIT,
                              reinterpret_cast<long>(&info));
        } else {
          syscall::RawSyscall(SYS_tgkill, syscall::Getpid(), thread, SIGQUIT);
        }
      });
      // Always other objects: for each TSan makes something of its own, under a lock.
      for (;;) {
        auto objects = make_slice<std::atomic<int>>(1000);
        for (int j = 0; j < len(objects); j++) objects[j].fetch_add(1);
        working = true;
      }
    });
    CHECK_MESSAGE(r.status == 2, r.str());
    CHECK_MESSAGE(r.err.starts_with("SIGQUIT: quit\nPC=0x"), r.str());
    CHECK_MESSAGE(r.has(queued ? " sigcode=-1\n" : " sigcode=-6\n"), r.str());
    CHECK_MESSAGE(r.has("\ngoroutine 1 ["), r.str());
  }
}

TEST_CASE("SIGQUIT with GOTRACEBACK=crash") {
  Result r = run_child(
      [] {
        noCore();
        Main(0, nullptr, [] { dieBy(SIGQUIT); });
      },
      {{"GOTRACEBACK", "crash"}});
  CHECK_MESSAGE(r.signal == SIGABRT, r.str());
}

TEST_CASE("SIGQUIT while everything is blocked") {
  Result r = run_go([] {
    auto c = make_chan<os::Signal>(1);
    os::signal::Notify(c, SIGUSR1);
    static runtime::g* self;
    self = runtime::getg();
    static std::atomic<bool> ready{false};
    HostThread t([] {
      while (!ready || runtime::readgstatus(self) != runtime::_Gwaiting) {
      }
      // Not to this thread, which is not the runtime's.
      ::tgkill(::getpid(), ::getpid(), SIGQUIT);
      for (;;) ::pause();
    });
    ready = true;
    c.recv();
  });
  CHECK_MESSAGE(r.status == 2, r.str());
  CHECK_MESSAGE(r.has("[chan receive]:\n"), r.str());
}

GORT_TEST("all others are dropped") {
  for (int sig : {SIGUSR1, SIGUSR2, SIGALRM, SIGCHLD, SIGCONT, SIGURG, SIGXCPU, SIGXFSZ, SIGVTALRM,
                  SIGPROF, SIGWINCH, SIGIO, SIGPWR, SIGPIPE, 35, 50, 64}) {
    kill(sig);
    CHECK_GO(syscall::RawSyscall(SYS_tgkill, syscall::Getpid(), syscall::RawSyscall(SYS_gettid),
                                 sig) == 0);
  }
  CHECK_GO(!os::signal::Ignored(SIGUSR1));
}

TEST_CASE("SIGHUP that the process began with ignored, as nohup does, stays so") {
  for (int sig : {SIGHUP, SIGINT}) {
    Result r = run_child([sig] {
      ignore(sig);
      Main(0, nullptr, [sig] {
        CHECK_GO(os::signal::Ignored(sig));
        kill(sig);
        auto c = make_chan<os::Signal>(1);
        os::signal::Notify(c, sig);
        CHECK_GO(!os::signal::Ignored(sig));
        kill(sig);
        CHECK_GO(c.recv() == sig);
        os::signal::Stop(c);
        kill(sig);
        os::signal::Reset(sig);
        kill(sig);
        CHECK_GO(len(c) == 0);
        println("alive");
      });
    });
    CHECK_MESSAGE(r.status == 0, r.str());
    CHECK_MESSAGE(r.err == "alive\n", r.str());
  }
  // SIGTERM is not among them.
  Result r = run_child([] {
    ignore(SIGTERM);
    Main(0, nullptr, [] { dieBy(SIGTERM); });
  });
  CHECK_MESSAGE(r.signal == SIGTERM, r.str());
}

namespace {

// A pipe that nobody reads, as file descriptor to.
void brokenPipe(int to) {
  int fd[2];
  if (::pipe(fd) != 0) std::abort();
  ::close(fd[0]);
  if (fd[1] != to) {
    ::dup2(fd[1], to);
    ::close(fd[1]);
  }
}
long write(int fd) { return syscall::Syscall(SYS_write, fd, reinterpret_cast<long>("x"), 1); }

}  // namespace

TEST_CASE("a write to a broken pipe") {
  for (int fd : {1, 2, 60}) {
    Result r = run_child([fd] {
      brokenPipe(fd);
      Main(0, nullptr, [fd] { runtime::exit(write(fd) == -EPIPE ? 7 : 8); });
    });
    if (fd == 60)
      CHECK_MESSAGE(r.status == 7, r.str());
    else
      CHECK_MESSAGE(r.signal == SIGPIPE, r.str());
    // Asked for, it is an error like others, and a signal.
    r = run_child([fd] {
      brokenPipe(fd);
      Main(0, nullptr, [fd] {
        auto c = make_chan<os::Signal>(1);
        os::signal::Notify(c, SIGPIPE);
        bool ok = write(fd) == -EPIPE && c.recv() == SIGPIPE;
        runtime::exit(ok ? 7 : 8);
      });
    });
    CHECK_MESSAGE(r.status == 7, r.str());
    r = run_child([fd] {
      brokenPipe(fd);
      Main(0, nullptr, [fd] {
        os::signal::Ignore(SIGPIPE);
        runtime::exit(write(fd) == -EPIPE ? 7 : 8);
      });
    });
    CHECK_MESSAGE(r.status == 7, r.str());
  }
}

// ---- handlers from before ----

namespace {

void say(const char* s) { (void)!::write(2, s, std::strlen(s)); }
void sayHandled(int) { say("handled\n"); }
void sayAndExit(int) {
  say("handled\n");
  ::_exit(9);
}
void install(int sig, void (*f)(int)) {
  struct sigaction sa = {};
  sa.sa_handler = f;
  // Go's rule for handlers that are not the runtime's: goroutine stacks are small.
  sa.sa_flags = SA_ONSTACK;
  sigaction(sig, &sa, nullptr);
}

}  // namespace

TEST_CASE("a handler from before, where the runtime installs none before it is asked") {
  Result r = run_child([] {
    install(SIGCONT, sayHandled);
    Main(0, nullptr, [] {
      runtime::LockOSThread();
      auto raise = [] {
        syscall::RawSyscall(SYS_tgkill, syscall::Getpid(), syscall::RawSyscall(SYS_gettid),
                            SIGCONT);
      };
      raise();
      auto c = make_chan<os::Signal>(1);
      os::signal::Notify(c, SIGCONT);
      println("asked");
      raise();
      c.recv();
      os::signal::Stop(c);
      println("stopped");
      raise();
    });
  });
  CHECK_MESSAGE(r.status == 0, r.str());
  if (!runtime::raceenabled) {  // TSan puts handlers off
    CHECK_MESSAGE(r.err == "handled\nasked\nstopped\nhandled\n", r.str());
  }
}

TEST_CASE("a handler from before has the first word when the process is to end") {
  Result r = run_child([] {
    install(SIGTERM, sayHandled);
    Main(0, nullptr, [] { dieBy(SIGTERM); });
  });
  CHECK_MESSAGE(r.signal == SIGTERM, r.str());
  if (!runtime::raceenabled) CHECK_MESSAGE(r.err == "handled\n", r.str());
}

TEST_CASE("a fault on a thread of others goes to their handler, one of goroutines does not") {
  Result r = run_child([] {
    install(SIGSEGV, sayAndExit);
    Main(0, nullptr, [] {
      long* nil = nullptr;
      asm volatile("" : "+r"(nil));
      std::string text = panicText([&] { *static_cast<volatile long*>(nil) = 1; });
      CHECK_GO(text == "runtime error: invalid memory address or nil pointer dereference");
      HostThread t([] {
        long* nil = nullptr;
        asm volatile("" : "+r"(nil));
        *static_cast<volatile long*>(nil) = 1;
      });
      t.join();
    });
  });
  CHECK_MESSAGE(r.status == 9, r.str());
  CHECK_MESSAGE(r.err == "handled\n", r.str());
}

TEST_CASE("a fault on a thread of others without a handler ends the process by the signal") {
  Result r = run_child([] {
    noCore();
    ::signal(SIGSEGV, SIG_DFL);
    Main(0, nullptr, [] {
      HostThread t([] {
        long* nil = nullptr;
        asm volatile("" : "+r"(nil));
        *static_cast<volatile long*>(nil) = 1;
      });
      t.join();
    });
  });
  CHECK_MESSAGE((r.signal == SIGSEGV || runtime::raceenabled), r.str());
  CHECK_MESSAGE(r.status != 0, r.str());
}

TEST_CASE("a signal to a thread of others ends the process as it would") {
  for (int sig : {SIGTERM, SIGHUP, SIGINT}) {
    Result r = run_go([sig] {
      static std::atomic<int> number;
      number = sig;
      HostThread t([] {
        ::tgkill(::getpid(), ::gettid(), number.load());
        for (;;) ::pause();
      });
      t.join();
    });
    CHECK_MESSAGE(r.signal == sig, r.str());
  }
}
