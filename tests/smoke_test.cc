// The least that has to work: goroutines, channels, growth, exit statuses.
#include "tests/harness.h"

using namespace gort;
using namespace gort::test;

namespace {

GORT_NOINLINE int depth(int n) { return n == 0 ? 0 : depth(n - 1) + 1; }

}  // namespace

GORT_TEST("ten goroutines send") {
  auto c = make_chan<int>();
  for (int i = 0; i < 10; i++) go([c, i] { c.send(depth(i * 1000)); });
  int sum = 0;
  for (int i = 0; i < 10; i++) sum += c.recv();
  CHECK_GO(sum == 45000);
}

TEST_CASE("deadlock is found") {
  Result r = run_go([] { make_chan<int>().recv(); });
  CHECK(r.status == 2);
  CHECK_MESSAGE(r.has("fatal error: all goroutines are asleep - deadlock!"), r.str());
  CHECK_MESSAGE(r.has("goroutine 1 [chan receive]:"), r.str());
}

TEST_CASE("exit ends with main") {
  Result r = run_go([] { go([] { make_chan<int>().recv(); }); });
  CHECK_MESSAGE(r.status == 0, r.str());
  CHECK_MESSAGE(r.err.empty(), r.str());
}

TEST_CASE("a failing check fails the scenario") {
  Result r = run_go([] { CHECK_GO(1 == 2); });
  CHECK(r.status == 1);
  CHECK_MESSAGE(r.has("CHECK_GO failed: 1 == 2"), r.str());
}
