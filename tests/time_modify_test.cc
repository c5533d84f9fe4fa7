// Timers that are changed all the time and from several Ps, and tickers. Behaviours of Go's
// time/sleep_test.go (the second half) and time/tick_test.go, and of the stress tests that came with
// fixes of the timers; names are those of Go's tests.
#include <atomic>
#include <numeric>
#include <string>
#include <vector>

#include "runtime/stubs.h"
#include "runtime/timer.h"
#include "tests/harness.h"

using namespace gort;
using namespace gort::test;

namespace {

namespace rt = gort::runtime;

std::uint32_t random(std::uint32_t n) { return rt::fastrandn(n); }

// One step in the life of timer t; returns false at its end.
bool adjustStep(int state, time::Timer** t) {
  switch (state) {
    case 0:
      *t = time::NewTimer(0);
      break;
    case 1:
      (*t)->C.recv();
      break;
    // Far away, and put off.
    case 2:
    case 4:
    case 6:
      CHECK_GO(!(*t)->Reset((state % 4 + 1) * time::Hour));
      break;
    case 3:
    case 5:
    case 7:
      CHECK_GO((*t)->Stop());
      break;
    case 8:
      CHECK_GO(!(*t)->Reset(0));
      break;
    case 9:
      (*t)->C.recv();
      break;
    default:
      return false;
  }
  return true;
}

}  // namespace

// Moving many timers earlier and later, in any order, loses none.
GORT_TEST("TestAdjustTimers") {
  constexpr int n = 100;
  auto timers = make_slice<time::Timer*>(n);
  auto states = make_slice<int>(n);
  std::vector<int> indices(n);
  std::iota(indices.begin(), indices.end(), 0);
  while (!indices.empty()) {
    std::size_t k = random(static_cast<std::uint32_t>(indices.size()));
    int i = indices[k];
    if (!adjustStep(states[i]++, &timers[i])) {
      indices[k] = indices.back();
      indices.pop_back();
    }
  }
}

// The bounds that an idle P sleeps by: while a timer far away is moved close by another P, the P
// that has it wakes in time. (A failure is a hang.)
GORT_TEST("MultiWakeupTimer") {
  auto c = make_chan<int>();
  constexpr int n = 5, rounds = 20;
  for (int i = 0; i < n; i++)
    go([=] {
      for (int k = 0; k < rounds; k++) {
        auto* t = time::NewTimer(time::Hour);
        go([=] { t->Reset((i + 1) * 100 * time::Microsecond); });
        t->C.recv();
        c.send(i);
      }
    });
  int sum = 0;
  for (int i = 0; i < n * rounds; i++) sum += c.recv();
  CHECK_GO(sum == rounds * (n * (n - 1) / 2));
}

// One timer, many goroutines that reset it. Which Reset wins is not defined; that nothing breaks and
// that the timer still works behind it is.
GORT_TEST("TestConcurrentTimerReset") {
  constexpr int goroutines = 8, tries = 200;
  auto* timer = time::NewTimer(time::Hour);
  auto* wg = make<sync::WaitGroup>();
  wg->Add(goroutines);
  for (int i = 0; i < goroutines; i++)
    go([=] {
      for (int j = 0; j < tries; j++) timer->Reset(time::Hour + i * j * time::Nanosecond);
      wg->Done();
    });
  wg->Wait();
  CHECK_GO(timer->Reset(0));
  timer->C.recv();
}

// The same with Stop.
GORT_TEST("TestConcurrentTimerResetStop") {
  constexpr int goroutines = 8, tries = 200;
  auto* timer = time::NewTimer(time::Hour);
  auto* wg = make<sync::WaitGroup>();
  wg->Add(goroutines * 2);
  for (int i = 0; i < goroutines; i++) {
    go([=] {
      for (int j = 0; j < tries; j++) timer->Reset(time::Hour + i * j * time::Nanosecond);
      wg->Done();
    });
    go([=] {
      for (int j = 0; j < tries; j++) timer->Stop();
      wg->Done();
    });
  }
  wg->Wait();
  timer->Stop();
  CHECK_GO(!timer->Reset(0));
  timer->C.recv();
}

// Timers stay good when the P that has them goes away.
GORT_TEST("timers move with GOMAXPROCS") {
  constexpr int n = 60;
  auto* wg = make<sync::WaitGroup>();
  wg->Add(n);
  for (int i = 0; i < n; i++)
    go([=] {
      for (int k = 0; k < 5; k++) {
        auto* t = time::NewTimer((1 + i % 5) * time::Millisecond);
        auto* far = time::NewTimer(time::Hour);
        t->C.recv();
        CHECK_GO(far->Stop());
      }
      wg->Done();
    });
  for (int i = 0; i < 20; i++) {
    runtime::GOMAXPROCS(1 + i % 8);
    time::Sleep(time::Millisecond);
  }
  wg->Wait();
}

// A period so large that the next time overflows: the timer stays in the heap, as the last one, and
// no other timer is kept from firing.
GORT_TEST("TestOverflowPeriodRuntimeTimer") {
  auto* t = make<rt::timer>();
  auto* fired = make<std::atomic<int>>(0);
  t->when = 1;
  t->period = INT64_MAX;
  t->f = [](void* arg, rt::uintptr) { static_cast<std::atomic<int>*>(arg)->fetch_add(1); };
  t->arg = fired;
  rt::startTimer(t);
  while (fired->load() == 0) time::Sleep(time::Microsecond);
  for (int i = 0; i < 10; i++) time::After(100 * time::Microsecond).recv();
  CHECK_GO(fired->load() == 1);
  CHECK_GO(rt::stopTimer(t));
}

TEST_CASE("addtimer refuses what cannot be ordered") {
  struct Case {
    std::int64_t when, period;
    const char* text;
  };
  for (Case k : {Case{0, 0, "fatal error: timer when must be positive"},
                 Case{1, -1, "fatal error: timer period must be non-negative"}}) {
    Result r = run_go([=] {
      auto* t = make<rt::timer>();
      t->when = k.when;
      t->period = k.period;
      rt::startTimer(t);
    });
    CHECK(r.status == 2);
    CHECK_MESSAGE(r.has(k.text), r.str());
  }
  Result r = run_go([] {
    auto* t = make<rt::timer>();
    t->when = INT64_MAX;
    t->f = [](void*, rt::uintptr) {};
    rt::startTimer(t);
    rt::startTimer(t);
  });
  CHECK(r.status == 2);
  CHECK_MESSAGE(r.has("fatal error: addtimer called with initialized timer"), r.str());
}

// ---- tickers ----

GORT_TEST("TestTicker") {
  constexpr int count = 10;
  const time::Duration delta = 2 * time::Millisecond;
  time::Time t0 = time::Now();
  auto* ticker = time::NewTicker(delta);
  for (int i = 0; i < count / 2; i++) ticker->C.recv();
  ticker->Reset(2 * delta);
  for (int i = count / 2; i < count; i++) ticker->C.recv();
  ticker->Stop();
  // Five ticks from t0 on, and from Reset on one that was there already and four of double length.
  CHECK_GO(time::Now().Sub(t0) >= count / 2 * delta + (count / 2 - 1) * 2 * delta);
  // One that came before Stop, or was just about to; then none.
  time::Sleep(4 * delta);
  select(recv_case(ticker->C), default_case);
  time::Sleep(4 * delta);
  CHECK_GO(select(recv_case(ticker->C), default_case) == 1);
}

// Ticks that nobody takes are lost, but for one.
GORT_TEST("a ticker keeps one tick") {
  auto* ticker = time::NewTicker(100 * time::Microsecond);
  while (len(ticker->C) == 0) time::Sleep(50 * time::Microsecond);
  time::Sleep(2 * time::Millisecond);
  CHECK_GO(len(ticker->C) == 1);
  CHECK_GO(cap(ticker->C) == 1);
  ticker->Stop();
}

GORT_TEST("TestTeardown") {
  for (int i = 0; i < 3; i++) {
    auto* ticker = time::NewTicker(2 * time::Millisecond);
    ticker->C.recv();
    ticker->Stop();
    ticker->Stop();
  }
}

GORT_TEST("TestTickerStopWithDirectInitialization") {
  auto* ticker = make<time::Ticker>();
  ticker->C = make_chan<time::Time>();
  ticker->Stop();
  CHECK_GO(select(recv_case(ticker->C), default_case) == 1);
}

GORT_TEST("TestTick") {
  CHECK_GO(!time::Tick(-1));
  CHECK_GO(!time::Tick(0));
  auto c = time::Tick(time::Microsecond);
  // Two Ps may send two ticks of so short a period in either order, as in Go.
  for (int i = 0; i < 3; i++) CHECK_GO(!c.recv().IsZero());
}

GORT_TEST("TestNewTickerLtZeroDuration") {
  CHECK_GO(panicText([] { time::NewTicker(-1); }) == "non-positive interval for NewTicker");
  CHECK_GO(panicText([] { time::NewTicker(0); }) == "non-positive interval for NewTicker");
}

GORT_TEST("TestTickerResetLtZeroDuration") {
  auto* ticker = time::NewTicker(time::Second);
  CHECK_GO(panicText([&] { ticker->Reset(0); }) == "non-positive interval for Ticker.Reset");
  auto* zero = make<time::Ticker>();
  CHECK_GO(panicText([&] { zero->Reset(1); }) == "time: Reset called on uninitialized Ticker");
}

// Several Ps reset and stop one ticker while it ticks.
GORT_TEST("Ticker.Reset in parallel") {
  auto* ticker = time::NewTicker(time::Microsecond);
  auto* wg = make<sync::WaitGroup>();
  constexpr int n = 4;
  wg->Add(n);
  for (int i = 0; i < n; i++)
    go([=] {
      for (int k = 0; k < 100; k++) {
        ticker->Reset((1 + k % 5) * time::Microsecond);
        if (k % 10 == i) ticker->Stop();
        select(recv_case(ticker->C), default_case);
      }
      wg->Done();
    });
  wg->Wait();
  ticker->Reset(time::Microsecond);
  for (int i = 0; i < 3; i++) ticker->C.recv();
}
