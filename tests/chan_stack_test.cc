// Channels while stacks move: goroutines are parked with values, and room for values, on stacks that
// somebody else copies. Behaviours of Go's runtime/chan_test.go; what is the collector there, which
// shrinks stacks, is moveStacks here.
#include <array>
#include <atomic>
#include <string>

#include "tests/chan_wait.h"
#include "tests/stackmove.h"

using namespace gort;
using namespace gort::test;

GORT_TEST("TestShrinkStackDuringBlockedSend") {
  constexpr int n = 10;
  auto c = make_chan<int>();
  auto done = make_chan<bool>();
  go([=] {
    for (int i = 0; i < n; i++) {
      c.send(i);
      useStack(20);
    }
    done.send(true);
  });
  for (int i = 0; i < n; i++) {
    // The sender is blocked, its value on its stack, which is much too large now.
    waitSenders(c, 1);
    CHECK_GO(moveStacks() > 0);
    CHECK_GO(c.recv() == i);
  }
  done.recv();
}

// Stacks are moved while their owners are anywhere between "about to park" and "running again". A
// move in the wrong moment throws «racy sudog adjustment due to parking on channel», or loses the
// value.
GORT_TEST("TestNoShrinkStackWhileParking") {
  constexpr int n = 10;
  for (int i = 0; i < n * 20; i++) {
    auto c = make_chan<std::string>();
    auto done = make_chan<bool>(2);
    go([=] {
      for (int k = 0; k < n; k++) {
        if (k % 3 == 0) runtime::Gosched();
        CHECK_GO(c.recv() == std::to_string(k));
      }
      done.send(true);
    });
    go([=] {
      for (int k = 0; k < n; k++) {
        c.send(std::to_string(k));
        useStack(20);
      }
      done.send(true);
    });
    while (len(done) < 2) {
      moveStacks();
      runtime::Gosched();
    }
  }
}

// The room for a received pointer holds, before anything is received, a pointer into the receiver's
// own stack. It follows the stack; so does one whose channel stands twice in the select.
GORT_TEST("TestSelectStackAdjust") {
  auto c = make_chan<int*>();
  auto d = make_chan<int*>();
  auto ready = make_chan<bool>();
  for (bool dup : {false, true})
    go([=] {
      useStack(10);
      int val = 42;
      int* cx = &val;
      chan<int*> c2 = dup ? c : nullptr;
      chan<int*> d2 = dup ? d : nullptr;
      int k = select(recv_case(c, cx), recv_case(c2), recv_case(d), recv_case(d2));
      CHECK_GO(k >= 2 && cx == &val && val == 42);
      *cx = 43;
      CHECK_GO(val == 43);
      ready.send(true);
    });
  waitReceivers(c, 3);
  for (int i = 0; i < 10; i++) CHECK_GO(moveStacks() >= 2);
  d.close();
  ready.recv();
  ready.recv();
  CHECK_GO(receivers(c) == 0);
}

// The value arrives where the receiver's variable is now, not where it was.
GORT_TEST("a parked receiver's stack moves") {
  auto c = make_chan<std::string>();
  auto never = make_chan<int>();
  auto done = make_chan<bool>();
  for (int i = 0; i < 30; i++) {
    go([=] {
      std::string v = "short";
      std::array<int, 4> around{1, 2, 3, 4};
      int w = 0;
      if (i % 3 == 0)
        v = c.recv();
      else if (i % 3 == 1)
        CHECK_GO(select(recv_case(c, v)) == 0);
      else
        CHECK_GO(select(recv_case(never, w), recv_case(c, v), recv_case(c, v)) > 0);
      CHECK_GO(v == (i % 2 == 0 ? "tiny" : std::string(100, 'x')));
      CHECK_GO(w == 0 && around == (std::array<int, 4>{1, 2, 3, 4}));
      done.send(true);
    });
    waitReceivers(c, i % 3 == 2 ? 2 : 1);
    moveStacks();
    moveStacks();
    c.send(i % 2 == 0 ? "tiny" : std::string(100, 'x'));
    done.recv();
  }
  CHECK_GO(receivers(never) == 0);
}

namespace {

// Calls f below about kb KiB of stack that a move has to copy.
template <class F>
GORT_NOINLINE void below(int kb, F& f) {
  volatile char b[1000];
  b[0] = static_cast<char>(kb);
  if (kb > 1)
    below(kb - 1, f);
  else
    f();
  b[1] = b[0];
}

}  // namespace

// The copying of a large stack takes as long as many sends: they fall into the middle of it.
GORT_TEST("values arrive while the stack is copied") {
  constexpr int n = runtime::raceenabled ? 300 : 3000;
  auto c = make_chan<int>(), back = make_chan<int>();
  auto quit = make_chan<bool>(), done = make_chan<bool>();
  go([=] {
    auto f = [=] {
      for (int i = 0; i < n; i++) {
        int v = -1, w = -1;
        if (i % 2 == 0)
          v = c.recv();
        else
          CHECK_GO(select(recv_case(c, v), recv_case(quit), recv_case(c, w)) != 1);
        CHECK_GO(v == i || w == i);
        if (i % 3 == 0) back.send(i);
      }
    };
    below(200, f);
    done.send(true);
  });
  go([=] {
    while (select(recv_case(quit), default_case) == 1) {
      moveStacks();
      runtime::Gosched();
    }
    done.send(true);
  });
  for (int i = 0; i < n; i++) {
    while (receivers(c) == 0) runtime::Gosched();
    c.send(i);
    if (i % 3 == 0) {
      waitSenders(back, 1);
      CHECK_GO(back.recv() == i);
    }
  }
  done.recv();
  quit.close();
  done.recv();
}

namespace {

// A value is its number, in a string that points into itself or to the heap.
std::string encode(int v) {
  return v % 3 == 0 ? std::string(30, '.') + std::to_string(v) : std::to_string(v);
}
int decode(const std::string& s) {
  std::size_t i = s.rfind('.');
  int v = 0;
  for (i = i == std::string::npos ? 0 : i + 1; i < s.size(); i++) v = v * 10 + (s[i] - '0');
  CHECK_GO(encode(v) == s);
  return v;
}

constexpr int kChans = 4;
struct net {
  std::array<chan<std::string>, kChans> strings;
  std::array<chan<int>, kChans> ints;
  chan<bool> quit;
};

void produce(net t, int from, int n, chan<bool> done) {
  for (int v = from; v < from + n; v++) {
    if (v % 8 == 0) useStack(static_cast<int>(runtime::fastrandn(12)));
    auto a = runtime::fastrandn(kChans), b = runtime::fastrandn(kChans);
    switch (runtime::fastrandn(4)) {
      case 0:
        t.strings[a].send(encode(v));
        break;
      case 1:
        t.ints[a].send(v);
        break;
      case 2:
        select(send_case(t.strings[a], encode(v)), send_case(t.ints[b], v));
        break;
      default: {
        std::string s = encode(v);
        if (select(send_case(t.strings[a], std::move(s)), default_case) == 1) {
          CHECK_GO(decode(s) == v);
          t.ints[b].send(v);
        }
      }
    }
  }
  done.send(true);
}

void consume(net t, chan<long> sum) {
  long total = 0;
  for (;;) {
    if (total % 8 == 0) useStack(static_cast<int>(runtime::fastrandn(12)));
    std::string s;
    int v = -1;
    int k = select(recv_case(t.quit), recv_case(t.strings[0], s), recv_case(t.strings[1], s),
                   recv_case(t.strings[2], s), recv_case(t.strings[3], s), recv_case(t.ints[0], v),
                   recv_case(t.ints[1], v), recv_case(t.ints[2], v), recv_case(t.ints[3], v));
    if (k == 0) break;
    total += 1 + (k <= kChans ? decode(s) : v);
  }
  sum.send(total);
}

}  // namespace

// Producers and consumers over all kinds of channels while all stacks are moved again and again:
// every value arrives once.
GORT_TEST("values survive the moving of stacks", Env{{"GODEBUG", "stackpoison=1"}}) {
  constexpr int pairs = 6;
  constexpr int n = runtime::raceenabled ? 60 : 400;
  net t{{make_chan<std::string>(), make_chan<std::string>(1), make_chan<std::string>(),
         make_chan<std::string>(5)},
        {make_chan<int>(), make_chan<int>(1), make_chan<int>(), make_chan<int>(5)},
        make_chan<bool>()};
  auto done = make_chan<bool>(pairs);
  auto sum = make_chan<long>(pairs);
  for (int p = 0; p < pairs; p++) {
    go(produce, t, p * n, n, done);
    go(consume, t, sum);
  }
  long moved = 0;
  while (len(done) < pairs) {
    moved += moveStacks();
    runtime::Gosched();
  }
  // What is in the buffers is received before the consumers look at quit again.
  for (auto& c : t.strings)
    while (len(c) > 0) runtime::Gosched();
  for (auto& c : t.ints)
    while (len(c) > 0) runtime::Gosched();
  while (receivers(t.quit) < pairs) {
    moved += moveStacks();
    runtime::Gosched();
  }
  t.quit.close();
  long total = 0;
  for (int p = 0; p < pairs; p++) total += sum.recv();
  constexpr long N = long(pairs) * n;
  CHECK_GO(total == N * (N - 1) / 2 + N);
  CHECK_GO(moved > 0);
}
