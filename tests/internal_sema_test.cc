// The runtime's semaphores and its own reader/writer lock. Behaviours of Go's runtime/sema_test.go
// and runtime/rwmutex_test.go; names are those of Go's tests.
#include <array>
#include <atomic>

#include "runtime/proc.h"
#include "runtime/rwmutex.h"
#include "runtime/sema.h"
#include "tests/harness.h"

using namespace gort;
using namespace gort::test;

namespace {

namespace rt = gort::runtime;

// Waits until gp has parked.
void waitParked(rt::g* gp) {
  while ((rt::readgstatus(gp) & ~rt::_Gscan) != rt::_Gwaiting) runtime::Gosched();
}

// Reports whether a waiter that is given the semaphore with handoff runs before the releaser goes
// on. The other goroutines keep all Ps busy, so that none has a reason to steal the releaser.
bool testSemaHandoff() {
  struct State {
    rt::atomic::Uint32 sema, res;
    rt::atomic::Pointer<rt::g> waiter;
    sync::WaitGroup wg;
  };
  auto* s = make<State>();
  auto done = make_chan<bool>();
  for (int i = 0; i < runtime::GOMAXPROCS(0); i++) {
    s->wg.Add(1);
    go([=] {
      while (select(recv_case(done), default_case) != 0) runtime::Gosched();
      s->wg.Done();
    });
  }
  s->wg.Add(1);
  go([=] {
    s->waiter.Store(rt::getg());
    rt::semacquire(&s->sema);
    s->res.CompareAndSwap(0, 1);
    rt::semrelease1(&s->sema, true, 0);
    done.close();
    s->wg.Done();
  });
  while (s->waiter.Load() == nullptr) runtime::Gosched();
  waitParked(s->waiter.Load());
  rt::semrelease1(&s->sema, true, 0);
  s->res.CompareAndSwap(0, 2);
  s->wg.Wait();
  return s->res.Load() == 1;
}

void semaHandoff() {
  constexpr int iter = 150;
  int ok = 0;
  for (int i = 0; i < iter; i++) ok += testSemaHandoff();
  if (ok < iter * 2 / 3) println("direct handoff < 2/3:", ok, iter);
  CHECK_GO(ok >= iter * 2 / 3);
}

// Active readers + 10000 * active writers.
std::atomic<int> activity{0};

// The M has m.locks > 0 between rlock and runlock: the waits are loops, as in Go's test.
void parallelReader(rt::rwmutex* m, chan<bool> clocked, std::atomic<bool>* cunlock,
                    chan<bool> cdone) {
  m->rlock();
  clocked.send(true);  // buffered
  while (!cunlock->load()) {
  }
  m->runlock();
  cdone.send(true);
}

void doTestParallelReaders(int numReaders) {
  runtime::GOMAXPROCS(numReaders + 1);
  auto* m = make<rt::rwmutex>();
  auto* cunlock = make<std::atomic<bool>>(false);
  auto clocked = make_chan<bool>(numReaders);
  auto cdone = make_chan<bool>();
  for (int i = 0; i < numReaders; i++) go(parallelReader, m, clocked, cunlock, cdone);
  for (int i = 0; i < numReaders; i++) clocked.recv();
  cunlock->store(true);
  for (int i = 0; i < numReaders; i++) cdone.recv();
}

void reader(rt::rwmutex* m, int iterations, chan<bool> cdone) {
  for (int i = 0; i < iterations; i++) {
    m->rlock();
    int n = activity.fetch_add(1) + 1;
    CHECK_GO(n >= 1 && n < 10000);
    for (int k = 0; k < 100; k++) asm volatile("");
    activity.fetch_sub(1);
    m->runlock();
  }
  cdone.send(true);
}

void writer(rt::rwmutex* m, int iterations, long* plain, chan<bool> cdone) {
  for (int i = 0; i < iterations; i++) {
    m->lock();
    int n = activity.fetch_add(10000) + 10000;
    CHECK_GO(n == 10000);
    ++*plain;
    for (int k = 0; k < 100; k++) asm volatile("");
    activity.fetch_sub(10000);
    m->unlock();
  }
  cdone.send(true);
}

void hammerRWMutex(int gomaxprocs, int numReaders, int iterations) {
  runtime::GOMAXPROCS(gomaxprocs);
  auto* m = make<rt::rwmutex>();
  auto* plain = make<long>(0);
  auto cdone = make_chan<bool>();
  go(writer, m, iterations, plain, cdone);
  int i = 0;
  for (; i < numReaders / 2; i++) go(reader, m, iterations, cdone);
  go(writer, m, iterations, plain, cdone);
  for (; i < numReaders; i++) go(reader, m, iterations, cdone);
  for (int k = 0; k < 2 + numReaders; k++) cdone.recv();
  CHECK_GO(activity.load() == 0);
  CHECK_GO(*plain == 2 * iterations);
}

}  // namespace

// With GOMAXPROCS 1, 2, 4 and 8: what Go's TestSemaHandoff, TestSemaHandoff1 and 2 are.
GORT_TEST("TestSemaHandoff") { semaHandoff(); }

// Waiters of one semaphore are served in their order, those with lifo before them.
GORT_TEST("queue order") {
  struct State {
    rt::atomic::Uint32 sema;
    std::array<rt::atomic::Pointer<rt::g>, 6> waiters;
  };
  auto* s = make<State>();
  auto order = make_chan<int>(6);
  for (int i = 0; i < 6; i++) {
    auto* waiter = &s->waiters[static_cast<std::size_t>(i)];
    go([=] {
      waiter->Store(rt::getg());
      rt::semacquire1(&s->sema, i >= 4, 0, 0, rt::waitReasonSemacquire);
      order.send(i);
    });
    while (waiter->Load() == nullptr) runtime::Gosched();
    waitParked(waiter->Load());
  }
  for (int want : {5, 4, 0, 1, 2, 3}) {
    rt::semrelease(&s->sema);
    CHECK_GO(order.recv() == want);
  }
}

// Many semaphores that share the table's few roots: no wake-up goes to the wrong one.
GORT_TEST("TestSemTable") {
  constexpr int n = 600;
  auto* sema = make<std::array<rt::atomic::Uint32, n>>();
  auto* plain = make<std::array<int, n>>();
  auto done = make_chan<int>(n);
  for (std::size_t i = 0; i < n; i++)
    go([=] {
      rt::semacquire(&(*sema)[i]);
      CHECK_GO((*plain)[i] == static_cast<int>(i));
      done.send(static_cast<int>(i));
    });
  runtime::Gosched();
  for (std::size_t k = 0; k < n; k++) {
    std::size_t i = k * 7 % n;
    (*plain)[i] = static_cast<int>(i);
    rt::semrelease(&(*sema)[i]);
  }
  long sum = 0;
  for (int i = 0; i < n; i++) sum += done.recv();
  CHECK_GO(sum == n * (n - 1) / 2);
}

// Units that came before the waiter are found.
GORT_TEST("semrelease before semacquire") {
  auto* sema = make<rt::atomic::Uint32>();
  for (int i = 0; i < 3; i++) rt::semrelease(sema);
  CHECK_GO(rt::cansemacquire(sema));
  rt::semacquire(sema);
  rt::semacquire(sema);
  CHECK_GO(!rt::cansemacquire(sema));
}

GORT_TEST("TestParallelRWMutexReaders") {
  doTestParallelReaders(1);
  doTestParallelReaders(3);
  doTestParallelReaders(4);
}

TEST_CASE("TestRWMutex") {
  static const int plan[][2] = {{1, 1},  {1, 3},  {1, 10}, {4, 1},   {4, 3},
                                {4, 10}, {10, 1}, {10, 3}, {10, 10}, {10, 5}};
  for (auto& [procs, readers] : plan) {
    Result r = run_go([&] { hammerRWMutex(procs, readers, 1000); });
    CAPTURE(procs);
    CAPTURE(readers);
    CHECK_MESSAGE(r.status == 0, r.str());
    CHECK_MESSAGE(r.err.empty(), r.str());
  }
}

TEST_CASE("misuse of rwmutex") {
  Result r = run_go([] { make<rt::rwmutex>()->runlock(); });
  CHECK(r.status == 2);
  CHECK_MESSAGE(r.has("fatal error: runlock of unlocked rwmutex"), r.str());
  r = run_go([] { make<rt::rwmutex>()->unlock(); });
  CHECK(r.status == 2);
  CHECK_MESSAGE(r.has("fatal error: unlock of unlocked rwmutex"), r.str());
}
