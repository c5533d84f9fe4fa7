// Very deep stacks, and their limit.
#include <array>

#include "tests/harness.h"
#include "tests/stackmove.h"

using namespace gort;
using namespace gort::test;

namespace {

// Each frame keeps values and the address of one of its caller's.
template <int size>
GORT_NOINLINE long down(long n, long* up) {
  char pad[size];
  KEEP_FRAME(pad);
  long mine = n * 3 + 1;
  pad[0] = static_cast<char>(n);
  pad[size - 1] = static_cast<char>(n >> 8);
  long sum = n == 0 ? 0 : down<size>(n - 1, &mine);
  KEEP_FRAME(pad);
  CHECK_GO(mine == n * 3 + 1 + (n == 0 ? 0 : 1));
  CHECK_GO(pad[0] == static_cast<char>(n) && pad[size - 1] == static_cast<char>(n >> 8));
  ++*up;
  return sum + n;
}

template <int size>
void recurse(long bytes) {
  long n = bytes / size, top = 0;
  CHECK_GO(down<size>(n, &top) == n * (n + 1) / 2);
  CHECK_GO(top == 1);
  auto s = stackbounds();
  CHECK_GO(static_cast<long>(s.hi - s.lo) >= bytes);
}

GORT_NOINLINE int overflow(int n) {
  char buf[64 << 10];
  KEEP_FRAME(buf);
  return n == 0 ? 0 : overflow(n + 1) + buf[0];
}

}  // namespace

// 256 MiB down and back. TSan's own record of calls ends at 64K frames, so they are larger there.
TEST_CASE("recursion to 256 MiB of stack") {
  Result r = run_go([] {
    auto done = make_chan<bool>();
    go([=] {
      if constexpr (runtime::raceenabled)
        recurse<16 << 10>(256 << 20);
      else
        recurse<1 << 10>(256 << 20);
      done.send(true);
    });
    done.recv();
  });
  CHECK_MESSAGE(r.status == 0, r.str());
}

TEST_CASE("recursion with small frames") {
  Result r = run_go([] { recurse<16>(runtime::raceenabled ? 512 << 10 : 8 << 20); });
  CHECK_MESSAGE(r.status == 0, r.str());
}

GORT_TEST("many goroutines with deep stacks") {
  constexpr int n = 20;
  auto done = make_chan<bool>();
  for (int i = 0; i < n; i++)
    go([=] {
      recurse<1 << 10>(1 << 20);
      runtime::Gosched();
      recurse<1 << 10>(1 << 20);
      done.send(true);
    });
  for (int i = 0; i < n; i++) done.recv();
}

TEST_CASE("TestStackOverflow") {
  Result r = run_go([] {
    CHECK_GO(runtime::debug::SetMaxStack(1474560) == 1000000000);
    overflow(1);
  });
  CHECK(r.status == 2);
  CHECK_MESSAGE(r.err.starts_with("runtime: goroutine stack exceeds 1474560-byte limit\n"),
                r.str());
  for (const char* want : {"runtime: sp=0x", " stack=[0x", "fatal error: stack overflow\n",
                           "goroutine 1 [running]:\n", "main.overflow("})
    CHECK_MESSAGE(r.has(want), r.str());
}

TEST_CASE("stack overflow on another goroutine, default limit") {
  Result r = run_go([] {
    go([] { overflow(1); });
    select();
  });
  CHECK(r.status == 2);
  CHECK_MESSAGE(r.err.starts_with("runtime: goroutine stack exceeds 1000000000-byte limit\n"),
                r.str());
}
