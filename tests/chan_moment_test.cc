// One moment: what a channel operation answers was true at some moment between its call and its
// return, and who parks is seen either before or after it, never in between.
#include <atomic>

#include "tests/chan_wait.h"
#include "tests/stackmove.h"

using namespace gort;
using namespace gort::test;
using runtime::Point;

namespace {

// Returns when two goroutines have come here for the n-th time, in both at about the same time.
// Orders nothing.
std::atomic<int> arrived;
void meet(int n) {
  arrived.fetch_add(1, std::memory_order_relaxed);
  for (int spin = 1; arrived.load(std::memory_order_relaxed) < 2 * n; spin++)
    if (spin % 1024 == 0) runtime::Gosched();
}
GORT_NOINLINE void pause(unsigned atMost) {
  for (volatile unsigned i = runtime::fastrandn(atMost); i > 0;) i = i - 1;
}

// c1 is ready at first and is drained only when c2 has been made ready: a select over both that
// begins at any time never finds neither.
void selectsOneMoment(int cap2, void (*make2)(chan<int>)) {
  constexpr int n = runtime::raceenabled ? 2000 : 20000;
  auto c1 = make_slice<chan<int>>(n), c2 = make_slice<chan<int>>(n);
  for (int i = 0; i < n; i++) {
    c1[i] = make_chan<int>(1);
    c1[i].send(1);
    c2[i] = make_chan<int>(cap2);
  }
  auto done = make_chan<bool>();
  arrived = 0;
  go([=] {
    for (int i = 0; i < n; i++) {
      auto a = c1[i], b = c2[i];
      meet(i + 1);
      pause(64);
      CHECK_GO(select(recv_case(a), recv_case(b), default_case) != 2);
    }
    done.send(true);
  });
  for (int i = 0; i < n; i++) {
    auto a = c1[i], b = c2[i];
    meet(i + 1);
    pause(64);
    make2(b);
    select(recv_case(a), default_case);
  }
  done.recv();
}

}  // namespace

GORT_TEST("TestNonblockSelectRace, both at once") {
  selectsOneMoment(1, [](chan<int> c) { c.send(1); });
}

GORT_TEST("TestNonblockSelectRace2, both at once") {
  selectsOneMoment(0, [](chan<int> c) { c.close(); });
}

GORT_TEST("TestNonblockRecvRace, both at once") {
  constexpr int n = runtime::raceenabled ? 2000 : 20000;
  auto cs = make_slice<chan<int>>(n);
  for (auto& c : cs) {
    c = make_chan<int>(1);
    c.send(1);
  }
  auto done = make_chan<bool>();
  arrived = 0;
  go([=] {
    for (int i = 0; i < n; i++) {
      auto c = cs[i];
      meet(i + 1);
      pause(16);
      CHECK_GO(select(recv_case(c), default_case) == 0);
    }
    done.send(true);
  });
  for (int i = 0; i < n; i++) {
    auto c = cs[i];
    meet(i + 1);
    pause(16);
    c.close();
    c.recv();
  }
  done.recv();
}

// ---- with a goroutine held at a named point ----

namespace {

#if GORT_POINTS

enum : int { off, armed, held, released };
std::atomic<int> stage;
// Whom to hold: the goroutine, and the M that parks it.
std::atomic<runtime::g*> target;
std::atomic<runtime::m*> parker;

void holdHere() {
  int want = armed;
  if (!stage.compare_exchange_strong(want, held)) return;
  while (stage.load() != released) {
  }
}
void waitHeld() {
  while (stage.load() != held) {
  }
}

void hookFastEmpty(Point p) {
  if (p == Point::chanrecv_fast_empty && runtime::getg() == target) holdHere();
}
void hookParking(Point p) {
  if (p == Point::gopark_before_mcall && runtime::getg() == target) parker = runtime::getg()->m;
  if (p == Point::park_m_before_unlockf && runtime::getg()->m == parker) {
    parker = nullptr;
    holdHere();
  }
}

template <class F>
Result runHooked(void (*hook)(Point), F f) {
  return run_child(
      [=] {
        runtime::pointHook = hook;
        Main(0, nullptr, f);
      },
      {{"GOMAXPROCS", "2"}});
}

// Runs op on a goroutine that is held after it has stopped running and before anybody may take it
// off the channel: its stack stays where it is. When it has parked, its stack may be moved.
template <class F>
void parkHeld(chan<long> c, F op) {
  stage = off;
  auto done = make_chan<bool>(1);
  go([=] {
    target = runtime::getg();
    stage = armed;
    op();
    target = nullptr;
    done.send(true);
  });
  waitHeld();
  runtime::g* gp = target;
  runtime::uintptr lo = gp->stack.lo;
  CHECK_GO(gp->parkingOnChan.Load() && !gp->activeStackChans);
  moveStacks();
  CHECK_GO(gp->stack.lo == lo);
  stage = released;
  while (receivers(c) + senders(c) == 0) runtime::Gosched();
  CHECK_GO(!gp->parkingOnChan.Load() && gp->activeStackChans);
  while (gp->stack.lo == lo) moveStacks();
  if (receivers(c) > 0)
    c.send(5);
  else
    CHECK_GO(c.recv() == 5);
  CHECK_GO(done.recv());
}

#endif

}  // namespace

#if GORT_POINTS

// The channel was empty when the receive looked; a value comes, and then the close. Now it looks
// closed, and is not drained: the receive has to look again.
TEST_CASE("a non-blocking receive between empty and closed") {
  for (bool value : {true, false}) {
    Result r = runHooked(hookFastEmpty, [=] {
      auto c = make_chan<long>(1);
      auto done = make_chan<bool>(1);
      go([=] {
        target = runtime::getg();
        stage = armed;
        long v = 77;
        bool ok = !value;
        CHECK_GO(select(recv_case(c, v, ok), default_case) == 0);
        CHECK_GO(ok == value && v == (value ? 5 : 0));
        done.send(true);
      });
      waitHeld();
      if (value) c.send(5);
      c.close();
      stage = released;
      done.recv();
    });
    CHECK_MESSAGE(r.status == 0, r.str());
  }
}

TEST_CASE("a stack is not moved while its goroutine parks on a channel") {
  Result r = runHooked(hookParking, [] {
    auto c = make_chan<long>();
    auto never = make_chan<long>();
    for (int i = 0; i < 10; i++) {
      parkHeld(c, [=] { CHECK_GO(c.recv() == 5); });
      parkHeld(c, [=] { c.send(5); });
      parkHeld(c, [=] {
        long v = 0;
        CHECK_GO(select(recv_case(never), recv_case(c, v)) == 1 && v == 5);
      });
      parkHeld(c, [=] { CHECK_GO(select(send_case(c, 5), recv_case(never)) == 0); });
    }
  });
  CHECK_MESSAGE(r.status == 0, r.str());
}

#endif
