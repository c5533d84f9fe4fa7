// sync::RWMutex. Behaviours of Go's sync/rwmutex_test.go; names are those of Go's tests.
#include <atomic>

#include "tests/harness.h"

using namespace gort;
using namespace gort::test;

namespace {

// Active readers + 10000 * active writers.
std::atomic<int> activity{0};

void spin() {
  for (int i = 0; i < 100; i++) asm volatile("");
}

void parallelReader(sync::RWMutex* m, chan<bool> clocked, chan<bool> cunlock, chan<bool> cdone) {
  m->RLock();
  clocked.send(true);
  cunlock.recv();
  m->RUnlock();
  cdone.send(true);
}

void doTestParallelReaders(int numReaders, int gomaxprocs) {
  runtime::GOMAXPROCS(gomaxprocs);
  auto* m = make<sync::RWMutex>();
  auto clocked = make_chan<bool>();
  auto cunlock = make_chan<bool>();
  auto cdone = make_chan<bool>();
  for (int i = 0; i < numReaders; i++) go(parallelReader, m, clocked, cunlock, cdone);
  for (int i = 0; i < numReaders; i++) clocked.recv();  // all of them are inside
  for (int i = 0; i < numReaders; i++) cunlock.send(true);
  for (int i = 0; i < numReaders; i++) cdone.recv();
}

void reader(sync::RWMutex* rwm, int iterations, chan<bool> cdone) {
  for (int i = 0; i < iterations; i++) {
    rwm->RLock();
    int n = activity.fetch_add(1) + 1;
    CHECK_GO(n >= 1 && n < 10000);
    spin();
    activity.fetch_sub(1);
    rwm->RUnlock();
  }
  cdone.send(true);
}

// plain is written by writers only: exclusion among them, also in TSan's eyes.
void writer(sync::RWMutex* rwm, int iterations, long* plain, chan<bool> cdone) {
  for (int i = 0; i < iterations; i++) {
    rwm->Lock();
    int n = activity.fetch_add(10000) + 10000;
    CHECK_GO(n == 10000);
    ++*plain;
    spin();
    activity.fetch_sub(10000);
    rwm->Unlock();
  }
  cdone.send(true);
}

void hammerRWMutex(int gomaxprocs, int numReaders, int iterations) {
  runtime::GOMAXPROCS(gomaxprocs);
  auto* rwm = make<sync::RWMutex>();
  auto* plain = make<long>(0);
  auto cdone = make_chan<bool>();
  go(writer, rwm, iterations, plain, cdone);
  int i = 0;
  for (; i < numReaders / 2; i++) go(reader, rwm, iterations, cdone);
  go(writer, rwm, iterations, plain, cdone);
  for (; i < numReaders; i++) go(reader, rwm, iterations, cdone);
  for (int k = 0; k < 2 + numReaders; k++) cdone.recv();
  CHECK_GO(activity.load() == 0);
  CHECK_GO(*plain == 2 * iterations);
}

}  // namespace

GORT_TEST("TestParallelReaders") {
  doTestParallelReaders(1, 4);
  doTestParallelReaders(3, 4);
  doTestParallelReaders(4, 2);
}

GORT_TEST("TestRWMutex try") {
  auto* m = make<sync::RWMutex>();
  m->Lock();
  CHECK_GO(!m->TryLock());
  CHECK_GO(!m->TryRLock());
  m->Unlock();
  CHECK_GO(m->TryLock());
  m->Unlock();
  CHECK_GO(m->TryRLock());
  CHECK_GO(m->TryRLock());
  CHECK_GO(!m->TryLock());
  m->RUnlock();
  m->RUnlock();
  CHECK_GO(m->TryLock());
  m->Unlock();
}

TEST_CASE("TestRWMutex hammer") {
  static const int plan[][2] = {{1, 1},  {1, 3},  {1, 10}, {4, 1},   {4, 3},
                                {4, 10}, {10, 1}, {10, 3}, {10, 10}, {10, 5}};
  for (auto& [procs, readers] : plan) {
    Result r = run_go([&] { hammerRWMutex(procs, readers, 1000); });
    CAPTURE(procs);
    CAPTURE(readers);
    CHECK_MESSAGE(r.status == 0, r.str());
  }
}

GORT_TEST("TestRLocker") {
  struct State {
    sync::RWMutex wl;
    sync::Locker rl;
  };
  auto* s = make<State>();
  s->rl = s->wl.RLocker();
  auto wlocked = make_chan<bool>(1);
  auto rlocked = make_chan<bool>(1);
  constexpr int n = 10;
  auto done = make_chan<bool>();
  go([=] {
    for (int i = 0; i < n; i++) {
      s->rl.Lock();
      s->rl.Lock();
      rlocked.send(true);
      s->wl.Lock();
      wlocked.send(true);
    }
    done.send(true);
  });
  for (int i = 0; i < n; i++) {
    rlocked.recv();
    s->rl.Unlock();
    CHECK_GO(select(recv_case(wlocked), default_case) == 1);  // one reader is left
    s->rl.Unlock();
    wlocked.recv();
    CHECK_GO(select(recv_case(rlocked), default_case) == 1);  // the writer is there
    s->wl.Unlock();
  }
  done.recv();
}

// A writer that waits keeps new readers out, though readers are inside.
GORT_TEST("a waiting writer comes before new readers") {
  auto* m = make<sync::RWMutex>();
  auto order = make_chan<int>(2);
  m->RLock();
  go([=] {
    m->Lock();
    order.send(1);
    m->Unlock();
  });
  while (m->TryRLock()) {  // fails as soon as the writer has announced itself
    m->RUnlock();
    runtime::Gosched();
  }
  auto entered = make_chan<bool>();
  go([=] {
    entered.send(true);
    m->RLock();
    order.send(2);
    m->RUnlock();
  });
  entered.recv();
  m->RUnlock();
  CHECK_GO(order.recv() == 1);
  CHECK_GO(order.recv() == 2);
}

TEST_CASE("wait reasons of both sides") {
  Result r = run_go([] {
    auto* m = make<sync::RWMutex>();
    m->Lock();
    go([=] { m->RLock(); });
    runtime::Gosched();
    m->Lock();
  });
  CHECK(r.status == 2);
  CHECK_MESSAGE(r.has("all goroutines are asleep - deadlock!"), r.str());
  CHECK_MESSAGE(r.has("[sync.RWMutex.RLock]:"), r.str());
  CHECK_MESSAGE(r.has("goroutine 1 [sync.Mutex.Lock]:"), r.str());
}
