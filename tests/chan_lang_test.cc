// Channels as a language has them. Behaviours of Go's test/chan: fifo, nonblock, perm, sendstmt and
// zerosize.
#include <array>
#include <string>

#include "tests/chan_wait.h"

using namespace gort;
using namespace gort::test;

GORT_TEST("fifo.go AsynchFifo") {
  constexpr int N = 10;
  auto c = make_chan<int>(N);
  for (int i = 0; i < N; i++) c.send(i);
  for (int i = 0; i < N; i++) CHECK_GO(c.recv() == i);
}

// Each link of the chain takes its turn when the one before it is done.
GORT_TEST("fifo.go SynchFifo") {
  constexpr int N = 10;
  auto c = make_chan<int>();
  auto in = make_chan<int>();
  auto start = in;
  for (int i = 0; i < N; i++) {
    auto out = make_chan<int>();
    go([=] {
      in.recv();
      CHECK_GO(c.recv() == i);
      out.send(1);
    });
    in = out;
  }
  start.send(0);
  for (int i = 0; i < N; i++) c.send(i);
  CHECK_GO(in.recv() == 1);
}

namespace {

// Tries until it succeeds; that it does is what is tested.
template <class Case>
void retry(Case makecase) {
  while (select(makecase(), default_case) == 1) runtime::Gosched();
}

template <class T>
void nonblock(T a, T b) {
  for (int n = 0; n < 2; n++) {
    auto c = make_chan<T>(n);
    auto strobe = make_chan<bool>();
    T v{};
    CHECK_GO(select(recv_case(c, v), default_case) == 1);
    go([=] {
      CHECK_GO(c.recv() == a);
      strobe.send(true);
    });
    retry([&] { return send_case(c, a); });
    strobe.recv();
    go([=] {
      c.send(b);
      strobe.send(true);
    });
    if (n > 0) strobe.recv();
    retry([&] { return recv_case(c, v); });
    CHECK_GO(v == b);
    if (n == 0) strobe.recv();
    // With the partner known to wait, the first try succeeds.
    auto d = make_chan<T>();
    go([=] {
      d.send(b);
      strobe.send(d.recv() == a);
    });
    waitSenders(d, 1);
    CHECK_GO(select(send_case(d, a), default_case) == 1);
    CHECK_GO(select(recv_case(d, v), default_case) == 0 && v == b);
    waitReceivers(d, 1);
    CHECK_GO(select(recv_case(d, v), default_case) == 1);
    CHECK_GO(select(send_case(d, a), default_case) == 0);
    CHECK_GO(strobe.recv());
  }
}

}  // namespace

GORT_TEST("nonblock.go") {
  nonblock<std::int32_t>(123, 234);
  nonblock<std::int64_t>(123456, 234567);
  nonblock<bool>(true, true);
  nonblock<gort::string>("hello", "hello again");
  nonblock<std::string>("hello", "hello again, and too long for a short string's own buffer");
}

// What Go's compiler refuses: a channel is one of its element type only, and only channels have
// channel operations. (Channels of one direction do not exist here.)
namespace {
template <class C, class V>
concept CanSend = requires(C c, V v) { c.send(v); };
template <class C, class V>
concept CanSelectSend = requires(C c, V v) { send_case(c, v); };
template <class C>
concept CanRecv = requires(C c) { c.recv(); };
template <class C>
concept CanClose = requires(C c) { gort::close(c); };
template <class C>
concept CanSelectRecv = requires(C c) { recv_case(c); };
template <class C>
concept CanRange = requires(C c) {
  c.begin();
  c.end();
};
static_assert(CanSend<chan<int>, int> && CanRecv<chan<int>> && CanClose<chan<int>>);
static_assert(CanSelectSend<chan<int>, int> && CanSelectRecv<chan<int>> && CanRange<chan<int>>);
static_assert(!CanSend<int, int> && !CanRecv<int> && !CanClose<int> && !CanRange<int>);
static_assert(!CanSelectSend<int, int> && !CanSelectRecv<int>);
static_assert(!CanSend<chan<int>, std::string> && !CanSelectSend<chan<int>, std::string>);
static_assert(!CanSend<chan<std::string>, int> && !CanSend<chan<int*>, long*>);
static_assert(!std::is_convertible_v<chan<int>, chan<long>>);
static_assert(!std::is_convertible_v<chan<long>, chan<int>>);
static_assert(!std::is_convertible_v<int, chan<int>> && !std::is_convertible_v<chan<int>, int>);
static_assert(!std::is_constructible_v<chan<int>, chan<unsigned>>);
static_assert(std::is_constructible_v<chan<int>, std::nullptr_t>);
// One word, and copying it is copying the word.
static_assert(sizeof(chan<std::string>) == sizeof(void*));
static_assert(runtime::bitwise<chan<std::string>>);
}  // namespace

GORT_TEST("perm.go: what is allowed works") {
  chan<int> c = make_chan<int>(4);
  c.send(0);
  CHECK_GO(c.recv() == 0);
  c.send(1);
  auto [x, ok] = c.recv_ok();
  CHECK_GO(x == 1 && ok);
  int v = -1;
  CHECK_GO(select(send_case(c, 7), recv_case(c, v)) == 0);
  CHECK_GO(select(recv_case(c, v), recv_case(chan<int>{})) == 0 && v == 7);
  chan<int> same = c;
  CHECK_GO(same == c && c != make_chan<int>(4) && c != nullptr);
  close(same);
  for (int w : c) CHECK_GO(w != w);
}

GORT_TEST("sendstmt.go chanchan") {
  auto cc = make_chan<chan<int>>(1);
  auto c = make_chan<int>(1);
  cc.send(c);
  CHECK_GO(select(send_case(cc.recv(), 2), default_case) == 0);
  CHECK_GO(c.recv() == 2);
}

GORT_TEST("sendstmt.go sendprec") {
  auto c = make_chan<bool>(1);
  c.send(false || true);
  CHECK_GO(c.recv());
}

GORT_TEST("zerosize.go") {
  struct empty {};
  auto a = make_chan<empty>();
  auto b = make_chan<empty>(1);
  auto d = make_chan<std::array<char, 0>>(1000000);
  CHECK_GO(cap(a) == 0 && cap(b) == 1 && cap(d) == 1000000);
  // Elements take no room, and are counted all the same.
  b.send({});
  CHECK_GO(select(send_case(b, empty{}), default_case) == 1 && len(b) == 1);
  b.recv();
  CHECK_GO(select(recv_case(b), default_case) == 1);
  go([=] { a.send({}); });
  a.recv();
}

// The value is one of the sender's at the time of the send, not a reference to it.
GORT_TEST("a sent value is a copy") {
  auto c = make_chan<std::string>(2);
  std::string s = "first";
  c.send(s);
  s = "second";
  c.send(s);
  CHECK_GO(s == "second" && c.recv() == "first" && c.recv() == "second");
}

// Leaving a range early leaves the rest in the channel.
GORT_TEST("range over a channel") {
  auto c = make_chan<std::string>(10);
  for (int i = 0; i < 10; i++) c.send(std::to_string(i));
  int n = 0;
  for (const std::string& s : c) {
    CHECK_GO(s == std::to_string(n++));
    if (n == 4) break;
  }
  CHECK_GO(len(c) == 6);
  c.close();
  for (auto& s : c) CHECK_GO(s == std::to_string(n++));
  CHECK_GO(n == 10);
  for (auto& s : c) CHECK_GO(s.empty() && !s.empty());
}
