// sync::Mutex and the semaphore below it. Behaviours of Go's sync/mutex_test.go; names are those of
// Go's tests.
#include "tests/harness.h"

using namespace gort;
using namespace gort::test;

namespace {

namespace rt = gort::runtime;

void hammerSemaphore(rt::atomic::Uint32* s, int loops, chan<bool> cdone) {
  for (int i = 0; i < loops; i++) {
    rt::sync_runtime_Semacquire(s);
    rt::sync_runtime_Semrelease(s, false, 0);
  }
  cdone.send(true);
}

void hammerMutex(sync::Mutex* m, int loops, long* counter, chan<long> cdone) {
  long mine = 0;
  for (int i = 0; i < loops; i++) {
    if (i % 3 == 0) {
      if (m->TryLock()) {
        ++*counter, mine++;
        m->Unlock();
      }
      continue;
    }
    m->Lock();
    ++*counter, mine++;
    m->Unlock();
  }
  cdone.send(mine);
}

struct Misuse {
  const char* name;
  void (*f)();
  const char* text;
};

// Locks of their own, so that each function can be the body of goroutine 1.
sync::Mutex mu;
sync::RWMutex rw;

const Misuse misuses[] = {
    {"Mutex.Unlock", [] { mu.Unlock(); }, "sync: unlock of unlocked mutex"},
    {"Mutex.Unlock2", [] { mu.Lock(), mu.Unlock(), mu.Unlock(); },
     "sync: unlock of unlocked mutex"},
    {"RWMutex.Unlock", [] { rw.Unlock(); }, "sync: Unlock of unlocked RWMutex"},
    {"RWMutex.Unlock2", [] { rw.RLock(), rw.Unlock(); }, "sync: Unlock of unlocked RWMutex"},
    {"RWMutex.Unlock3", [] { rw.Lock(), rw.Unlock(), rw.Unlock(); },
     "sync: Unlock of unlocked RWMutex"},
    {"RWMutex.RUnlock", [] { rw.RUnlock(); }, "sync: RUnlock of unlocked RWMutex"},
    {"RWMutex.RUnlock2", [] { rw.Lock(), rw.RUnlock(); }, "sync: RUnlock of unlocked RWMutex"},
    {"RWMutex.RUnlock3", [] { rw.RLock(), rw.RUnlock(), rw.RUnlock(); },
     "sync: RUnlock of unlocked RWMutex"},
};

}  // namespace

GORT_TEST("TestSemaphore") {
  auto* s = make<rt::atomic::Uint32>(1u);
  auto c = make_chan<bool>();
  for (int i = 0; i < 10; i++) go(hammerSemaphore, s, 500, c);
  for (int i = 0; i < 10; i++) c.recv();
  CHECK_GO(s->Load() == 1);
}

// Go's test only looks for progress; the counter, a plain variable, checks exclusion as well.
GORT_TEST("TestMutex") {
  auto* m = make<sync::Mutex>();
  m->Lock();
  CHECK_GO(!m->TryLock());
  m->Unlock();
  CHECK_GO(m->TryLock());
  m->Unlock();

  auto* counter = make<long>(0);
  auto c = make_chan<long>();
  for (int i = 0; i < 10; i++) go(hammerMutex, m, 600, counter, c);
  long sum = 0;
  for (int i = 0; i < 10; i++) sum += c.recv();
  CHECK_GO(sum == *counter);
  CHECK_GO(sum >= 10 * 400);
}

TEST_CASE("TestMutexMisuse") {
  for (const Misuse& misuse : misuses) {
    Result r = run_go([&] {
      func([&](auto& defer) {
        defer([] { recover(); });  // a fatal error is not a panic
        misuse.f();
      });
      println("test completed");
    });
    INFO(misuse.name << ": " << r.str());
    CHECK(r.status == 2);
    CHECK(r.has(std::string("fatal error: ") + misuse.text + "\n"));
    CHECK(r.has("goroutine 1 [running]:"));
    CHECK(!r.has("test completed"));
  }
}

// A goroutine that has the mutex nearly all the time cannot keep another one out: the other one gets
// it by starvation mode. (Go's test allows 10 seconds; here a failure is a hang.)
GORT_TEST("TestMutexFairness") {
  auto* m = make<sync::Mutex>();
  auto stop = make_chan<bool>();
  auto stopped = make_chan<bool>();
  go([=] {
    do {
      m->Lock();
      time::Sleep(100 * time::Microsecond);
      m->Unlock();
    } while (select(recv_case(stop), default_case) != 0);
    stopped.send(true);
  });
  auto done = make_chan<bool>(1);
  go([=] {
    for (int i = 0; i < 10; i++) {
      time::Sleep(100 * time::Microsecond);
      m->Lock();
      m->Unlock();
    }
    done.send(true);
  });
  done.recv();
  stop.close();
  stopped.recv();
}

// Once a waiter has waited for more than 1 ms and wakes to find the mutex taken again, it asks for
// starvation mode, in which Unlock gives it the mutex: the goroutine that had it queues behind. So
// between two turns of the hog there is one of the waiter.
GORT_TEST("starvation mode hands the mutex over") {
  struct State {
    sync::Mutex m;
    int turns = 0;  // of the waiter; protected by m
  };
  auto* s = make<State>();
  constexpr int kTurns = 5;
  auto done = make_chan<bool>();
  go([=] {
    for (int i = 0; i < kTurns; i++) {
      s->m.Lock();
      s->turns++;
      s->m.Unlock();
    }
    done.send(true);
  });
  // Ends only if the waiter gets its turns against a hog that never sleeps outside the lock.
  for (bool all = false; !all;) {
    s->m.Lock();
    time::Sleep(2 * time::Millisecond);
    all = s->turns == kTurns;
    s->m.Unlock();
  }
  done.recv();
}

// A waiter's semaphore is found by its address, which a moving stack would change.
TEST_CASE("a mutex in a movable stack is refused when somebody has to wait") {
  Result r = run_go([] {
    sync::Mutex local;
    local.Lock();
    local.Lock();
  });
  CHECK(r.status == 2);
  CHECK_MESSAGE(r.has("fatal error: sync: "), r.str());
  CHECK_MESSAGE(r.has("stack"), r.str());
  CHECK_MESSAGE(!r.has("deadlock"), r.str());
}

TEST_CASE("a second Lock is a deadlock") {
  Result r = run_go([] {
    mu.Lock();
    mu.Lock();
  });
  CHECK(r.status == 2);
  CHECK_MESSAGE(r.has("fatal error: all goroutines are asleep - deadlock!"), r.str());
  CHECK_MESSAGE(r.has("goroutine 1 [sync.Mutex.Lock]:"), r.str());
}
