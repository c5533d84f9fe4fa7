// The select statement. Behaviours of Go's test/chan/select*.go and of runtime/chan_test.go.
// (select5.go tests the order in which operands are evaluated: in C++ that of a call's arguments,
// which the language leaves open.)
#include <cmath>
#include <string>

#include "runtime/malloc.h"
#include "tests/chan_wait.h"

using namespace gort;
using namespace gort::test;

namespace {

unsigned counter, shift;
unsigned getValue() {
  counter++;
  return 1u << shift;
}

// Sends to each of the two once, as far as they have room.
int sendBoth(chan<unsigned> a, chan<unsigned> b) {
  int n = 0;
  for (;; shift++) {
    switch (select(send_case(a, getValue()), send_case(b, getValue()), default_case)) {
      case 0:
        n++;
        a = nullptr;
        break;
      case 1:
        n++;
        b = nullptr;
        break;
      default:
        return n;
    }
  }
}

}  // namespace

// Values are evaluated once for each select, whether their case is taken or not.
GORT_TEST("select.go") {
  counter = shift = 0;
  auto a = make_chan<unsigned>(1);
  auto b = make_chan<unsigned>(1);
  CHECK_GO(sendBoth(a, b) == 2);
  unsigned av = a.recv(), bv = b.recv();
  CHECK_GO((av | bv) == 3);
  CHECK_GO(sendBoth(a, nullptr) == 1);
  CHECK_GO(counter == 10);
}

// The case whose channel is never used leaves nothing behind: no waiter on the channel, and the
// runtime's own memory does not grow.
GORT_TEST("select2.go") {
  constexpr int n = runtime::raceenabled ? 2000 : 20000;
  auto c = make_chan<int>();
  auto dummy = make_chan<int>();
  auto run = [=] {
    go([=] {
      for (int i = 0; i < n; i++) c.send(1);
    });
    for (int i = 0; i < n; i++) {
      CHECK_GO(select(recv_case(c), recv_case(dummy)) == 0);
      CHECK_GO(dummy.raw()->recvq.first.LoadRelaxed() == nullptr);
    }
  };
  // That memory is handed out from chunks: what lies between two addresses is what was allocated
  // meanwhile, unless another chunk has been begun, which happens once in a while.
  auto here = [] { return reinterpret_cast<std::intptr_t>(runtime::persistentalloc(8)); };
  run();
  std::intptr_t used = 0;
  for (int i = 0; i < 5; i++) {
    std::intptr_t before = here();
    run();
    used = here() - before;
    if (used > 0 && used < 110000) break;
  }
  CHECK_GO(used > 0 && used < 110000);
  CHECK_GO(dummy.raw()->recvq.last == nullptr);
}

// A variable of a case that is not taken stays as it is; a field is as good as a variable.
GORT_TEST("select4.go") {
  struct {
    int a = 0;
  } x;
  int untouched = 3;
  auto c = make_chan<int>(1);
  auto c1 = make_chan<int>();
  c.send(42);
  CHECK_GO(select(recv_case(c1, untouched), recv_case(c, x.a)) == 1);
  CHECK_GO(x.a == 42 && untouched == 3);
}

// A queue with a waiter in front of and behind one that leaves (Go issue 2075).
GORT_TEST("select6.go") {
  auto c1 = make_chan<bool>();
  auto c2 = make_chan<bool>();
  auto c3 = make_chan<bool>();
  go([=] { c1.recv(); });
  go([=] {
    CHECK_GO(select(recv_case(c1), recv_case(c2)) == 1);
    c3.send(true);
    c1.recv();
  });
  waitReceivers(c1, 2);
  go([=] { c2.send(true); });
  c3.recv();
  c1.send(true);
  c1.send(true);
}

// A value gets through whichever way it is sent and received, with the receiver waiting and without.
GORT_TEST("select7.go") {
  using Recv = void (*)(chan<int>, chan<int>);
  using Send = void (*)(chan<int>);
  const Recv recvs[] = {
      [](chan<int> c, chan<int> got) { got.send(c.recv()); },
      [](chan<int> c, chan<int> got) {
        int v = 0;
        CHECK_GO(select(recv_case(c, v)) == 0);
        got.send(v);
      },
      [](chan<int> c, chan<int> got) {
        int v = 0;
        auto c2 = make_chan<int>();
        CHECK_GO(select(recv_case(c, v), recv_case(c2, v)) == 0);
        got.send(v);
      },
  };
  const Send sends[] = {
      [](chan<int> c) { c.send(1); },
      [](chan<int> c) { CHECK_GO(select(send_case(c, 1)) == 0); },
      [](chan<int> c) {
        auto c2 = make_chan<int>();
        CHECK_GO(select(send_case(c, 1), send_case(c2, 2)) == 0);
      },
  };
  for (bool wait : {false, true}) {
    for (Recv r : recvs) {
      for (Send s : sends) {
        auto c = make_chan<int>();
        auto got = make_chan<int>(1);
        go(r, c, got);
        if (wait) waitReceivers(c, 1);
        s(c);
        CHECK_GO(got.recv() == 1);
      }
    }
  }
}

// Leaving the switch by break.
GORT_TEST("select8.go") {
  auto c = make_chan<int>();
  go([c] {
    for (;;) c.send(5);
  });
  int v = 0, reached = 0;
  switch (select(recv_case(c, v))) {
    case 0:
      if (v == 5) break;
      reached++;
  }
  switch (select(default_case)) {
    case 0:
      if (v == 5) break;
      reached++;
  }
  waitSenders(c, 1);
  v = 0;
  switch (select(recv_case(c, v), send_case(c, 10), default_case)) {
    case 0:
      if (v == 5) break;
      [[fallthrough]];
    default:
      reached++;
  }
  CHECK_GO(reached == 0);
}

// One goroutine may be queued several times on a channel; leaving takes exactly its own records off.
GORT_TEST("TestSelectDuplicateChannel") {
  for (int i = 0; i < 20; i++) {
    auto c = make_chan<int>();
    auto d = make_chan<int>();
    auto e = make_chan<int>();
    go([=] {
      CHECK_GO(select(recv_case(c), recv_case(c), recv_case(d)) == 2);
      e.send(9);
    });
    waitReceivers(c, 2);
    go([=] {
      CHECK_GO(c.recv() == 8);
      e.send(10);
    });
    waitReceivers(c, 3);
    d.send(7);
    CHECK_GO(e.recv() == 9);
    CHECK_GO(receivers(c) == 1);
    c.send(8);
    CHECK_GO(e.recv() == 10);
  }
}

// The same with waiters in front, and with sending cases.
GORT_TEST("a select leaves the middle of a queue") {
  auto c = make_chan<int>();
  auto d = make_chan<int>();
  auto got = make_chan<int>(3);
  go([=] { c.send(1); });
  waitSenders(c, 1);
  go([=] { got.send(select(send_case(c, 2), recv_case(d), send_case(c, 3))); });
  waitSenders(c, 3);
  go([=] { c.send(4); });
  waitSenders(c, 4);
  d.send(0);
  CHECK_GO(got.recv() == 1);
  CHECK_GO(senders(c) == 2);
  CHECK_GO(c.recv() == 1 && c.recv() == 4);
}

GORT_TEST("TestSelectFairness") {
  constexpr int trials = runtime::raceenabled ? 2000 : 10000;
  auto c1 = make_chan<char>(trials + 1);
  auto c2 = make_chan<char>(trials + 1);
  for (int i = 0; i < trials + 1; i++) {
    c1.send(1);
    c2.send(2);
  }
  auto c3 = make_chan<char>();
  auto c4 = make_chan<char>();
  auto out = make_chan<char>();
  auto done = make_chan<char>();
  auto ended = make_chan<bool>();
  go([=] {
    for (;;) {
      char b = 0;
      select(recv_case(c3, b), recv_case(c4, b), recv_case(c1, b), recv_case(c2, b));
      if (select(send_case(out, b), recv_case(done)) == 1) break;
    }
    ended.send(true);
  });
  int cnt1 = 0, cnt2 = 0;
  for (int i = 0; i < trials; i++) {
    char b = out.recv();
    CHECK_GO(b == 1 || b == 2);
    (b == 1 ? cnt1 : cnt2)++;
  }
  // Ten sigma from the mean.
  CHECK_GO(std::abs(cnt1 - trials / 2) <= 10 * std::sqrt(trials * 0.25));
  CHECK_GO(cnt1 + cnt2 == trials);
  done.close();
  CHECK_GO(ended.recv());
}

GORT_TEST("TestPseudoRandomSend") {
  constexpr int n = 100;
  for (int size : {0, n}) {
    auto c = make_chan<int>(size);
    auto ones = make_chan<int>();
    go([=] {
      int k = 0;
      for (int i = 0; i < n; i++) {
        runtime::Gosched();
        k += c.recv();
      }
      ones.send(k);
    });
    for (int i = 0; i < n; i++) select(send_case(c, 1), send_case(c, 0));
    int k = ones.recv();
    CHECK_GO(k > n / 10 && n - k > n / 10);
  }
}
