// Programs whose bugs have a known depth: the number of places at which the order of two threads has
// to be just so. The argument says which.
//
//   order    depth 1: one goroutine's last step has to come after the other's, which has as many
//   patience depth 1: as order, but the late one has 400 steps less to go
//   update   depth 2: between load and store of a counter comes the other one's
//   relay    depth 3: a goroutine has to be interrupted, twice, by one that is interrupted in between
//   held     no bug at all
#include <cstring>

#include "runtime/go.h"
#include "runtime/stubs.h"

using namespace gort;
using runtime::atomic::Uint32;

namespace {

Uint32 ready, filler, x, y;

// Both goroutines have a thread each from here on.
void meet() {
  ready.Add(1);
  while (ready.Load() < 2) runtime::procyield(30);
}

void steps(int n) {
  for (int i = 0; i < n; i++) filler.Load();
}

[[noreturn]] void found() { panic("toy: the bug has come up"); }

void order(int early, int late) {
  auto done = make_chan<int>(2);
  go([=] {
    meet();
    steps(early);
    x.Store(1);
    done.send(0);
  });
  go([=] {
    meet();
    steps(late);
    if (x.Load() == 1) found();
    done.send(0);
  });
  done.recv();
  done.recv();
}

void update() {
  auto done = make_chan<int>(2);
  for (int i = 0; i < 2; i++)
    go([=] {
      meet();
      steps(40);
      const std::uint32_t v = x.Load();
      x.Store(v + 1);
      steps(40);
      done.send(0);
    });
  done.recv();
  done.recv();
  if (x.Load() != 2) found();
}

// The first goroutine says 1 and 2, the second answers in between: it has to look after the first
// word, and again, not before 20 steps later, before the second.
void relay() {
  auto done = make_chan<int>(2);
  go([=] {
    meet();
    steps(40);
    x.Store(1);
    steps(3);
    if (y.Load() == 1) {
      x.Store(2);
      steps(3);
      x.Store(3);
    }
    done.send(0);
  });
  go([=] {
    meet();
    steps(40);
    if (x.Load() == 1) {
      y.Store(1);
      steps(3);
      if (x.Load() == 2) found();
    }
    done.send(0);
  });
  done.recv();
  done.recv();
}

}  // namespace

int main(int argc, char** argv) {
  const char* which = argc > 1 ? argv[1] : "";
  return gort::Main(argc, argv, [which] {
    if (std::strcmp(which, "order") == 0) order(40, 40);
    if (std::strcmp(which, "patience") == 0) order(400, 0);
    if (std::strcmp(which, "update") == 0) update();
    if (std::strcmp(which, "relay") == 0) relay();
    if (std::strcmp(which, "held") == 0) steps(40);
  });
}
