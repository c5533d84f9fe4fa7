// Scheduling: progress, parallelism, fairness, preemption. Behaviours of Go's proc_test.go; names
// are those of Go's tests. Run queues are in proc_runq_test.cc, threads and system calls in
// proc_thread_test.cc.
#include <unistd.h>

#include <atomic>
#include <string>

#include <sys/syscall.h>

#include "tests/harness.h"

using namespace gort;
using namespace gort::test;

namespace {

// A function with a frame of its own: entering it is a safe point.
GORT_NOINLINE int safepoint(int n) {
  volatile int a[128];
  for (int i = 0; i < 128; i++) a[i] = n;
  return a[n & 127];
}

std::atomic<bool> stopped{false};
std::atomic<unsigned> turn{0};

void perpetuumMobile() {
  if (!stopped) go(perpetuumMobile);
}

void yieldProgress(bool locked) {
  auto c = make_chan<bool>();
  auto cack = make_chan<bool>();
  go([=] {
    if (locked) runtime::LockOSThread();
    while (select(recv_case(c), default_case) != 0) runtime::Gosched();
    cack.send(true);
  });
  c.send(true);
  cack.recv();
}

// P goroutines take turns without ever giving up their P: all have to run at the same time.
void takeTurns(unsigned P, unsigned id, chan<bool> done) {
  for (unsigned i = 0; i < 3; i++) {
    unsigned expected = P * i + id;
    while (turn.load() != expected) {
    }
    turn.store(expected + 1);
  }
  done.send(true);
}

// Runs the hogs of TestPingPongHog; counter is written by who holds the token of wake.
void pingPong(chan<bool> done, chan<bool> wake, int limit, long* counter) {
  for (;;) {
    if (select(recv_case(done), recv_case(wake)) == 0) return;
    for (int i = 0; i < limit; i++) asm volatile("incq %0" : "+m"(*counter));
    // The partner may have seen done.
    if (select(recv_case(done), send_case(wake, true)) == 0) return;
  }
}

}  // namespace

GORT_TEST("TestStopTheWorldDeadlock") {
  auto done = make_chan<bool>(2);
  go([=] {
    char buf[512];
    for (int i = 0; i < 50; i++) runtime::Stack(buf, true);
    done.send(true);
  });
  go([=] {
    for (int i = 0; i < 200; i++) runtime::GOMAXPROCS(2 + i % 2);
    done.send(true);
  });
  go(perpetuumMobile);
  done.recv();
  done.recv();
  stopped = true;
}

GORT_TEST("TestYieldProgress") { yieldProgress(false); }
GORT_TEST("TestYieldLockedProgress") { yieldProgress(true); }

GORT_TEST("TestYieldLocked") {
  auto c = make_chan<long>();
  go([=] {
    runtime::LockOSThread();
    long tid = syscall::RawSyscall(SYS_gettid);
    for (int i = 0; i < 10; i++) {
      runtime::Gosched();
      time::Sleep(100 * time::Microsecond);
      CHECK_GO(syscall::RawSyscall(SYS_gettid) == tid);
    }
    c.send(tid);  // and ends locked
  });
  CHECK_GO(c.recv() > 0);
}

GORT_TEST("TestGoroutineParallelism") {
  constexpr unsigned P = 3;
  runtime::GOMAXPROCS(P);
  for (int round = 0; round < 3; round++) {
    auto done = make_chan<bool>();
    turn = 0;
    for (unsigned p = 0; p < P; p++) go(takeTurns, P, p, done);
    for (unsigned p = 0; p < P; p++) done.recv();
  }
}

// The same after the Ps were busy, so that worker threads are about to park; started in two levels.
GORT_TEST("TestGoroutineParallelism2") {
  constexpr unsigned P = 4;
  runtime::GOMAXPROCS(P);
  for (int round = 0; round < 2; round++) {
    auto done = make_chan<bool>();
    turn = 0;
    for (unsigned p = 0; p < P; p++)
      go([=] {
        if (turn.fetch_add(1) + 1 == P) {
          done.send(true);
          return;
        }
        while (turn.load() < P) {
        }
        done.send(true);
      });
    for (unsigned p = 0; p < P; p++) done.recv();
    turn = 0;
    for (unsigned p = 0; p < P / 2; p++)
      go([=] {
        for (unsigned q = 0; q < 2; q++) go(takeTurns, P, p * 2 + q, done);
      });
    for (unsigned p = 0; p < P; p++) done.recv();
  }
}

GORT_TEST("TestBlockLocked") {
  auto c = make_chan<int>();
  go([=] {
    runtime::LockOSThread();
    for (int i = 0; i < 10; i++) c.send(i);
    runtime::UnlockOSThread();
    c.close();
  });
  int n = 0;
  for (int v : c) CHECK_GO(v == n++);
  CHECK_GO(n == 10);
}

GORT_TEST("TestTimerFairness") {
  auto done = make_chan<bool>();
  auto c = make_chan<bool>();
  for (int i = 0; i < 2; i++)
    go([=] {
      while (select(send_case(c, true), recv_case(done)) == 0) {
      }
    });
  auto timer = time::After(5 * time::Millisecond);
  while (select(recv_case(c), recv_case(timer)) == 0) {
  }
  done.close();
}

GORT_TEST("TestTimerFairness2") {
  auto done = make_chan<bool>();
  auto c = make_chan<bool>();
  for (int i = 0; i < 2; i++)
    go([=] {
      auto timer = time::After(5 * time::Millisecond);
      char b;
      do {
        syscall::Syscall(SYS_read, 0, reinterpret_cast<long>(&b), 0);
      } while (select(send_case(c, true), recv_case(c), recv_case(timer)) != 2);
      done.send(true);
    });
  done.recv();
  done.recv();
}

GORT_TEST("TestPreemption") {
  auto c = make_chan<bool>();
  for (unsigned id = 0; id < 2; id++)
    go([=] {
      for (int i = 0; i < 3; i++) {
        while (turn.load() != id) safepoint(i);
        turn.store(1 - id);
      }
      c.send(true);
    });
  c.recv();
  c.recv();
}

// A stop-the-world preempts goroutines that run; Go's test uses collections.
GORT_TEST("TestPreemptionGC") {
  constexpr int P = 3;
  runtime::GOMAXPROCS(P + 1);
  auto done = make_chan<bool>();
  for (int i = 0; i < P; i++)
    go([=] {
      while (!stopped) safepoint(1);
      done.send(true);
    });
  char buf[256];
  for (int i = 0; i < 5; i++) {
    runtime::Gosched();
    CHECK_GO(runtime::Stack(buf, true) > 0);
  }
  stopped = true;
  for (int i = 0; i < P; i++) done.recv();
}

// The hog never blocks: the other goroutine runs again only if sysmon has it preempted.
TEST_CASE("sysmon preempts a loop with calls on one P") {
  Result r = run_go(
      [] {
        auto done = make_chan<bool>();
        go([=] {
          turn = 1;
          while (!stopped) safepoint(2);
          done.send(true);
        });
        while (turn == 0) runtime::Gosched();
        stopped = true;
        done.recv();
      },
      {{"GOMAXPROCS", "1"}});
  CHECK_MESSAGE(r.status == 0, r.str());
}

// Two pairs hand a token to and fro on one P, one doing 1000 times the work per turn. The time
// slice goes with the token, so both pairs get about the same share of the P.
TEST_CASE("TestPingPongHog") {
  if (runtime::raceenabled) return;  // run queues are shuffled there, which makes it fail in Go too
  Result r = run_go(
      [] {
        auto done = make_chan<bool>();
        auto hogChan = make_chan<bool>(), lightChan = make_chan<bool>();
        auto* count = make<std::array<long, 2>>();
        for (int i = 0; i < 2; i++) go(pingPong, done, hogChan, 1000000, &(*count)[0]);
        for (int i = 0; i < 2; i++) go(pingPong, done, lightChan, 1000, &(*count)[1]);
        hogChan.send(true);
        lightChan.send(true);
        time::Sleep(100 * time::Millisecond);
        done.close();
        while (runtime::NumGoroutine() > 1) runtime::Gosched();
        long hog = (*count)[0], light = (*count)[1];
        println("hog", hog, "light", light);
        constexpr long factor = 20;
        CHECK_GO(hog / factor <= light && light / factor <= hog);
      },
      {{"GOMAXPROCS", "1"}});
  CHECK_MESSAGE(r.status == 0, r.str());
}

// A preemption request must not be lost in the prologue of a function with a large frame.
GORT_TEST("TestPreemptSplitBig") {
  runtime::GOMAXPROCS(2);
  auto stop = make_chan<int>();
  auto done = make_chan<bool>();
  struct big {
    GORT_NOINLINE static int frame(chan<int> c) {
      volatile char x[8192];
      for (int i = 0; i < 8192; i += 64) x[i] = static_cast<char>(i);
      return select(recv_case(c), default_case) == 0 ? -1 : x[64];
    }
  };
  go([=] {
    while (big::frame(stop) >= 0) {
      for (int i = 0; i < 100000; i++) asm volatile("");
    }
    done.send(true);
  });
  char buf[256];
  for (int i = 0; i < 3; i++) CHECK_GO(runtime::Stack(buf, true) > 0);
  stop.close();
  done.recv();
}

GORT_TEST("TestNumGoroutine") {
  CHECK_GO(runtime::NumGoroutine() == 1);
  auto c = make_chan<bool>();
  constexpr int n = 10;
  for (int i = 0; i < n; i++) go([=] { c.recv(); });
  CHECK_GO(runtime::NumGoroutine() == n + 1);
  std::string buf(1 << 20, 0);
  buf.resize(static_cast<std::size_t>(runtime::Stack(buf, true)));
  int seen = 0;
  for (std::size_t i = 0; (i = buf.find("goroutine ", i)) != std::string::npos; i++)
    seen += i < 3 || buf.compare(i - 3, 3, "in ") != 0;  // «created by f in goroutine 1»
  CHECK_GO(seen == n + 1);
  c.close();
  while (runtime::NumGoroutine() != 1) runtime::Gosched();
}

GORT_TEST("TestBigGOMAXPROCS", Env{{"GOMAXPROCS", "1024"}}) {
  CHECK_GO(runtime::GOMAXPROCS(0) == 1024);
  auto c = make_chan<int>();
  for (int i = 0; i < 100; i++) go([=] { c.send(i); });
  int sum = 0;
  for (int i = 0; i < 100; i++) sum += c.recv();
  CHECK_GO(sum == 4950);
}
