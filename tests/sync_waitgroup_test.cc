// sync::WaitGroup and sync::Once. Behaviours of Go's sync/waitgroup_test.go and sync/once_test.go;
// names are those of Go's tests.
#include <atomic>

#include "tests/harness.h"

using namespace gort;
using namespace gort::test;

namespace {

void testWaitGroup(sync::WaitGroup* wg1, sync::WaitGroup* wg2) {
  constexpr int n = 16;
  wg1->Add(n);
  wg2->Add(n);
  auto exited = make_chan<bool>(n);
  for (int i = 0; i < n; i++) {
    go([=] {
      wg1->Done();
      wg2->Wait();
      exited.send(true);
    });
  }
  wg1->Wait();
  for (int i = 0; i < n; i++) {
    CHECK_GO(select(recv_case(exited), default_case) == 1);  // nobody is let go too early
    wg2->Done();
  }
  for (int i = 0; i < n; i++) exited.recv();
}

}  // namespace

GORT_TEST("TestWaitGroup") {
  auto* wg1 = make<sync::WaitGroup>();
  auto* wg2 = make<sync::WaitGroup>();
  for (int i = 0; i < 8; i++) testWaitGroup(wg1, wg2);  // reused
}

GORT_TEST("TestWaitGroupMisuse") {
  auto* wg = make<sync::WaitGroup>();
  CHECK_GO(panicText([&] {
             wg->Add(1);
             wg->Done();
             wg->Done();
           }) == "sync: negative WaitGroup counter");
  auto* one = make<sync::WaitGroup>();
  CHECK_GO(panicText([&] { one->Add(-1); }) == "sync: negative WaitGroup counter");
}

TEST_CASE("a negative WaitGroup counter ends the program") {
  Result r = run_go([] { make<sync::WaitGroup>()->Done(); });
  CHECK(r.status == 2);
  CHECK_MESSAGE(r.has("panic: sync: negative WaitGroup counter\n\ngoroutine 1 [running]:"),
                r.str());
}

// Add and Wait in parallel, with the counter above 0 all the time.
GORT_TEST("TestWaitGroupRace") {
  struct State {
    sync::WaitGroup wg;
    std::atomic<int> n{0};
  };
  for (int i = 0; i < 200; i++) {
    auto* s = make<State>();
    for (int k = 0; k < 2; k++) {
      s->wg.Add(1);
      go([=] {
        s->n.fetch_add(1);
        s->wg.Done();
      });
    }
    s->wg.Wait();
    CHECK_GO(s->n.load() == 2);
  }
}

// The types keep two 32-bit halves in one 64-bit word: it has to be aligned wherever they stand.
GORT_TEST("TestWaitGroupAlign") {
  struct X {
    char x = 0;
    sync::WaitGroup wg;
  };
  auto* x = make<X>();
  CHECK_GO(reinterpret_cast<std::uintptr_t>(&x->wg) % 8 == 0);
  x->wg.Add(1);
  go([x] { x->wg.Done(); });
  x->wg.Wait();
}

GORT_TEST("all of many waiters wake") {
  struct State {
    sync::WaitGroup gate, out;
    int plain = 0;  // written before Done, read behind Wait
  };
  auto* s = make<State>();
  s->gate.Add(1);
  constexpr int n = 100;
  s->out.Add(n);
  for (int i = 0; i < n; i++)
    go([=] {
      s->gate.Wait();
      CHECK_GO(s->plain == 7);
      s->out.Done();
    });
  runtime::Gosched();
  s->plain = 7;
  s->gate.Done();
  s->out.Wait();
}

TEST_CASE("Wait without Done is a deadlock") {
  Result r = run_go([] {
    auto* wg = make<sync::WaitGroup>();
    wg->Add(1);
    wg->Wait();
  });
  CHECK(r.status == 2);
  CHECK_MESSAGE(r.has("fatal error: all goroutines are asleep - deadlock!"), r.str());
  CHECK_MESSAGE(r.has("goroutine 1 [semacquire]:"), r.str());
}

// ---- Once ----

GORT_TEST("TestOnce") {
  struct State {
    sync::Once once;
    int one = 0;
  };
  auto* s = make<State>();
  auto c = make_chan<bool>();
  constexpr int n = 10;
  for (int i = 0; i < n; i++)
    go([=] {
      s->once.Do([=] { s->one++; });
      CHECK_GO(s->one == 1);
      c.send(true);
    });
  for (int i = 0; i < n; i++) c.recv();
  CHECK_GO(s->one == 1);
}

GORT_TEST("TestOncePanic") {
  auto* once = make<sync::Once>();
  CHECK_GO(panicText([&] { once->Do([] { panic("failed"); }); }) == "failed");
  once->Do([] { panic("Once.Do called twice"); });
}

// Nobody comes out of Do before f has returned.
GORT_TEST("Do waits for the first one") {
  struct State {
    sync::Once once;
    int plain = 0;
  };
  auto* s = make<State>();
  auto inside = make_chan<bool>();
  auto goon = make_chan<bool>();
  auto done = make_chan<int>();
  go([=] {
    s->once.Do([=] {
      inside.send(true);
      goon.recv();
      s->plain = 42;
    });
  });
  inside.recv();
  for (int i = 0; i < 4; i++)
    go([=] {
      s->once.Do([] { CHECK_GO(false); });
      done.send(s->plain);
    });
  for (int i = 0; i < 20; i++) {
    runtime::Gosched();
    CHECK_GO(select(recv_case(done), default_case) == 1);
  }
  goon.send(true);
  for (int i = 0; i < 4; i++) CHECK_GO(done.recv() == 42);
}

TEST_CASE("Do inside Do is a deadlock") {
  Result r = run_go([] {
    auto* once = make<sync::Once>();
    once->Do([=] { once->Do([] {}); });
  });
  CHECK(r.status == 2);
  CHECK_MESSAGE(r.has("fatal error: all goroutines are asleep - deadlock!"), r.str());
  CHECK_MESSAGE(r.has("goroutine 1 [sync.Mutex.Lock]:"), r.str());
}
