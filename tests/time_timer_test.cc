// Package time: Sleep, After, AfterFunc, Timer. Behaviours of Go's time/sleep_test.go; names are
// those of Go's tests. Lower bounds of times are exact; there are no upper ones but those that say
// «the other timer, much later, came first».
#include <array>
#include <atomic>
#include <string>

#include "tests/harness.h"

using namespace gort;
using namespace gort::test;

namespace {

constexpr time::Duration maxDuration = INT64_MAX;
constexpr time::Duration minDuration = INT64_MIN;

// Starts the next one n times.
void chain(int n, chan<bool> c) {
  if (n == 0) return c.send(true);
  time::AfterFunc(0, [=] { chain(n - 1, c); });
}

}  // namespace

GORT_TEST("TestSleep") {
  for (int ms : {1, 3, 10}) {
    const time::Duration delay = ms * time::Millisecond;
    time::Time start = time::Now();
    time::Sleep(delay);
    CHECK_GO(time::Now().Sub(start) >= delay);
  }
  time::Sleep(0);
  time::Sleep(-1);
}

GORT_TEST("no sleeper wakes before its time") {
  auto order = make_chan<int>(5);
  auto start = time::Now().Add(20 * time::Millisecond);
  for (int i = 4; i >= 0; i--)
    go([=] {
      time::Sleep(time::Until(start.Add(i * 3 * time::Millisecond)));
      CHECK_GO(time::Now().Sub(start) >= i * 3 * time::Millisecond);
      order.send(i);
    });
  int sum = 0;
  for (int i = 0; i < 5; i++) sum += 1 << (3 * order.recv());
  CHECK_GO(sum == 011111);
}

GORT_TEST("TestAfterFunc") {
  auto c = make_chan<bool>();
  chain(10, c);
  c.recv();
}

GORT_TEST("TestAfterStress") {
  struct State {
    std::atomic<bool> stop{false};
  };
  auto* s = make<State>();
  auto stopped = make_chan<bool>();
  go([=] {
    while (!s->stop.load()) {
      char buf[256];
      runtime::Stack(buf, true);  // stops the world, as the collection of Go's test does
      time::Sleep(time::Nanosecond);
    }
    stopped.send(true);
  });
  time::Ticker* ticker = time::NewTicker(1);
  for (int i = 0; i < 100; i++) ticker->C.recv();
  ticker->Stop();
  s->stop.store(true);
  stopped.recv();
}

GORT_TEST("AfterFunc calls every one once") {
  constexpr int n = 300;
  auto* calls = make<std::array<std::atomic<int>, n>>();
  auto* wg = make<sync::WaitGroup>();
  wg->Add(n);
  for (int i = 0; i < n; i++)
    time::AfterFunc(i % 7 * time::Microsecond, [=] {
      (*calls)[static_cast<std::size_t>(i)].fetch_add(1);
      wg->Done();
    });
  wg->Wait();
  for (auto& k : *calls) CHECK_GO(k.load() == 1);
}

GORT_TEST("TestAfter") {
  const time::Duration delay = 10 * time::Millisecond;
  time::Time start = time::Now();
  time::Time end = time::After(delay).recv();
  CHECK_GO(time::Now().Sub(start) >= delay);
  CHECK_GO(!end.Before(start.Add(delay)));
}

GORT_TEST("TestAfterTick") {
  constexpr int count = 10;
  const time::Duration delta = 2 * time::Millisecond;
  time::Time t0 = time::Now();
  for (int i = 0; i < count; i++) time::After(delta).recv();
  CHECK_GO(time::Now().Sub(t0) >= count * delta);
}

// Timers of an hour, so that no load makes them fire before Stop.
GORT_TEST("TestAfterStop") {
  auto c1 = make_chan<bool>(1);
  time::Timer* t0 = time::NewTimer(time::Hour);
  time::Timer* t1 = time::AfterFunc(time::Hour, [=] { c1.send(true); });
  CHECK_GO(t0->Stop());
  CHECK_GO(t1->Stop());
  CHECK_GO(!t0->Stop());
  CHECK_GO(!t1->Stop());
  // Stopped for good: though made due, they do not come.
  time::Timer* t2 = time::NewTimer(5 * time::Millisecond);
  bool stopped = t2->Stop();  // false only if the machine was that slow
  if (!stopped) t2->C.recv();
  time::After(10 * time::Millisecond).recv();
  CHECK_GO(select(recv_case(t0->C), recv_case(c1), default_case) == 2);
  CHECK_GO(select(recv_case(t2->C), default_case) == 1);
}

// Timers set in any order expire by their time: one P runs its timers in the order in which they are
// due. A timer's exact time lies between those before and after it was set.
GORT_TEST("TestAfterQueuing") {
  static const int slots[] = {5, 3, 6, 6, 6, 1, 1, 2, 7, 9, 4, 8, 0};
  struct Expired {
    time::Time notBefore, notAfter, t;
  };
  const time::Duration delta = 2 * time::Millisecond;
  auto result = make_chan<Expired>(std::size(slots));
  for (int slot : slots) {
    time::Time before = time::Now();
    auto ac = time::After(slot * delta);
    time::Time after = time::Now();
    go([=] { result.send({before.Add(slot * delta), after.Add(slot * delta), ac.recv()}); });
  }
  Expired all[std::size(slots)];
  for (Expired& e : all) {
    e = result.recv();
    CHECK_GO(!e.t.Before(e.notBefore));
  }
  if (runtime::GOMAXPROCS(0) > 1) return;
  for (Expired& x : all)
    for (Expired& y : all) CHECK_GO(!x.notAfter.Before(y.notBefore) || !x.t.After(y.t));
}

// What Stop has stopped does not run, whoever else is at the heap.
GORT_TEST("TestTimerStopStress") {
  constexpr int n = 100;
  auto* wg = make<sync::WaitGroup>();
  auto* ran = make<std::array<std::atomic<bool>, n>>();
  auto* stopped = make<std::array<bool, n>>();
  wg->Add(n);
  for (std::size_t i = 0; i < n; i++)
    go([=] {
      auto* t = time::AfterFunc(2 * time::Millisecond, [=] { (*ran)[i].store(true); });
      time::Sleep(static_cast<std::int64_t>(i % 4) * time::Millisecond);
      (*stopped)[i] = t->Stop();
      wg->Done();
    });
  wg->Wait();
  time::Sleep(10 * time::Millisecond);
  for (std::size_t i = 0; i < n; i++) {
    if ((*stopped)[i]) CHECK_GO(!(*ran)[i].load());
    while (!(*stopped)[i] && !(*ran)[i].load()) runtime::Gosched();  // the others do run
  }
}

GORT_TEST("TestSleepZeroDeadlock") {
  auto c = make_chan<bool>();
  go([=] {
    char buf[256];
    for (int i = 0; i < 50; i++) runtime::Stack(buf, true);
    c.send(true);
  });
  for (int i = 0; i < 100; i++) {
    time::Sleep(0);
    auto tmp = make_chan<bool>(1);
    tmp.send(true);
    tmp.recv();
  }
  c.recv();
}

GORT_TEST("TestReset") {
  // Far from firing on any machine.
  time::Timer* t = time::NewTimer(time::Hour);
  CHECK_GO(t->Reset(2 * time::Hour));
  CHECK_GO(t->Stop());
  CHECK_GO(!t->Reset(time::Hour));  // stopped
  CHECK_GO(t->Reset(time::Hour));
  // Made earlier, it fires, but not before its time.
  time::Time start = time::Now();
  const time::Duration d = 5 * time::Millisecond;
  CHECK_GO(t->Reset(d));
  t->C.recv();
  CHECK_GO(time::Since(start) >= d);
  CHECK_GO(!t->Stop());
  CHECK_GO(!t->Reset(time::Hour));  // fired
  CHECK_GO(select(recv_case(t->C), default_case) == 1);
  CHECK_GO(t->Stop());
}

GORT_TEST("Reset to later puts the expiry off") {
  time::Timer* t = time::NewTimer(3 * time::Millisecond);
  time::Time start = time::Now();
  const time::Duration d = 20 * time::Millisecond;
  if (!t->Reset(d)) t->C.recv();  // only if the machine was that slow
  t->C.recv();
  CHECK_GO(time::Since(start) >= d);
}

GORT_TEST("TestOverflowSleep") {
  go([] {
    time::Sleep(maxDuration);
    panic("big sleep returned");
  });
  CHECK_GO(select(recv_case(time::After(maxDuration)),
                  recv_case(time::After(10 * time::Millisecond))) == 1);
  time::Sleep(minDuration);
  CHECK_GO(select(recv_case(time::After(minDuration)), recv_case(time::After(time::Hour))) == 0);
}

GORT_TEST("TestZeroTimerPanics") {
  auto* t = make<time::Timer>();
  CHECK_GO(panicText([&] { t->Reset(1); }) == "time: Reset called on uninitialized Timer");
  CHECK_GO(panicText([&] { t->Stop(); }) == "time: Stop called on uninitialized Timer");
}

// None of many timers that are due at once is missed. (A failure is a hang.)
GORT_TEST("TestZeroTimer") {
  for (int i = 0; i < 2000; i++) time::NewTimer(0)->C.recv();
}

// Rapidly moving a timer earlier does not drop it.
GORT_TEST("TestTimerModifiedEarlier") {
  const time::Duration past = time::Until(time::Unix(0, 0));
  CHECK_GO(past < 0);
  for (int i = 0; i < 50; i++) {
    time::Timer* timer = time::NewTimer(time::Hour);
    for (int j = 0; j < 10; j++) {
      if (!timer->Stop()) timer->C.recv();
      timer->Reset(past);
    }
    timer->C.recv();
  }
}
