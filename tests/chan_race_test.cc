// What channels order, and what they do not: Go's memory model as ThreadSanitizer sees it. Each
// scenario writes a plain variable in one goroutine and reads or writes it in another. Ordered ones
// must pass in every mode; for others TSan must report the race.
//
// So that a report does not depend on luck, the two goroutines meet first, running at the same time
// on two threads (atomics without order, which TSan does not take for synchronisation): a goroutine
// that follows another one on the same thread would be ordered after it.
#include <atomic>
#include <string>

#include "tests/chan_wait.h"

using namespace gort;
using namespace gort::test;

namespace {

long shared;
std::atomic<int> arrived;

// Returns when both have come here, without ordering them.
void meet() {
  arrived.fetch_add(1, std::memory_order_relaxed);
  while (arrived.load(std::memory_order_relaxed) < 2) {
  }
}

// Returns when the other one has done n more steps, without being ordered after it.
std::atomic<int> steps;
void step() { steps.fetch_add(1, std::memory_order_relaxed); }
void waitSteps(int n) {
  while (steps.load(std::memory_order_relaxed) < n) {
  }
}

using Side = void (*)(chan<int> c, chan<int> d);

// a and b on two goroutines at the same time.
void both(int size, Side a, Side b) {
  shared = 0;
  arrived = 0;
  steps = 0;
  auto c = make_chan<int>(size);
  auto d = make_chan<int>(size);
  auto done = make_chan<bool>(2);
  for (Side f : {a, b})
    go([=] {
      meet();
      f(c, d);
      done.send(true);
    });
  done.recv();
  done.recv();
}

void write() { shared = shared + 1; }
void useShared() { CHECK_GO(shared > 0); }

// Runs it many times: no report, and no other failure.
void mustPass(int size, Side a, Side b) {
  for (const char* procs : {"2", "4"}) {
    Result r = run_go(
        [=] {
          for (int i = 0; i < 100; i++) both(size, a, b);
        },
        {{"GOMAXPROCS", procs}});
    CHECK_MESSAGE(r.status == 0, r.str());
  }
}

// TSan has to report it. The scheduler's own locks may order the two by chance, for one when sysmon
// preempts a goroutine that the kernel has left out for 10 ms: then there is nothing to see in that
// run.
void mustRace([[maybe_unused]] int size, [[maybe_unused]] Side a, [[maybe_unused]] Side b) {
#if GORT_TSAN
  Result r;
  for (int i = 0; i < 40; i++) {
    r = run_go([=] { both(size, a, b); }, {{"GOMAXPROCS", "2"}});
    if (r.status == 66) break;
    CHECK_MESSAGE(r.status == 0, r.str());
  }
  CHECK_MESSAGE(r.status == 66, r.str());
  CHECK_MESSAGE(r.has("WARNING: ThreadSanitizer: data race"), r.str());
#endif
}

void pollClosed(chan<int> c) {
  int v = 1;
  bool ok = true;
  while (select(recv_case(c, v, ok), default_case) == 1) {
  }
  CHECK_GO(v == 0 && !ok);
}

}  // namespace

TEST_CASE("race: nothing orders two goroutines but what they do with channels") {
  mustRace(1, [](chan<int>, chan<int>) { write(); }, [](chan<int>, chan<int>) { write(); });
  // Two channels are not one.
  mustRace(
      1, [](chan<int> c, chan<int>) { write(), c.send(1); },
      [](chan<int>, chan<int> d) { d.send(1), write(); });
  // Neither does asking for the length.
  mustRace(
      1, [](chan<int> c, chan<int>) { write(), c.send(1); },
      [](chan<int> c, chan<int>) {
        while (len(c) == 0) {
        }
        write();
      });
}

TEST_CASE("race: a send comes before its receive") {
  for (int size : {0, 1}) {
    mustPass(
        size, [](chan<int> c, chan<int>) { write(), c.send(1); },
        [](chan<int> c, chan<int>) { c.recv(), write(), useShared(); });
    mustPass(
        size, [](chan<int> c, chan<int>) { write(), select(send_case(c, 1)); },
        [](chan<int> c, chan<int> d) { select(recv_case(d), recv_case(c)), write(); });
    mustPass(
        size, [](chan<int> c, chan<int>) { write(), c.send(1); },
        [](chan<int> c, chan<int>) {
          while (select(recv_case(c), default_case) == 1) {
          }
          write();
        });
    // After the send is too late.
    mustRace(
        size, [](chan<int> c, chan<int>) { c.send(1), write(); },
        [](chan<int> c, chan<int>) { c.recv(), write(); });
  }
}

TEST_CASE("race: a receive from an unbuffered channel comes before the end of the send") {
  mustPass(
      0, [](chan<int> c, chan<int>) { c.send(1), write(); },
      [](chan<int> c, chan<int>) { write(), c.recv(); });
  mustPass(
      0, [](chan<int> c, chan<int> d) { select(send_case(d, 1), send_case(c, 1)), write(); },
      [](chan<int> c, chan<int>) { write(), select(recv_case(c)); });
  // With a buffer it does not.
  mustRace(
      1, [](chan<int> c, chan<int>) { c.send(1), step(), write(); },
      [](chan<int> c, chan<int>) { waitSteps(1), write(), c.recv(); });
}

// A channel of capacity 1 as a lock.
TEST_CASE("race: the k-th receive comes before the k+1-th send when the capacity is 1") {
  constexpr Side locked = [](chan<int> c, chan<int>) {
    for (int i = 0; i < 50; i++) {
      c.send(1);
      write();
      c.recv();
    }
  };
  mustPass(1, locked, locked);
  // With capacity 2 both may be inside.
  constexpr Side tooWide = [](chan<int> c, chan<int>) {
    c.send(1);
    step();
    waitSteps(2);
    write();
    c.recv();
  };
  mustRace(2, tooWide, tooWide);
}

// Catalogue 28, Go issue 36714: the non-blocking receive that finds the channel closed and empty
// takes no lock, and has to see what was written before the close all the same.
TEST_CASE("race: close comes before the receive that finds it") {
  constexpr Side closer = [](chan<int> c, chan<int>) { write(), c.close(); };
  for (int size : {0, 1}) {
    mustPass(size, closer, [](chan<int> c, chan<int>) { pollClosed(c), write(), useShared(); });
    mustPass(size, closer, [](chan<int> c, chan<int> d) {
      while (select(recv_case(c), recv_case(d), default_case) == 2) {
      }
      write();
    });
    mustPass(size, closer, [](chan<int> c, chan<int>) { c.recv(), write(); });
    mustPass(size, closer,
             [](chan<int> c, chan<int> d) { select(recv_case(d), recv_case(c)), write(); });
    mustPass(size, closer, [](chan<int> c, chan<int>) {
      for (int v : c) CHECK_GO(v != v);
      write();
    });
    // What comes after the close is not ordered.
    constexpr Side late = [](chan<int> c, chan<int>) { c.close(), write(); };
    mustRace(size, late, [](chan<int> c, chan<int>) { c.recv(), write(); });
    mustRace(size, late, [](chan<int> c, chan<int>) { pollClosed(c), write(); });
  }
}

// The value itself: what it points to is the receiver's.
GORT_TEST("race: a pointer hands over what it points to") {
  auto c = make_chan<std::string*>();
  auto back = make_chan<std::string*>(3);
  go([=] {
    for (std::string* s : c) {
      *s += "x";
      if (select(send_case(back, s), default_case) == 1) back.send(s);
    }
    back.close();
  });
  auto* s = new std::string();
  for (int i = 0; i < 300; i++) {
    c.send(s);
    s = back.recv();
    CHECK_GO(s->size() == static_cast<std::size_t>(2 * i + 1));
    *s += "y";
  }
  c.close();
  CHECK_GO(!back.recv_ok().ok);
}
