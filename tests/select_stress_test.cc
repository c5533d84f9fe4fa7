// Selects that compete. Behaviours of Go's runtime/chan_test.go; names are those of Go's tests.
#include <array>
#include <vector>

#include "tests/chan_wait.h"

using namespace gort;
using namespace gort::test;

namespace {

// At every moment c1 or c2 is ready, so a select that looks at both at one moment never finds
// neither. make2 makes c2 ready.
template <class Make2>
void nonblockSelectRace(int n, int cap2, Make2 make2) {
  auto done = make_chan<bool>(1);
  for (int i = 0; i < n; i++) {
    auto c1 = make_chan<int>(1);
    auto c2 = make_chan<int>(cap2);
    c1.send(1);
    go([=] { done.send(select(recv_case(c1), recv_case(c2), default_case) != 2); });
    make2(c2);
    select(recv_case(c1), default_case);
    CHECK_GO(done.recv());
  }
}

constexpr int kRaces = runtime::raceenabled ? 1000 : 50000;

}  // namespace

GORT_TEST("TestNonblockSelectRace") {
  nonblockSelectRace(kRaces, 1, [](chan<int> c) { c.send(1); });
}

GORT_TEST("TestNonblockSelectRace2") {
  nonblockSelectRace(kRaces, 0, [](chan<int> c) { c.close(); });
}

// Sending and receiving on one channel in one select, in both orders of the cases.
GORT_TEST("TestSelfSelect") {
  constexpr int n = runtime::raceenabled ? 300 : 1000;
  for (int size : {0, 10}) {
    auto c = make_chan<int>(size);
    auto done = make_chan<int>();
    for (int p = 0; p < 2; p++) {
      go([=] {
        int sent = 0;
        for (int i = 0; i < n; i++) {
          int v = -1;
          bool s = p == 0 || i % 2 == 0 ? select(send_case(c, p), recv_case(c, v)) == 0
                                        : select(recv_case(c, v), send_case(c, p)) == 1;
          if (s) sent++;
          // Without a buffer what is received comes from the other one.
          CHECK_GO(s ? v == -1 : size == 0 ? v == 1 - p : v == 0 || v == 1);
        }
        done.send(sent);
      });
    }
    int sent = done.recv() + done.recv();
    CHECK_GO(sent - (2 * n - sent) == len(c));
  }
}

// Eight plain senders and receivers, one select that sends and one that receives, four channels.
GORT_TEST("TestSelectStress") {
  constexpr int N = runtime::raceenabled ? 1000 : 10000;
  std::array<chan<int>, 4> c{make_chan<int>(), make_chan<int>(), make_chan<int>(2),
                             make_chan<int>(3)};
  auto done = make_chan<bool>();
  for (auto ck : c) {
    go([=] {
      for (int i = 0; i < N; i++) ck.send(0);
      done.send(true);
    });
    go([=] {
      for (int i = 0; i < N; i++) ck.recv();
      done.send(true);
    });
  }
  // Both put a channel out of the select when it has had its N values.
  go([=]() mutable {
    int n[4] = {};
    for (int i = 0; i < 4 * N; i++) {
      static constexpr int at[] = {3, 2, 0, 1};
      int k = at[select(send_case(c[3], 0), send_case(c[2], 0), send_case(c[0], 0),
                        send_case(c[1], 0))];
      if (++n[k] == N) c[static_cast<std::size_t>(k)] = nullptr;
    }
    for (int k : n) CHECK_GO(k == N);
    done.send(true);
  });
  go([=]() mutable {
    int n[4] = {};
    for (int i = 0; i < 4 * N; i++) {
      int k = select(recv_case(c[0]), recv_case(c[1]), recv_case(c[2]), recv_case(c[3]));
      if (++n[k] == N) c[static_cast<std::size_t>(k)] = nullptr;
    }
    for (int k : n) CHECK_GO(k == N);
    done.send(true);
  });
  for (int i = 0; i < 10; i++) done.recv();
  for (auto& ck : c) CHECK_GO(len(ck) == 0 && receivers(ck) == 0 && senders(ck) == 0);
}

// Many selects share one channel that nobody uses, and each has one of its own that is served.
GORT_TEST("BenchmarkChanPopular: a thousand selects wait on one channel") {
  constexpr int n = runtime::raceenabled ? 100 : 1000;
  constexpr int rounds = 5;
  auto c = make_chan<bool>();
  auto ended = make_chan<bool>();
  std::vector<chan<bool>> own(n);
  for (auto& d : own) {
    d = make_chan<bool>();
    go([c, d, ended] {
      for (int i = 0; i < rounds; i++) CHECK_GO(select(recv_case(c), recv_case(d)) == 1);
      ended.send(true);
    });
  }
  for (int i = 0; i < rounds; i++)
    for (auto& d : own) d.send(true);
  for (int i = 0; i < n; i++) ended.recv();
  CHECK_GO(receivers(c) == 0);
}

GORT_TEST("BenchmarkSelectSyncContended: three channels, two selects each") {
  constexpr int n = runtime::raceenabled ? 1000 : 5000;
  auto a = make_chan<int>(), b = make_chan<int>(), c = make_chan<int>();
  auto quit = make_chan<int>();
  auto sum = make_chan<long>();
  for (int p = 0; p < 4; p++) {
    go([=] {
      long sent = 0;
      while (select(send_case(a, 1), send_case(b, 2), send_case(c, 3), recv_case(quit)) != 3)
        sent++;
      sum.send(-sent);
    });
    go([=] {
      for (int i = 0; i < n; i++) {
        int v = 0;
        int k = select(recv_case(a, v), recv_case(b, v), recv_case(c, v));
        CHECK_GO(v == k + 1);
      }
      sum.send(n);
    });
  }
  long total = 0;
  for (int p = 0; p < 4; p++) {
    total += sum.recv();
    CHECK_GO(total == static_cast<long>(p + 1) * n);
  }
  quit.close();
  for (int p = 0; p < 4; p++) total += sum.recv();
  CHECK_GO(total == 0);
}

// Close comes while selects wait on the channel, begin to wait, and do not wait yet: each of them
// takes the closed case in the end.
GORT_TEST("close against selects") {
  for (int i = 0; i < (runtime::raceenabled ? 100 : 1000); i++) {
    auto c = make_chan<int>(i % 2);
    auto never = make_chan<int>(), never2 = make_chan<int>();
    auto done = make_chan<bool>();
    for (int p = 0; p < 4; p++)
      go([=] {
        int v = 9;
        bool ok = true;
        CHECK_GO(select(recv_case(never), recv_case(c, v, ok), send_case(never2, 1)) == 1);
        done.send(v == 0 && !ok);
      });
    for (int k = 0; k < i % 5; k++) runtime::Gosched();
    c.close();
    for (int p = 0; p < 4; p++) CHECK_GO(done.recv());
    CHECK_GO(receivers(never) == 0 && senders(never2) == 0);
  }
}

// The number of cases is known at run time only; every size of selectgo's arrays.
GORT_TEST("select_n") {
  for (std::int64_t n : {1, 2, 8, 9, 64, 65, 1024, 1025}) {
    std::vector<chan<std::string>> cs(static_cast<std::size_t>(n));
    std::vector<selcase<std::string>> k;
    for (auto& c : cs) {
      c = make_chan<std::string>();
      k.push_back(selcase<std::string>::recv(c));
    }
    for (std::int64_t t : {std::int64_t(0), n / 2, n - 1}) {
      auto i = static_cast<std::size_t>(t);
      auto c = cs[i];
      go([=] { c.send("value"); });
      CHECK_GO(select_n(std::span(k)) == t && k[i].value == "value" && k[i].ok);
      go([=] {
        waitReceivers(c, 0);
        CHECK_GO(c.recv() == "sent");
      });
      k[i] = selcase<std::string>::send(c, "sent");
      CHECK_GO(select_n(std::span(k)) == t);
      k[i] = selcase<std::string>::dflt();
      CHECK_GO(select_n(std::span(k)) == t);
      k[i] = selcase<std::string>::recv(c);
      CHECK_GO(receivers(c) == 0 && senders(c) == 0);
    }
  }
}
