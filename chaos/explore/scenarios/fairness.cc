// Two goroutines wake each other for ever, each time the one that runs next, while others are in the queue of the
// same P: those get their turn.
#include "runtime/go.h"

using namespace gort;

namespace {

constexpr int kOthers = 3;

runtime::atomic::Uint32 over;

void pings(chan<int> in, chan<int> out, chan<int> done) {
  while (over.Load() < kOthers) {
    in.recv();
    out.send(0);
  }
  out.send(0);  // the other one may not have seen it, and wait
  done.send(0);
}

}  // namespace

int main(int argc, char** argv) {
  return gort::Main(argc, argv, [] {
    runtime::GOMAXPROCS(1);
    auto there = make_chan<int>(3), back = make_chan<int>(3);
    auto done = make_chan<int>(2 + kOthers);
    there.send(0);
    go(pings, there, back, done);
    go(pings, back, there, done);
    runtime::Gosched();  // they are at it now
    for (int i = 0; i < kOthers; i++)
      go([=] {
        over.Add(1);
        done.send(0);
      });
    for (int i = 0; i < 2 + kOthers; i++) done.recv();
  });
}
