// Stacks that move under code that has C++ objects in its frames, and under goroutines that are
// blocked. With the settings that make a forgotten address show: moved stacks are filled with a
// pattern (stackpoison) or made inaccessible (stackfaultonfree).
#include <algorithm>
#include <atomic>
#include <cstdio>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tests/harness.h"
#include "tests/stackmove.h"

using namespace gort;
using namespace gort::test;

namespace {

GORT_NOINLINE long cxxFrames(int depth, std::string s, std::vector<int> v) {
  char text[100];
  std::snprintf(text, sizeof text, "%d-%s", depth, s.c_str());
  std::string copy = s;
  std::string* self = &copy;
  auto owned = std::make_unique<int>(depth);
  std::optional<std::string> maybe = s + "!";
  v.push_back(depth);
  std::sort(v.begin(), v.end(), [&](int a, int b) { return a * 7 % 101 < b * 7 % 101; });
  long below = 0;
  if (depth > 0) below = cxxFrames(depth - 1, s + static_cast<char>('a' + depth % 26), v);
  if (depth % 5 == 0) moveMyStack();
  CHECK_GO(self == &copy && copy == s && *maybe == s + "!" && *owned == depth);
  CHECK_GO(std::to_string(depth) + "-" + s == text);
  CHECK_GO(std::count(v.begin(), v.end(), depth) == 1);
  return below + static_cast<long>(copy.size() + v.size());
}

void cxxObjects() {
  auto sum = make_chan<long>();
  for (int i = 0; i < 4; i++)
    go([=] { sum.send(cxxFrames(40, std::string(static_cast<std::size_t>(i) * 7, 'x'), {1000})); });
  long total = 0;
  for (int i = 0; i < 4; i++) total += sum.recv();
  // At depth d: 7i + 40 - d characters and 42 - d ints.
  CHECK_GO(total == 41 * 7 * 6 + 4 * (820 + 820 + 41 * 2));
}

struct element {
  long id;
  long twice;
  element* self;  // its own address when it was made, never followed
};

std::atomic<bool> stopped{false};
std::atomic<long> finished{0};

bool allParked(long n) {
  long parked = 0;
  runtime::forEachGRace([&](runtime::g* gp) {
    runtime::waitReason why = gp->waitreason;
    if (runtime::readgstatus(gp) == runtime::_Gwaiting &&
        (why == runtime::waitReasonChanSend || why == runtime::waitReasonChanReceive ||
         why == runtime::waitReasonSelect))
      parked++;
  });
  return parked == n;
}

// Sent values are in the senders' frames while they wait; received ones are written into the
// receivers' frames by the sender, wherever those frames are by then.
void parkedSender(long id, chan<std::string> c) {
  long check = id, *self = &check;
  std::string s = "sender number " + std::to_string(id);
  std::string kept = s;
  c.send(std::move(s));
  CHECK_GO(*self == id && self == &check && kept == "sender number " + std::to_string(id));
  finished++;
}
void parkedReceiver(long id, chan<element> c) {
  long check = id, *self = &check;
  element e = c.recv();
  CHECK_GO(e.twice == 2 * e.id);
  CHECK_GO(*self == id && self == &check);
  finished++;
}
void parkedSelect(long id, chan<long> out, chan<std::string> in) {
  long check = id, *self = &check;
  std::string got = "nothing";
  bool ok = false;
  int k = select(send_case(out, id), recv_case(in, got, ok));
  CHECK_GO(k == 0 ? got == "nothing" && !ok : got == "for a select" && ok);
  CHECK_GO(*self == id && self == &check);
  finished++;
}

}  // namespace

GORT_TEST("C++ objects in frames that move") { cxxObjects(); }
GORT_TEST("C++ objects in frames that move, stacks poisoned",
          Env{{"GODEBUG", "stackpoison=1,stackmoveall=1"}}) {
  cxxObjects();
}
GORT_TEST("C++ objects in frames that move, freed stacks inaccessible",
          Env{{"GODEBUG", "stackfaultonfree=1,stackmoveall=1"}}) {
  cxxObjects();
}

// 100,000 goroutines are blocked in send, receive and select. All their stacks are moved, then
// moved again and again while they are let go, and every value is checked.
GORT_TEST("stacks of blocked goroutines move") {
  const long n = runtime::raceenabled ? 300 : 33333;  // of each kind
  constexpr int k = 16;
  std::array<chan<std::string>, k> sends, selins;
  std::array<chan<element>, k> recvs;
  std::array<chan<long>, k> selouts;
  for (int i = 0; i < k; i++) {
    sends[i] = make_chan<std::string>();
    selins[i] = make_chan<std::string>();
    recvs[i] = make_chan<element>();
    selouts[i] = make_chan<long>();
  }
  for (long i = 0; i < n; i++) {
    go(parkedSender, i, sends[i % k]);
    go(parkedReceiver, i, recvs[i % k]);
    go(parkedSelect, i, selouts[i % k], selins[i % k]);
  }
  while (!allParked(3 * n)) runtime::Gosched();
  CHECK_GO(moveStacks() >= 3 * n);

  auto moves = make_chan<long>();
  go([=] {
    long m = 0;
    while (!stopped) {
      m += moveStacks();
      runtime::Gosched();
    }
    moves.send(m);
  });
  std::vector<bool> sent(static_cast<std::size_t>(n)), selected(static_cast<std::size_t>(n));
  for (long i = 0; i < n; i++) {
    std::string s = sends[i % k].recv();
    CHECK_GO(s.starts_with("sender number "));
    auto id = static_cast<std::size_t>(std::stol(s.substr(14)));
    CHECK_GO(id < sent.size() && !sent[id]);
    sent[id] = true;

    element e{i, 2 * i, nullptr};
    e.self = &e;
    recvs[i % k].send(e);

    if (i % 3 == 0) {
      selins[i % k].send("for a select");
    } else {
      auto v = static_cast<std::size_t>(selouts[i % k].recv());
      CHECK_GO(v < selected.size() && !selected[v]);
      selected[v] = true;
    }
    if (i % 1024 == 0) runtime::Gosched();
  }
  while (finished != 3 * n) runtime::Gosched();
  CHECK_GO(std::count(sent.begin(), sent.end(), true) == n);
  stopped = true;
  CHECK_GO(moves.recv() > 0);
}

// Growth leaves a large stack; what a blocked goroutine does not use is taken back, as long as less
// than a quarter is in use (the guard counts).
GORT_TEST("stacks shrink") {
  auto ready = make_chan<runtime::g*>();
  auto on = make_chan<bool>();
  auto done = make_chan<bool>();
  go([=] {
    long check = 77, *p = &check;
    useStack(3000);
    ready.send(runtime::getg());
    on.recv();
    CHECK_GO(p == &check && *p == 77);
    useStack(3000);
    done.send(*p == 77);
  });
  runtime::g* gp = ready.recv();
  auto size = [=] { return gp->stack.hi - gp->stack.lo; };
  while (runtime::readgstatus(gp) != runtime::_Gwaiting) runtime::Gosched();
  CHECK_GO(size() >= 3000 << 10);
  while (size() > 4 * runtime::fixedStack) moveStacks();
  on.send(true);
  CHECK_GO(done.recv());
}

// A pinned goroutine may keep what has pointers back into the stack.
GORT_TEST("pinned goroutines keep containers with inner pointers") {
  auto done = make_chan<long>();
  for (int i = 0; i < 4; i++)
    go_pinned([=] {
      auto lo = stackbounds().lo;
      std::map<int, std::string> m;
      for (int j = 0; j < 100; j++) {
        m[j * 7 % 100] = std::to_string(j);
        if (j % 10 == 0) useStack(50), runtime::Gosched();
      }
      long sum = 0;
      int next = 0;
      for (auto& [key, value] : m) {
        CHECK_GO(key == next++ && std::stol(value) * 7 % 100 == key);
        sum += key;
      }
      CHECK_GO(stackbounds().lo == lo);
      done.send(sum);
    });
  for (int i = 0; i < 20; i++) {
    moveStacks();
    runtime::Gosched();
  }
  for (int i = 0; i < 4; i++) CHECK_GO(done.recv() == 4950);
}

// The address of the stack, in a function that checks it.
GORT_NOINLINE std::uintptr_t whereAmI() {
  int here[16];
  KEEP_FRAME(here);
  return stackbounds().lo;
}
GORT_TEST("stackmoveall moves a stack at every call", Env{{"GODEBUG", "stackmoveall=1"}}) {
  auto turn = [] {
    auto* pp = static_cast<runtime::p*>(runtime::getg()->m->p);
    return std::pair<runtime::p*, std::uint32_t>(pp, pp->schedtick);
  };
  for (int i = 0; i < 1000; i++) {
    auto during = turn();
    std::uintptr_t before = stackbounds().lo;
    std::uintptr_t now = whereAmI();
    // A preemption takes the place of the move.
    CHECK_GO(now != before || during != turn());
  }
}

// A preemption request that was meant for another goroutine finds this one on the thread;
// and one to move.
GORT_TEST("requests that a pinned goroutine cannot follow are dropped",
          Env{{"GODEBUG", "stackmoveall=1"}}) {
  auto done = make_chan<bool>();
  go_pinned([=] {
    runtime::stack before = stackbounds();
    for (int i = 0; i < 1000; i++) {
      runtime::setstackguard(runtime::stackPreempt);
      useStack(1);
      moveStackOnNextCall();
      useStack(1);
    }
    CHECK_GO(stackbounds().lo == before.lo);
    done.send(true);
  });
  CHECK_GO(done.recv());
}

TEST_CASE("a pinned goroutine that needs more than its stack ends the program") {
  Result r = run_go([] {
    auto done = make_chan<bool>();
    go_pinned([=] {
      useStack(4000);
      done.send(true);
    });
    done.recv();
  });
  CHECK(r.status == 2);
  CHECK_MESSAGE(r.has("fatal error: stack overflow"), r.str());
}

namespace {
int* volatile stale;
}
TEST_CASE("a stale pointer into a stack is reported") {
  Result r = run_go(
      [] {
        int local = 1;
        stale = &local;
        moveMyStack();
        CHECK_GO(stale != &local);
        *stale = 2;
      },
      {{"GODEBUG", "stackfaultonfree=1"}});
  CHECK(r.status == 2);
  CHECK_MESSAGE(r.has("was freed by goroutine 1 when it moved to another; somebody kept a pointer "
                      "into it\n"),
                r.str());
  CHECK_MESSAGE(r.has("SIGSEGV: segmentation violation\n"), r.str());
}

TEST_CASE("an address of the stack in the closure of go is refused") {
  int status[2];
  std::string text[2];
  for (int byref = 0; byref < 2; byref++) {
    Result r = run_go([=] {
      int local = 1;
      auto c = make_chan<int>();
      if (byref != 0)
        go([&local, c] { c.send(local); });
      else
        go([](int* p, chan<int> c) { c.send(*p); }, &local, c);
      c.recv();
    });
    status[byref] = r.status;
    text[byref] = r.err;
  }
  for (int i = 0; i < 2; i++) {
    CHECK(status[i] == 2);
    CHECK_MESSAGE(text[i].find("fatal error: go with a closure that holds an address of its "
                               "creator's stack\n") != std::string::npos,
                  text[i]);
  }
}
