// What ThreadSanitizer says about goroutines: an unprotected counter is reported, one protected by
// any of Go's means is not. Built in mode tsan alone.
//
// The two goroutines of a race have to be on two Ms at once: a switch of goroutines on one M is an
// order for TSan (tsan.h). Each waits until the other runs, by relaxed atomics, which order nothing.
#include <atomic>

#include "tests/harness.h"

using namespace gort;
using namespace gort::test;

namespace {

constexpr int kTries = 10;
constexpr int kRounds = 300;

long counter = 0;
std::atomic<int> running{0};
sync::Mutex mu;
sync::RWMutex rw;
sync::WaitGroup wg;
sync::Once once;

// Both goroutines run from here on, on a thread each. (Preempted, one lets the other go on for a
// while only.)
void meet() {
  running.fetch_add(1, std::memory_order_relaxed);
  while (running.load(std::memory_order_relaxed) < 2) {
  }
}

GORT_NOINLINE void increment() { counter = counter + 1; }

// Runs two at once, which meet first, and waits for both.
template <class F>
void two(F f) {
  auto done = make_chan<bool>();
  for (int i = 0; i < 2; i++)
    go([=] {
      meet();
      for (int k = 0; k < kRounds; k++) f(i);
      done.send(true);
    });
  done.recv();
  done.recv();
}

// The race is seen, in one of a few tries.
void mustRace(void (*f)()) {
  for (const char* procs : {"2", "4"}) {
    bool seen = false;
    Result r;
    for (int i = 0; i < kTries && !seen; i++) {
      r = run_go(f, Env{{"GOMAXPROCS", procs}});
      seen = r.has("WARNING: ThreadSanitizer: data race");
    }
    CHECK_MESSAGE(seen, r.str());
    CHECK_MESSAGE(r.status == 66, r.str());
    CHECK_MESSAGE(r.has("increment()"), r.str());  // both stacks lead to the program's code
  }
}

void mustBeQuiet(void (*f)()) {
  for (const char* procs : {"2", "4"}) {
    Result r = run_go(f, Env{{"GOMAXPROCS", procs}});
    CHECK_MESSAGE(r.status == 0, r.str());
    CHECK_MESSAGE(r.err.empty(), r.str());
  }
}

}  // namespace

TEST_CASE("races that are reported") {
  SUBCASE("nothing protects") {
    mustRace([] { two([](int) { increment(); }); });
  }
  SUBCASE("the read side of an RWMutex does not exclude") {
    mustRace([] {
      two([](int) {
        rw.RLock();
        increment();
        rw.RUnlock();
      });
    });
  }
  SUBCASE("a Mutex of one goroutine only") {
    mustRace([] {
      two([](int i) {
        if (i == 0) mu.Lock();
        increment();
        if (i == 0) mu.Unlock();
      });
    });
  }
  SUBCASE("after the WaitGroup's Add") {
    mustRace([] {
      two([](int) {
        wg.Add(1);
        increment();
      });
    });
  }
  SUBCASE("write after the send") {
    mustRace([] {
      static auto c = make_chan<int>();
      two([](int i) {
        if (i == 0) {
          c.send(1);
          increment();
        } else {
          c.recv();
          increment();
        }
      });
    });
  }
}

TEST_CASE("programs without a race") {
  SUBCASE("Mutex") {
    mustBeQuiet([] {
      two([](int) {
        mu.Lock();
        increment();
        mu.Unlock();
      });
      CHECK_GO(counter == 2 * kRounds);
    });
  }
  SUBCASE("Mutex.TryLock") {
    mustBeQuiet([] {
      two([](int) {
        while (!mu.TryLock()) runtime::Gosched();
        increment();
        mu.Unlock();
      });
      CHECK_GO(counter == 2 * kRounds);
    });
  }
  SUBCASE("RWMutex: writers and readers") {
    mustBeQuiet([] {
      two([](int i) {
        if (i == 0) {
          rw.Lock();
          increment();
          rw.Unlock();
        } else {
          rw.RLock();
          CHECK_GO(counter >= 0);
          rw.RUnlock();
        }
      });
    });
  }
  SUBCASE("an unbuffered channel") {
    mustBeQuiet([] {
      static auto token = make_chan<int>(), back = make_chan<int>();
      two([](int i) {
        if (i == 0) {
          increment();
          token.send(1);
          back.recv();
        } else {
          token.recv();
          increment();
          back.send(1);
        }
      });
    });
  }
  SUBCASE("a buffered channel as a lock") {
    mustBeQuiet([] {
      static auto sem = make_chan<int>(1);
      two([](int) {
        sem.send(1);
        increment();
        sem.recv();
      });
    });
  }
  SUBCASE("close") {
    mustBeQuiet([] {
      for (int k = 0; k < 50; k++) {
        auto c = make_chan<int>();
        go([=] {
          increment();
          c.close();
        });
        c.recv();
        increment();
      }
    });
  }
  SUBCASE("select") {
    mustBeQuiet([] {
      static auto a = make_chan<int>(), b = make_chan<int>();
      two([](int i) {
        if (i == 0) {
          increment();
          select(send_case(a, 1), send_case(b, 1));
          a.recv();
        } else {
          select(recv_case(a), recv_case(b));
          increment();
          a.send(1);
        }
      });
    });
  }
  SUBCASE("WaitGroup") {
    mustBeQuiet([] {
      for (int k = 0; k < 50; k++) {
        wg.Add(1);
        go([] {
          increment();
          wg.Done();
        });
        wg.Wait();
        increment();
      }
    });
  }
  SUBCASE("Once") {
    mustBeQuiet([] {
      two([](int) {
        once.Do(increment);
        CHECK_GO(counter == 1);
      });
    });
  }
  SUBCASE("Cond") {
    mustBeQuiet([] {
      static sync::Cond c(&mu);
      two([](int i) {
        mu.Lock();
        while (counter % 2 != i) c.Wait();
        increment();
        c.Signal();
        mu.Unlock();
      });
    });
  }
  SUBCASE("Pool") {
    mustBeQuiet([] {
      static sync::Pool<long> pool{[] { return new long(0); }};
      two([](int) {
        long* x = pool.Get();
        ++*x;
        pool.Put(x);
      });
    });
  }
  SUBCASE("std::atomic with release and acquire") {
    mustBeQuiet([] {
      static std::atomic<int> turn{0};
      two([](int i) {
        while (turn.load(std::memory_order_acquire) != i) runtime::Gosched();
        increment();
        turn.store(1 - i, std::memory_order_release);
      });
    });
  }
  SUBCASE("the go statement and AfterFunc") {
    mustBeQuiet([] {
      auto done = make_chan<bool>();
      for (int k = 0; k < 50; k++) {
        increment();
        go([=] {
          increment();
          time::AfterFunc(0, [=] {
            increment();
            done.send(true);
          });
        });
        done.recv();
      }
    });
  }
  SUBCASE("GOMAXPROCS and Stack, which stop the world, in between") {
    mustBeQuiet([] {
      auto done = make_chan<bool>();
      go([=] {
        char buf[512];
        for (int k = 0; k < 20; k++) {
          runtime::GOMAXPROCS(1 + k % 4);
          runtime::Stack(buf, true);
        }
        done.send(true);
      });
      for (int k = 0; k < kRounds; k++) {
        mu.Lock();
        increment();
        mu.Unlock();
        runtime::Gosched();
      }
      done.recv();
    });
  }
}
