// Channels are closed beside sends, receives that wait, receives that do not, and selects: what a send has
// taken off is received, once, and whoever waits learns of the end.
#include <atomic>

#include "runtime/go.h"

using namespace gort;

namespace {

constexpr int kSenders = 3;
constexpr int kValues = 5;

struct Counts {
  std::atomic<int> sent{0}, received{0};
};

// False if the channel is closed.
bool sends(chan<int> c, int v) {
  bool closed = false;
  func([&](auto& defer) {
    defer([&] { closed = static_cast<bool>(recover()); });
    c.send(v);
  });
  return !closed;
}

void sender(Counts* n, chan<int> c, chan<int> done) {
  for (int i = 0; i < kValues; i++) {
    if (!sends(c, i)) break;
    n->sent++;
  }
  done.send(0);
}

void waits(Counts* n, chan<int> c, chan<int> done) {
  for (;;) {
    int v = 0;
    bool ok = false;
    select(recv_case(c, v, ok));
    if (!ok) break;
    n->received++;
  }
  done.send(0);
}

void polls(Counts* n, chan<int> c, chan<int> done) {
  for (;;) {
    int v = 0;
    bool ok = false;
    if (select(recv_case(c, v, ok), default_case) == 1) {
      runtime::Gosched();
      continue;
    }
    if (!ok) break;
    n->received++;
  }
  done.send(0);
}

// At no time is the channel both open and empty, so a receive that does not block comes back with a value, or
// with the end.
void neverEmpty() {
  constexpr int kInside = 2;
  auto c = make_chan<int>(kInside);
  for (int i = 0; i < kInside; i++) c.send(i);
  auto* n = make<Counts>();
  auto done = make_chan<int>(3);
  go([=] {
    c.close();
    for (int i = 0; i < kInside; i++) n->received += c.recv_ok().ok;
    done.send(0);
  });
  for (int i = 0; i < 2; i++)
    go([=] {
      int v = 0;
      bool ok = false;
      if (i == 0) runtime::Gosched();
      // Two come, each for one of two values: who takes the last has nobody behind but the closer.
      if (select(recv_case(c, v, ok), default_case) == 1)
        panic("a channel that is closed or full has seemed open and empty");
      n->received += ok;
      done.send(0);
    });
  for (int i = 0; i < 3; i++) done.recv();
  if (n->received != kInside) panic("what a closed channel held was lost, or received twice");
}

// Nobody else receives: what the poller does not get is lost.
void onePolls() {
  auto* n = make<Counts>();
  auto c = make_chan<int>(2);
  auto done = make_chan<int>(2);
  go(polls, n, c, done);
  go([=] {
    for (int i = 0; i < 2; i++) {
      runtime::Gosched();
      c.send(i);
    }
    c.close();
    done.send(0);
  });
  done.recv();
  done.recv();
  if (n->received != 2) panic("the end was told before the last value");
}

void run(int buffer) {
  auto* n = make<Counts>();
  auto c = make_chan<int>(buffer);
  auto done = make_chan<int>(kSenders + 3);
  for (int i = 0; i < kSenders; i++) go(sender, n, c, done);
  go(waits, n, c, done);
  go(polls, n, c, done);
  go([=] {
    for (int i = 0; i < 4; i++) runtime::Gosched();
    c.close();
    done.send(0);
  });
  for (int i = 0; i < kSenders + 3; i++) done.recv();
  if (n->sent != n->received) panic("what was sent was lost, or received twice");
}

}  // namespace

int main(int argc, char** argv) {
  return gort::Main(argc, argv, [] {
    run(0);
    run(2);
    for (int i = 0; i < 4; i++) {
      neverEmpty();
      onePolls();
    }
  });
}
