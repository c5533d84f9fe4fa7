// Threads that the runtime has not made enter it by cgocallback. Ports the ideas of Go's
// runtime/testdata/testprogcgo: callback.go, threadpanic.go, needmdeadlock.go, sigstack.go.
#include <errno.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "tests/chan_wait.h"
#include "tests/hostthread.h"

using namespace gort;
using namespace gort::test;

namespace {

GORT_NOINLINE long recurse(int depth) {
  volatile char frame[200];
  frame[0] = static_cast<char>(depth);
  long below = depth == 0 ? 0 : recurse(depth - 1) + 1;
  return frame[0] == static_cast<char>(depth) ? below : -1;
}

}  // namespace

GORT_TEST("a thread calls back, again and again") {
  runtime::ExpectCallbacks();
  static long sum, n;
  n = runtime::raceenabled ? 100 : 2000;
  sum = 0;
  HostThread t([] {
    for (long i = 1; i <= n; i++) {
      long got = 0;
      runtime::cgocallback([&] { got = i + recurse(static_cast<int>(i % 50)); });
      sum += got - i % 50;
    }
  });
  t.join();
  CHECK_GO(sum == n * (n + 1) / 2);
}

GORT_TEST("channels between threads and goroutines") {
  runtime::ExpectCallbacks();
  static chan<int> in, out;
  in = make_chan<int>();
  out = make_chan<int>();
  constexpr int n = 200;
  HostThread a([] {
    for (int i = 0; i < n; i++) runtime::cgocallback([i] { in.send(i); });
    runtime::cgocallback([] { in.close(); });
  });
  HostThread b([] {
    int sum = 0;
    // One long callback, which blocks many times.
    runtime::cgocallback([&] {
      for (int v : out) sum += v;
    });
    if (sum != 2 * n * (n - 1) / 2) std::abort();
  });
  for (int v : in) out.send(2 * v);
  out.close();
  a.join();
  b.join();
}

bool goroutineListIsFull() {
  bool full = false;
  runtime::systemstack([&] {
    runtime::lock(&runtime::allglock);
    full = runtime::allgs.len == runtime::allgs.cap;
    runtime::unlock(&runtime::allglock);
  });
  return full;
}

// The thread's own goroutine makes the list grow, and there is no P to allocate with. Found by a
// storm.
GORT_TEST("a first callback when the list of goroutines is full") {
  runtime::ExpectCallbacks();
  static std::atomic<bool> came;
  came = false;
  auto hold = make_chan<bool>();
  while (!goroutineListIsFull()) go([=] { hold.recv(); });
  HostThread t([] { runtime::cgocallback([] { came = true; }); });
  t.join();
  CHECK_GO(came);
  hold.close();
}

GORT_TEST("goroutines, collections and deep stacks inside") {
  runtime::ExpectCallbacks();
  static std::atomic<int> ok;
  ok = 0;
  HostThread t([] {
    for (int i = 0; i < 3; i++)
      runtime::cgocallback([] {
        auto c = make_chan<int>();
        auto* kept = make<int>(42);
        for (int i = 0; i < 10; i++) go([=] { c.send(i); });
        int sum = 0;
        for (int i = 0; i < 10; i++) sum += c.recv();
        runtime::GC();
        if (sum == 45 && *kept == 42 && recurse(2000) == 2000) ok++;
      });
  });
  for (int i = 0; i < 5; i++) runtime::GC();
  t.join();
  CHECK_GO(ok == 3);
}

GORT_TEST("many threads at the same time") {
  runtime::ExpectCallbacks();
  constexpr int n = 12;
  static std::atomic<long> sum;
  sum = 0;
  static chan<int> c;
  c = make_chan<int>();
  auto body = [] {
    for (int i = 0; i < 50; i++)
      runtime::cgocallback([i] {
        c.send(i);
        sum += recurse(20);
      });
  };
  alignas(HostThread<decltype(body)>) static char space[n][sizeof(HostThread<decltype(body)>)];
  HostThread<decltype(body)>* t[n];
  for (int i = 0; i < n; i++) t[i] = new (space[i]) HostThread<decltype(body)>(body);
  long got = 0;
  for (int i = 0; i < n * 50; i++) got += c.recv();
  for (auto* p : t) p->join();
  CHECK_GO(got == n * 49 * 50 / 2);
  CHECK_GO(sum == n * 50 * 20);
  // What they have left behind is not counted.
  CHECK_GO(runtime::NumGoroutine() == 1);
}

GORT_TEST("a goroutine calls back: a plain call") {
  int n = 0;
  runtime::cgocallback([&] { runtime::cgocallback([&] { n = 7; }); });
  CHECK_GO(n == 7);
}

GORT_TEST("nested on a thread") {
  runtime::ExpectCallbacks();
  static int n;
  n = 0;
  HostThread t([] {
    runtime::cgocallback([] {
      auto c = make_chan<int>(1);
      runtime::cgocallback([&] {
        runtime::cgocallback([&] { c.send(3); });
        n += c.recv();
      });
    });
  });
  t.join();
  CHECK_GO(n == 3);
}

GORT_TEST("panics that are recovered inside, and faults") {
  runtime::ExpectCallbacks();
  static int n;
  n = 0;
  HostThread t([] {
    for (int i = 0; i < 20; i++)
      runtime::cgocallback([] {
        if (panicText([] { runtime::goPanicIndex(5, 3); }) ==
            "runtime error: index out of range [5] with length 3")
          n++;
        long* nil = nullptr;
        asm volatile("" : "+r"(nil));
        if (panicText([&] { *static_cast<volatile long*>(nil) = 1; }) ==
            "runtime error: invalid memory address or nil pointer dereference")
          n++;
      });
  });
  t.join();
  CHECK_GO(n == 40);
}

TEST_CASE("a panic that nobody recovers") {
  Result r = run_go([] {
    runtime::ExpectCallbacks();
    HostThread t([] { runtime::cgocallback([] { panic("inside"); }); });
    t.join();
  });
  CHECK_MESSAGE(r.status == 2, r.str());
  CHECK_MESSAGE(r.err.starts_with("panic: inside\n\ngoroutine "), r.str());
}

TEST_CASE("Goexit inside is fatal") {
  Result r = run_go([] {
    runtime::ExpectCallbacks();
    HostThread t([] { runtime::cgocallback([] { runtime::Goexit(); }); });
    t.join();
  });
  CHECK_MESSAGE(r.status == 2, r.str());
  CHECK_MESSAGE(r.err.starts_with("fatal error: runtime.Goexit called in a thread that was not "
                                  "created by the Go runtime\n"),
                r.str());
}

GORT_TEST("a thread's own signal stack and mask are put back") {
  runtime::ExpectCallbacks();
  static bool ok;
  ok = false;
  HostThread t([] {
    static char own[65536];
    stack_t mine = {own, 0, sizeof own}, before, after;
    sigset_t set, maskAfter;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigaddset(&set, SIGURG);
    bool good = true;
    for (int i = 0; i < 3; i++) {
      sigaltstack(&mine, nullptr);
      pthread_sigmask(SIG_SETMASK, &set, nullptr);
      sigaltstack(nullptr, &before);
      runtime::cgocallback([&] {
        // The signals that no M blocks.
        stack_t inside;
        sigset_t maskInside;
        runtime::cgocall([&] {
          sigaltstack(nullptr, &inside);
          pthread_sigmask(SIG_SETMASK, nullptr, &maskInside);
        });
        good = good && inside.ss_sp != own && sigismember(&maskInside, SIGUSR1) == 1 &&
               sigismember(&maskInside, SIGURG) == 0;
      });
      sigaltstack(nullptr, &after);
      pthread_sigmask(SIG_SETMASK, nullptr, &maskAfter);
      good = good && after.ss_sp == before.ss_sp && after.ss_size == before.ss_size &&
             after.ss_flags == before.ss_flags && sigismember(&maskAfter, SIGUSR1) == 1 &&
             sigismember(&maskAfter, SIGURG) == 1;
    }
    ok = good;
  });
  t.join();
  CHECK_GO(ok);
}

// In a loop without calls, too, somebody else gets the processor.
GORT_TEST("callbacks are preempted") {
  runtime::ExpectCallbacks();
  static std::atomic<bool> started, end;
  started = end = false;
  HostThread t([] {
    runtime::cgocallback([] {
      started = true;
      while (!end.load(std::memory_order_relaxed)) {
      }
    });
  });
  while (!started) runtime::Gosched();
  for (int i = 0; i < 3; i++) runtime::GC();
  end = true;
  t.join();
}

GORT_TEST("signals while threads come and go") {
  runtime::ExpectCallbacks();
  static std::atomic<bool> end;
  end = false;
  auto c = make_chan<os::Signal>(1);
  os::signal::Notify(c, SIGUSR1);
  go([] {
    while (!end) {
      syscall::Kill(syscall::Getpid(), SIGUSR1);
      runtime::Gosched();
    }
  });
  go([=] {
    for (os::Signal s : c) (void)s;
  });
  for (int i = 0; i < 10; i++) {
    static std::atomic<int> n;
    n = 0;
    HostThread t([] {
      for (int j = 0; j < 20; j++) runtime::cgocallback([] { n++; });
    });
    t.join();
    CHECK_GO(n == 20);
  }
  end = true;
}

// Nobody knows whether a thread will come in.
GORT_TEST("a goroutine that waits for a thread is no deadlock") {
  runtime::ExpectCallbacks();
  static chan<int> c;
  c = make_chan<int>();
  static runtime::g* self;
  self = runtime::getg();
  static std::atomic<bool> ready;
  ready = false;
  HostThread t([] {
    while (!ready || runtime::readgstatus(self) != runtime::_Gwaiting) {
    }
    runtime::cgocallback([] { c.send(1); });
  });
  ready = true;
  CHECK_GO(c.recv() == 1);
  t.join();
}

GORT_TEST("AllThreadsSyscall after a callback: -ENOTSUP") {
  auto keepcaps = [] { return syscall::AllThreadsSyscall(SYS_prctl, PR_SET_KEEPCAPS, 1, 0); };
  CHECK_GO(keepcaps() == 0);
  runtime::cgocallback([] {});  // on a goroutine: no thread has come in
  CHECK_GO(keepcaps() == 0);
  HostThread t([] { runtime::cgocallback([] {}); });
  t.join();
  CHECK_GO(keepcaps() == -ENOTSUP);
}
