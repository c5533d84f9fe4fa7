// What blocks for ever and what panics. Behaviours of Go's test/chan/select3.go, of makechan's limits
// and of the texts that end a program.
#include <string>
#include <vector>

#include "tests/chan_wait.h"

using namespace gort;
using namespace gort::test;

namespace {

template <class T>
chan<T> closedChan(int n = 0) {
  auto c = make_chan<T>(n);
  c.close();
  return c;
}

}  // namespace

GORT_TEST("select3.go: what always blocks, and what it is said to wait for") {
  using namespace gort::runtime;
  const chan<int> nil;
  auto c = make_chan<int>();
  startBlocked(waitReasonChanSendNilChan, [=] { nil.send(7); });
  startBlocked(waitReasonChanReceiveNilChan, [=] { nil.recv(); });
  startBlocked(waitReasonChanReceive, [=] { c.recv(); });
  startBlocked(waitReasonChanReceive, [] { make_chan<int>().recv(); });
  startBlocked(waitReasonChanSend, [] { make_chan<int>().send(1); });
  startBlocked(waitReasonSelectNoCases, [] { gort::select(); });
  startBlocked(waitReasonChanReceiveNilChan, [=] { gort::select(recv_case(nil)); });
  startBlocked(waitReasonChanSendNilChan, [=] { gort::select(send_case(nil, 7)); });
  startBlocked(waitReasonSelect, [=] { gort::select(recv_case(nil), send_case(nil, 7)); });
  startBlocked(waitReasonChanReceive, [] { gort::select(recv_case(make_chan<int>())); });
  // A select does not serve itself.
  startBlocked(waitReasonSelect, [] {
    auto own = make_chan<int>();
    gort::select(send_case(own, 1), recv_case(own));
  });
  startBlocked(waitReasonSelect, [=] {
    gort::select(recv_case(nil), recv_case(make_chan<int>()), send_case(make_chan<int>(), 1));
  });
  startBlocked(waitReasonSelectNoCases, [] { select_n<int>(nullptr, 0); });
}

// Were one of these to block, the program would end in a deadlock.
GORT_TEST("select3.go: what never blocks") {
  const chan<int> nil;
  auto closed = closedChan<int>();
  CHECK_GO(select(send_case(nil, 7), default_case) == 1);
  CHECK_GO(select(recv_case(nil), default_case) == 1);
  CHECK_GO(select(recv_case(nil), send_case(nil, 7), default_case) == 2);
  CHECK_GO(select(default_case) == 0);
  auto async = make_chan<int>(1);
  async.send(7);
  for (int i = 0; i < 10; i++) {
    CHECK_GO(closed.recv() == 0);
    auto [x, ok] = closed.recv_ok();
    CHECK_GO(x == 0 && !ok);
  }
  auto ch = make_chan<int>(1);
  CHECK_GO(select(send_case(ch, 7), default_case) == 0);
  CHECK_GO(select(recv_case(ch), default_case) == 0);
  int x = -1;
  bool ok = true;
  CHECK_GO(select(recv_case(closed)) == 0);
  CHECK_GO(select(recv_case(closed, x)) == 0 && x == 0);
  x = -1;
  CHECK_GO(select(recv_case(closed, x, ok)) == 0 && x == 0 && !ok);
  x = -1, ok = true;
  CHECK_GO(select(recv_case(nil), recv_case(closed, x, ok)) == 1 && x == 0 && !ok);
}

GORT_TEST("select3.go: what panics") {
  const std::string_view sendClosed = "send on closed channel";
  for (int n : {0, 1}) {
    auto closed = closedChan<int>(n);
    auto never = make_chan<int>();
    CHECK_GO(panicText([=] { closed.send(7); }) == sendClosed);
    CHECK_GO(panicText([=] { select(send_case(closed, 7)); }) == sendClosed);
    CHECK_GO(panicText([=] { select(send_case(closed, 7), default_case); }) == sendClosed);
    CHECK_GO(panicText([=] { select(send_case(closed, 7), recv_case(never)); }) == sendClosed);
    CHECK_GO(panicText([=] { closed.close(); }) == "close of closed channel");
  }
  CHECK_GO(panicText([] { chan<int>{}.close(); }) == "close of nil channel");
  // After all of that nothing is locked.
  auto c = make_chan<int>(1);
  CHECK_GO(panicText([=] {
             select(send_case(c, 1), send_case(closedChan<int>(), 7), default_case);
           }).empty() == (len(c) == 1));
}

// A closed channel in a send case makes the whole select panic only if that case is the one taken.
GORT_TEST("a select with one case that panics takes either") {
  int panicked = 0, taken = 0;
  for (int i = 0; i < 200; i++) {
    auto closed = closedChan<int>();
    auto c = make_chan<int>(1);
    std::string text = panicText([=] { select(send_case(c, 1), send_case(closed, 7)); });
    if (text.empty()) {
      CHECK_GO(len(c) == 1);
      taken++;
    } else {
      CHECK_GO(text == "send on closed channel" && len(c) == 0);
      panicked++;
    }
  }
  CHECK_GO(panicked > 40 && taken > 40);
}

// A select that waits to send finds out about the close when it is woken.
GORT_TEST("close wakes a select that sends, which panics") {
  for (int i = 0; i < 20; i++) {
    auto c = make_chan<int>();
    auto never = make_chan<int>();
    auto text = make_chan<std::string>();
    go([=] {
      text.send(std::string(panicText([=] { select(recv_case(never), send_case(c, 1)); })));
    });
    waitSenders(c, 1);
    c.close();
    CHECK_GO(text.recv() == "send on closed channel");
    CHECK_GO(receivers(never) == 0 && senders(c) == 0);
  }
}

GORT_TEST("makechan: limits") {
  const std::string_view range = "makechan: size out of range";
  CHECK_GO(panicText([] { make_chan<int>(-1); }) == range);
  CHECK_GO(panicText([] { make_chan<int>(INT64_MIN); }) == range);
  CHECK_GO(panicText([] { make_chan<int>(INT64_MAX); }) == range);
  CHECK_GO(panicText([] { make_chan<int>(std::int64_t(1) << 46); }) == range);
  // The product overflows to something small.
  CHECK_GO(panicText([] { make_chan<int>(std::int64_t(1) << 62); }) == range);
  CHECK_GO(panicText([] { make_chan<char>(std::int64_t(1) << 48); }) == range);
  // Elements without size need no memory, however many there are; a negative number is wrong still.
  struct empty {};
  CHECK_GO(cap(make_chan<empty>(INT64_MAX)) == INT64_MAX);
  CHECK_GO(panicText([] { make_chan<empty>(-1); }) == range);
}

TEST_CASE("makechan: element types that Go's compiler never lets through") {
  Result r = run_go([] {
    static runtime::_type elem = runtime::types::desc<int>.typ;
    elem.size = 1 << 16;
    runtime::chantype t{{}, &elem, runtime::recvDir | runtime::sendDir};
    runtime::makechan(&t, 0);
  });
  CHECK_MESSAGE(r.has("fatal error: makechan: invalid channel element type"), r.str());
  CHECK(r.status == 2);
  r = run_go([] {
    static runtime::_type elem = runtime::types::desc<int>.typ;
    elem.align = 32;
    runtime::chantype t{{}, &elem, runtime::recvDir | runtime::sendDir};
    runtime::makechan(&t, 0);
  });
  CHECK_MESSAGE(r.has("fatal error: makechan: bad alignment"), r.str());
  CHECK(r.status == 2);
}

TEST_CASE("panics that nobody recovers end with their text and status 2") {
  struct {
    void (*f)();
    const char* text;
  } const cases[] = {
      {[] { closedChan<int>().send(1); }, "panic: send on closed channel"},
      {[] { closedChan<int>().close(); }, "panic: close of closed channel"},
      {[] { chan<int>{}.close(); }, "panic: close of nil channel"},
      {[] { make_chan<int>(-1); }, "panic: makechan: size out of range"},
      {[] { go([] { closedChan<int>().send(1); }), select(); }, "panic: send on closed channel"},
  };
  for (auto& k : cases) {
    Result r = run_go(k.f);
    CHECK_MESSAGE(r.status == 2, r.str());
    CHECK_MESSAGE(r.has(k.text), r.str());
    CHECK_MESSAGE(r.has("goroutine "), r.str());
  }
}

TEST_CASE("deadlocks name what each goroutine waits for") {
  struct {
    void (*f)();
    const char* text;
  } const cases[] = {
      {[] { make_chan<int>().recv(); }, "goroutine 1 [chan receive]:"},
      {[] { make_chan<int>().send(1); }, "goroutine 1 [chan send]:"},
      {[] { chan<int>{}.recv(); }, "goroutine 1 [chan receive (nil chan)]:"},
      {[] { chan<int>{}.send(1); }, "goroutine 1 [chan send (nil chan)]:"},
      {[] { select(); }, "goroutine 1 [select (no cases)]:"},
      {[] { select(recv_case(make_chan<int>()), recv_case(make_chan<int>())); },
       "goroutine 1 [select]:"},
      {[] {
         go([] { make_chan<int>().send(1); });
         make_chan<int>().recv();
       },
       " [chan send]:"},
  };
  for (auto& k : cases) {
    for (const char* procs : {"1", "4"}) {
      Result r = run_go(k.f, {{"GOMAXPROCS", procs}, {"GOTRACEBACK", "all"}});
      CHECK_MESSAGE(r.status == 2, r.str());
      CHECK_MESSAGE(r.has("fatal error: all goroutines are asleep - deadlock!"), r.str());
      CHECK_MESSAGE(r.has(k.text), r.str());
    }
  }
}

TEST_CASE("select: too many cases") {
  Result r = run_go([] {
    std::vector<selcase<int>> cases(runtime::maxSelectCases + 1);
    for (auto& k : cases) k = selcase<int>::recv(chan<int>{});
    select_n(cases.data(), static_cast<std::int64_t>(cases.size()));
  });
  CHECK_MESSAGE(r.status == 2, r.str());
  CHECK_MESSAGE(r.has("fatal error: select: too many cases"), r.str());
}
