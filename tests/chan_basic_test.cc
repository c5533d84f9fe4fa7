// Sending, receiving and closing. Behaviours of Go's runtime/chan_test.go and of test/chan; names are
// those of Go's tests.
#include <string>
#include <vector>

#include "tests/chan_wait.h"

using namespace gort;
using namespace gort::test;

namespace {

constexpr int kCaps = 20;  // Go's number of capacities in short mode

}  // namespace

GORT_TEST("TestChan: receive from an empty channel blocks") {
  for (int n = 0; n < kCaps; n++) {
    auto c = make_chan<int>(n);
    auto got = make_chan<int>(2);
    go([=] { got.send(c.recv()); });
    go([=] {
      auto [v, ok] = c.recv_ok();
      CHECK_GO(ok);
      got.send(v);
    });
    waitReceivers(c, 2);
    CHECK_GO(len(got) == 0);
    int v = -1;
    bool ok = true;
    CHECK_GO(select(recv_case(c, v), default_case) == 1);
    CHECK_GO(select(recv_case(c, v, ok), default_case) == 1);
    CHECK_GO(v == -1 && ok);
    c.send(5);
    c.send(6);
    CHECK_GO(got.recv() + got.recv() == 11);
  }
}

GORT_TEST("TestChan: send to a full channel blocks") {
  for (int n = 0; n < kCaps; n++) {
    auto c = make_chan<int>(n);
    for (int i = 0; i < n; i++) c.send(i);
    auto sent = make_chan<bool>(1);
    go([=] {
      c.send(n);
      sent.send(true);
    });
    waitSenders(c, 1);
    CHECK_GO(len(sent) == 0);
    CHECK_GO(select(send_case(c, 99), default_case) == 1);
    // First the buffer, then the sender that waits.
    for (int i = 0; i <= n; i++) CHECK_GO(c.recv() == i);
    CHECK_GO(sent.recv());
    CHECK_GO(len(c) == 0);
  }
}

GORT_TEST("TestChan: a closed channel yields what it has, then zero") {
  for (int n = 0; n < kCaps; n++) {
    auto c = make_chan<int>(n);
    for (int i = 0; i < n; i++) c.send(i + 1);
    c.close();
    for (int i = 0; i < n; i++) {
      auto [v, ok] = c.recv_ok();
      CHECK_GO(v == i + 1 && ok);
    }
    CHECK_GO(c.recv() == 0);
    auto [v, ok] = c.recv_ok();
    CHECK_GO(v == 0 && !ok);
  }
}

// The same by select, which looks at the buffer before it looks whether the channel is closed.
GORT_TEST("a select on a closed channel takes what it has, then zero") {
  for (int n = 0; n < kCaps; n++) {
    auto never = make_chan<int>();
    auto c = make_chan<int>(n);
    for (int i = 0; i < n; i++) c.send(i + 1);
    c.close();
    for (int i = 0; i <= n; i++) {
      int v = -1;
      bool ok = i == n;
      CHECK_GO((i % 2 == 0 ? select(recv_case(c, v, ok), recv_case(never))
                           : select(recv_case(c, v, ok), recv_case(never), default_case)) == 0);
      CHECK_GO(ok == (i < n) && v == (i < n ? i + 1 : 0));
    }
  }
}

GORT_TEST("TestChan: close wakes receivers") {
  for (int n = 0; n < kCaps; n++) {
    auto c = make_chan<int>(n);
    auto done = make_chan<bool>();
    for (int i = 0; i < 5; i++)
      go([=] {
        auto [v, ok] = c.recv_ok();
        done.send(v == 0 && !ok);
      });
    waitReceivers(c, 5);
    c.close();
    for (int i = 0; i < 5; i++) CHECK_GO(done.recv());
    CHECK_GO(receivers(c) == 0);
  }
}

GORT_TEST("TestChan: first in, first out") {
  for (int n = 0; n < kCaps; n++) {
    auto c = make_chan<int>(n);
    for (bool ok2 : {false, true}) {
      go([=] {
        for (int i = 0; i < 100; i++) c.send(i);
      });
      for (int i = 0; i < 100; i++) {
        if (ok2) {
          auto [v, ok] = c.recv_ok();
          CHECK_GO(v == i && ok);
        } else {
          CHECK_GO(c.recv() == i);
        }
      }
    }
  }
}

GORT_TEST("TestChan: four senders, four receivers") {
  constexpr int P = 4;
  constexpr int L = 1000;
  for (int n = 0; n < kCaps; n += runtime::raceenabled ? 5 : 1) {
    auto c = make_chan<int>(n);
    for (int p = 0; p < P; p++)
      go([=] {
        for (int i = 0; i < L; i++) c.send(i);
      });
    auto done = make_chan<std::vector<int>>();
    for (int p = 0; p < P; p++)
      go([=] {
        std::vector<int> seen(L);
        for (int i = 0; i < L; i++) seen[static_cast<std::size_t>(c.recv())]++;
        done.send(std::move(seen));
      });
    std::vector<int> all(L);
    for (int p = 0; p < P; p++) {
      std::vector<int> seen = done.recv();
      for (std::size_t i = 0; i < L; i++) all[i] += seen[i];
    }
    for (int times : all) CHECK_GO(times == P);
  }
}

GORT_TEST("TestChan: len and cap") {
  for (int n = 0; n < kCaps; n++) {
    auto c = make_chan<int>(n);
    CHECK_GO(len(c) == 0 && cap(c) == n);
    for (int i = 0; i < n; i++) {
      c.send(i);
      CHECK_GO(len(c) == i + 1 && cap(c) == n);
    }
    c.close();
    CHECK_GO(len(c) == n);
    for (int i = n; i-- > 0;) {
      c.recv();
      CHECK_GO(len(c) == i && cap(c) == n);
    }
  }
  CHECK_GO(len(chan<int>{}) == 0 && cap(chan<int>{}) == 0);
}

// A full buffer is ready for a receive whatever close does meanwhile.
GORT_TEST("TestNonblockRecvRace") {
  auto done = make_chan<bool>();
  for (int i = 0; i < (runtime::raceenabled ? 1000 : 10000); i++) {
    auto c = make_chan<int>(1);
    c.send(1);
    go([=] {
      CHECK_GO(select(recv_case(c), default_case) == 0);
      done.send(true);
    });
    c.close();
    c.recv();
    done.recv();
  }
}

// Nobody can see a drained channel open after it was seen closed: the fast path of a non-blocking
// receive must not find "empty, not closed" once close has returned.
GORT_TEST("BenchmarkChanClosed: a closed channel is always ready") {
  auto done = make_chan<bool>();
  for (int n = 0; n < 2; n++) {
    auto c = make_chan<int>(n);
    c.close();
    for (int p = 0; p < 4; p++)
      go([=] {
        for (int i = 0; i < 5000; i++) {
          int v = 1;
          bool ok = true;
          CHECK_GO(select(recv_case(c, v, ok), default_case) == 0 && v == 0 && !ok);
        }
        done.send(true);
      });
    for (int p = 0; p < 4; p++) done.recv();
  }
}

GORT_TEST("TestMultiConsumer") {
  constexpr int nwork = 23;
  constexpr int niter = runtime::raceenabled ? 5000 : 271828;
  static constexpr int pn[] = {2, 3, 7, 11, 13, 17, 19, 23, 27, 31};
  auto q = make_chan<int>(nwork * 3);
  auto r = make_chan<int>(nwork * 3);
  static sync::WaitGroup wg;
  for (int w = 0; w < nwork; w++) {
    wg.Add(1);
    go([=] {
      for (int v : q) {
        if (pn[w % std::size(pn)] == v) runtime::Gosched();
        r.send(v);
      }
      wg.Done();
    });
  }
  long expect = 0;
  for (int i = 0; i < niter; i++) expect += pn[static_cast<std::size_t>(i) % std::size(pn)];
  go([=] {
    for (int i = 0; i < niter; i++) q.send(pn[static_cast<std::size_t>(i) % std::size(pn)]);
    q.close();
    wg.Wait();
    r.close();
  });
  int n = 0;
  long sum = 0;
  for (int v : r) {
    n++;
    sum += v;
  }
  CHECK_GO(n == niter && sum == expect);
}

GORT_TEST("TestChanSendInterface") {
  struct mt {};
  auto c = make_chan<any>(1);
  auto* m = make<mt>();
  auto* other = make<mt>();
  c.send(m);
  CHECK_GO(select(send_case(c, m), default_case) == 1);
  CHECK_GO(select(send_case(c, m), send_case(c, other), default_case) == 2);
  any v = c.recv();
  CHECK_GO(v.as<mt*>() != nullptr && *v.as<mt*>() == m);
  c.send(std::string("text"));
  CHECK_GO(*c.recv().as<std::string_view>() == "text");
}

// Receivers are served in the order in which they came, and so are senders.
GORT_TEST("waiters are served first come, first served") {
  auto c = make_chan<int>();
  std::array<chan<int>, 10> got;
  for (int i = 0; i < 10; i++) {
    got[static_cast<std::size_t>(i)] = make_chan<int>(1);
    auto g = got[static_cast<std::size_t>(i)];
    go([=] { g.send(c.recv()); });
    waitReceivers(c, i + 1);
  }
  for (int i = 0; i < 10; i++) c.send(i);
  for (int i = 0; i < 10; i++) CHECK_GO(got[static_cast<std::size_t>(i)].recv() == i);
  for (int n : {0, 1, 4}) {
    auto b = make_chan<int>(n);
    for (int i = 0; i < n; i++) b.send(i);
    for (int i = 0; i < 10; i++) {
      go([=] { b.send(n + i); });
      waitSenders(b, i + 1);
    }
    CHECK_GO(len(b) == n);
    for (int i = 0; i < n + 10; i++) CHECK_GO(b.recv() == i);
  }
}

// Of those that wait to send when the channel is closed, each panics; what was queued is still there.
GORT_TEST("close wakes senders, which panic") {
  for (int n : {0, 3}) {
    auto c = make_chan<std::string>(n);
    for (int i = 0; i < n; i++) c.send(std::to_string(i));
    auto texts = make_chan<std::string>();
    for (int i = 0; i < 5; i++)
      go([=] { texts.send(std::string(panicText([=] { c.send("lost"); }))); });
    waitSenders(c, 5);
    c.close();
    for (int i = 0; i < 5; i++) CHECK_GO(texts.recv() == "send on closed channel");
    for (int i = 0; i < n; i++) CHECK_GO(c.recv() == std::to_string(i));
    CHECK_GO(!c.recv_ok().ok);
  }
}
