// mutex and note of the runtime, and the ranks that tests check locks by: lock_futex.go and
// lockrank.go.
#include <atomic>
#include <regex>

#include "runtime/lock_futex.h"
#include "runtime/os_linux.h"
#include "runtime/proc.h"
#include "tests/harness.h"

using namespace gort;
using namespace gort::test;

namespace {

namespace rt = gort::runtime;

rt::mutex m1, m2;
rt::note n1;

bool matches(const std::string& text, const char* re) {
  return std::regex_search(text, std::regex(re));
}

}  // namespace

// The counter is plain: exclusion, and the order that the lock carries, both in TSan's eyes.
GORT_TEST("mutex excludes") {
  static long counter = 0;
  auto done = make_chan<bool>();
  constexpr int goroutines = 8, n = 500;
  for (int i = 0; i < goroutines; i++)
    go([=] {
      for (int k = 0; k < n; k++) {
        rt::lock(&m1);
        counter++;
        rt::unlock(&m1);
      }
      done.send(true);
    });
  for (int i = 0; i < goroutines; i++) done.recv();
  rt::lock(&m1);
  CHECK_GO(counter == goroutines * n);
  rt::unlock(&m1);
}

// A thread that finds the lock taken sleeps in the kernel, and unlock wakes it.
GORT_TEST("unlock wakes a sleeper") {
  if (runtime::GOMAXPROCS(0) < 2) runtime::GOMAXPROCS(2);
  static int plain = 0;
  for (int i = 0; i < 20; i++) {
    auto* held = make<std::atomic<bool>>(false);
    auto done = make_chan<bool>();
    go([=] {
      rt::lock(&m1);
      held->store(true);  // no channel: nothing may be locked under a lock without a rank
      for (int k = 0; k < 100; k++) rt::procyield(1000);
      plain++;
      rt::unlock(&m1);
      done.send(true);
    });
    while (!held->load()) runtime::Gosched();
    rt::lock(&m1);
    plain++;
    rt::unlock(&m1);
    done.recv();
  }
  CHECK_GO(plain == 40);
}

TEST_CASE("unlock of unlocked lock") {
  // The rank checker sees it first where it is on.
  Result r = run_go([] { rt::unlock2(&m1); });
  CHECK(r.status == 2);
  CHECK_MESSAGE(r.has("fatal error: unlock of unlocked lock"), r.str());
  r = run_go([] { rt::unlock(&m1); });
  CHECK(r.status == 2);
  CHECK_MESSAGE(r.has("fatal error: unlock without matching lock acquire"), r.str());
}

GORT_TEST("note: wake-up before and after the sleep, and time out") {
  static int plain = 0;
  rt::noteclear(&n1);
  rt::notewakeup(&n1);
  CHECK_GO(rt::notetsleepg(&n1, -1));
  rt::noteclear(&n1);
  std::int64_t start = rt::nanotime();
  CHECK_GO(!rt::notetsleepg(&n1, 2000000));
  CHECK_GO(rt::nanotime() - start >= 2000000);
  go([] {
    plain = 5;
    rt::notewakeup(&n1);
  });
  CHECK_GO(rt::notetsleepg(&n1, -1));
  CHECK_GO(plain == 5);
}

TEST_CASE("double wakeup") {
  Result r = run_go([] {
    rt::noteclear(&n1);
    rt::notewakeup(&n1);
    rt::notewakeup(&n1);
  });
  CHECK(r.status == 2);
  CHECK_MESSAGE(r.has("fatal error: notewakeup - double wakeup"), r.str());
}

TEST_CASE("notesleep not on g0") {
  Result r = run_go([] {
    rt::noteclear(&n1);
    rt::notesleep(&n1);
  });
  CHECK(r.status == 2);
  CHECK_MESSAGE(r.has("fatal error: notesleep not on g0"), r.str());
}

// ---- ranks ----

TEST_CASE("the order of ranks") {
  using namespace gort::runtime;
  CHECK(lockRankAllowed(lockRankSched, lockRankAllg));
  CHECK(!lockRankAllowed(lockRankAllg, lockRankSched));
  CHECK(lockRankAllowed(lockRankSysmon, lockRankMheap));  // over many steps
  CHECK(lockRankAllowed(lockRankHchan, lockRankHchan));  // a select's channels
  CHECK(!lockRankAllowed(lockRankSched, lockRankSched));
  CHECK(!lockRankAllowed(lockRankStackpool, lockRankStackLarge));
  for (int held = lockRankSysmon; held < lockRankLeafRank; held++) {
    CHECK(lockRankAllowed(static_cast<lockRank>(held), lockRankLeafRank));
    CHECK(!lockRankAllowed(lockRankLeafRank, static_cast<lockRank>(held)));
    for (int taken = lockRankSysmon; taken < held; taken++)
      CHECK(!lockRankAllowed(static_cast<lockRank>(held), static_cast<lockRank>(taken)));
  }
  CHECK(std::string(lockRankString(lockRankSysmon)) == "sysmon");
  CHECK(std::string(lockRankString(lockRankHchanLeaf)) == "hchanLeaf");
  CHECK(std::string(lockRankString(lockRankLeafRank)) == "LEAF");
  CHECK(std::string(lockRankString(static_cast<lockRank>(-1))) == "BAD RANK");
}

TEST_CASE("a lock out of order") {
  Result r = run_go([] {
    rt::lockInit(&m1, rt::lockRankHchan);
    rt::lockInit(&m2, rt::lockRankSched);
    rt::lock(&m1);
    rt::lock(&m2);
  });
  CHECK(r.status == 2);
  CHECK_MESSAGE(matches(r.err,
                        "\\d+  ======\n0 : hchan \\d+ 0x[0-9a-f]+\n1 : sched \\d+ 0x"
                        "[0-9a-f]+\nfatal error: lock ordering problem\n"),
                r.str());
}

TEST_CASE("a lock under a leaf") {
  Result r = run_go([] {
    rt::lock(&m1);  // without a rank
    rt::lockInit(&m2, rt::lockRankMheap);
    rt::systemstack([] { rt::lock(&m2); });
  });
  CHECK(r.status == 2);
  CHECK_MESSAGE(r.has("fatal error: lock ordering problem"), r.str());
}

// Its holder could be made to wait for the collector, and that for the lock.
TEST_CASE("a lock under which no stack may grow, on a goroutine's stack") {
  Result r = run_go([] {
    rt::lockInit(&m2, rt::lockRankMheap);
    rt::lock(&m2);
  });
  CHECK(r.status == 2);
  CHECK_MESSAGE(r.has("fatal error: lock taken on a goroutine's stack"), r.str());
}

TEST_CASE("a lock that should be held") {
  Result r = run_go([] { rt::systemstack([] { rt::checkmcount(); }); });
  CHECK(r.status == 2);
  CHECK_MESSAGE(r.has("fatal error: not holding required lock!"), r.str());
  r = run_go([] { rt::assertWorldStopped(); });
  CHECK(r.status == 2);
  CHECK_MESSAGE(r.has("fatal error: world not stopped"), r.str());
}

GORT_TEST("locks in order") {
  rt::lockInit(&m1, rt::lockRankSched);
  rt::lockInit(&m2, rt::lockRankAllg);
  for (int i = 0; i < 100; i++) {
    rt::lock(&m1);
    rt::lock(&m2);
    rt::assertLockHeld(&m1);
    rt::assertRankHeld(rt::lockRankAllg);
    // In any order.
    rt::unlock(i % 2 == 0 ? &m1 : &m2);
    rt::unlock(i % 2 == 0 ? &m2 : &m1);
  }
}
