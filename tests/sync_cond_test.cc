// sync::Cond. Behaviours of Go's sync/cond_test.go; names are those of Go's tests.
#include <cstring>

#include "tests/harness.h"

using namespace gort;
using namespace gort::test;

GORT_TEST("TestCondSignal") {
  auto* m = make<sync::Mutex>();
  sync::Cond* c = sync::NewCond(m);
  int n = 2;
  auto running = make_chan<bool>(n);
  auto awake = make_chan<bool>(n);
  for (int i = 0; i < n; i++)
    go([=] {
      m->Lock();
      running.send(true);
      c->Wait();
      awake.send(true);
      m->Unlock();
    });
  for (int i = 0; i < n; i++) running.recv();
  for (; n > 0; n--) {
    CHECK_GO(select(recv_case(awake), default_case) == 1);  // asleep
    m->Lock();
    c->Signal();
    m->Unlock();
    awake.recv();
    CHECK_GO(select(recv_case(awake), default_case) == 1);  // one alone
  }
  c->Signal();
}

// First in, first out.
GORT_TEST("TestCondSignalGenerations") {
  auto* m = make<sync::Mutex>();
  sync::Cond* c = sync::NewCond(m);
  constexpr int n = 100;
  auto running = make_chan<bool>(n);
  auto awake = make_chan<int>(n);
  for (int i = 0; i < n; i++) {
    go([=] {
      m->Lock();
      running.send(true);
      c->Wait();
      awake.send(i);
      m->Unlock();
    });
    if (i > 0) CHECK_GO(awake.recv() == i - 1);
    running.recv();
    m->Lock();
    c->Signal();
    m->Unlock();
  }
}

// The same with all of them waiting at once.
GORT_TEST("Signal wakes in the order of Wait") {
  auto* m = make<sync::Mutex>();
  sync::Cond* c = sync::NewCond(m);
  constexpr int n = 50;
  auto running = make_chan<bool>();
  auto awake = make_chan<int>(n);
  for (int i = 0; i < n; i++) {
    go([=] {
      m->Lock();
      running.send(true);
      c->Wait();
      awake.send(i);
      m->Unlock();
    });
    running.recv();
    m->Lock();  // free only when the goroutine is on the list
    m->Unlock();
  }
  for (int i = 0; i < n; i++) {
    c->Signal();
    CHECK_GO(awake.recv() == i);
  }
}

GORT_TEST("TestCondBroadcast") {
  struct State {
    sync::Mutex m;
    sync::Cond c;
    bool exit = false;
  };
  auto* s = make<State>();
  s->c.L = &s->m;
  constexpr int n = 40;
  auto running = make_chan<int>(n);
  auto awake = make_chan<int>(n);
  for (int g = 0; g < n; g++)
    go([=] {
      s->m.Lock();
      while (!s->exit) {
        running.send(g);
        s->c.Wait();
        awake.send(g);
      }
      s->m.Unlock();
    });
  for (int i = 0; i < n; i++) {
    for (int k = 0; k < n; k++) running.recv();
    if (i == n - 1) {
      s->m.Lock();
      s->exit = true;
      s->m.Unlock();
    }
    CHECK_GO(select(recv_case(awake), default_case) == 1);
    s->m.Lock();
    s->c.Broadcast();
    s->m.Unlock();
    auto seen = make_slice<bool>(n);
    for (int k = 0; k < n; k++) {
      int g = awake.recv();
      CHECK_GO(!seen[g]);
      seen[g] = true;
    }
  }
  CHECK_GO(select(recv_case(running), default_case) == 1);
  s->c.Broadcast();
}

GORT_TEST("TestRace") {
  struct State {
    int x = 0;
    sync::Mutex m;
    sync::Cond c;
  };
  auto* s = make<State>();
  s->c.L = &s->m;
  auto done = make_chan<bool>();
  go([=] {
    s->c.L.Lock();
    s->x = 1;
    s->c.Wait();
    CHECK_GO(s->x == 2);
    s->x = 3;
    s->c.Signal();
    s->c.L.Unlock();
    done.send(true);
  });
  go([=] {
    s->c.L.Lock();
    while (s->x != 1) {
      s->c.L.Unlock();
      runtime::Gosched();
      s->c.L.Lock();
    }
    s->x = 2;
    s->c.Signal();
    s->c.L.Unlock();
    done.send(true);
  });
  go([=] {
    s->c.L.Lock();
    for (;;) {
      if (s->x == 2) {
        s->c.Wait();
        CHECK_GO(s->x == 3);
        break;
      }
      if (s->x == 3) break;
      s->c.L.Unlock();
      runtime::Gosched();
      s->c.L.Lock();
    }
    s->c.L.Unlock();
    done.send(true);
  });
  for (int i = 0; i < 3; i++) done.recv();
}

// A Broadcast reaches who waited before it, whoever comes to Wait at the same time.
GORT_TEST("TestCondSignalStealing") {
  for (int iters = 0; iters < 100; iters++) {
    struct State {
      sync::Mutex m;
      sync::Cond c;
      bool done = false;
    };
    auto* s = make<State>();
    s->c.L = &s->m;
    auto ch = make_chan<bool>();
    auto second = make_chan<bool>();
    go([=] {
      s->m.Lock();
      ch.send(true);
      s->c.Wait();
      s->m.Unlock();
      ch.send(true);
    });
    ch.recv();
    s->m.Lock();  // free only when the first one is on the list
    s->m.Unlock();
    go([=] { s->c.Broadcast(); });
    go([=] {
      s->m.Lock();
      while (!s->done) s->c.Wait();
      s->m.Unlock();
      second.send(true);
    });
    ch.recv();  // hangs if the first one was passed over
    s->m.Lock();
    s->done = true;
    s->m.Unlock();
    s->c.Broadcast();
    second.recv();
  }
}

// The same for Signal.
GORT_TEST("a later Wait does not take the signal") {
  for (int iters = 0; iters < 100; iters++) {
    struct State {
      sync::Mutex m;
      sync::Cond c;
      bool first = false, end = false;
    };
    auto* s = make<State>();
    s->c.L = &s->m;
    auto in = make_chan<bool>();
    auto woken = make_chan<bool>();
    auto out = make_chan<bool>();
    go([=] {
      s->m.Lock();
      in.send(true);
      s->c.Wait();
      s->m.Unlock();
      woken.send(true);
    });
    in.recv();
    s->m.Lock();
    s->m.Unlock();
    for (int i = 0; i < 2; i++)
      go([=] {
        s->m.Lock();
        while (!s->end) s->c.Wait();
        s->m.Unlock();
        out.send(true);
      });
    s->c.Signal();
    woken.recv();
    s->m.Lock();
    s->end = true;
    s->m.Unlock();
    s->c.Broadcast();
    out.recv();
    out.recv();
  }
}

// C++ does not let a Cond be copied; one whose bytes are copied is found out.
TEST_CASE("TestCondCopy") {
  Result r = run_go([] {
    auto* m = make<sync::Mutex>();
    auto* c = sync::NewCond(m);
    c->Signal();
    auto* c2 = make<sync::Cond>();
    std::memcpy(static_cast<void*>(c2), static_cast<const void*>(c), sizeof *c);
    func([&](auto& defer) {
      defer([&] {
        any r = recover();
        println("recovered", r.Error());
      });
      c2->Signal();
    });
  });
  CHECK(r.status == 0);
  CHECK_MESSAGE(r.err == "recovered sync.Cond is copied\n", r.str());
}

GORT_TEST("L may be the read side of an RWMutex") {
  struct State {
    sync::RWMutex rw;
    sync::Cond c;
    bool ready = false;
  };
  auto* s = make<State>();
  s->c.L = s->rw.RLocker();
  auto done = make_chan<bool>();
  for (int i = 0; i < 3; i++)
    go([=] {
      s->c.L.Lock();
      while (!s->ready) s->c.Wait();
      s->c.L.Unlock();
      done.send(true);
    });
  runtime::Gosched();
  s->rw.Lock();
  s->ready = true;
  s->rw.Unlock();
  s->c.Broadcast();
  for (int i = 0; i < 3; i++) done.recv();
}

TEST_CASE("Wait that nobody ends is a deadlock") {
  Result r = run_go([] {
    auto* m = make<sync::Mutex>();
    auto* c = sync::NewCond(m);
    m->Lock();
    c->Wait();
  });
  CHECK(r.status == 2);
  CHECK_MESSAGE(r.has("fatal error: all goroutines are asleep - deadlock!"), r.str());
  CHECK_MESSAGE(r.has("goroutine 1 [sync.Cond.Wait]:"), r.str());
}
