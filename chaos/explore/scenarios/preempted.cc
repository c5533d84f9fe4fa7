// Goroutines that only turn, without a call at which they would notice a request, and threads that end with theirs,
// while others stop the world: each request is followed, whatever thread the M that it goes to has by then.
#include "runtime/go.h"

using namespace gort;

namespace {

constexpr int kRounds = 4;
constexpr int kTurns = 40;

// Each look at it is a step where this is explored.
runtime::atomic::Uint32 over;

void stops(chan<int> done) {
  runtime::MemStats stats;
  for (int i = 0; i < 2; i++) runtime::ReadMemStats(&stats);
  done.send(0);
}

}  // namespace

int main(int argc, char** argv) {
  return gort::Main(argc, argv, [] {
    // The one who turns and the ones who stop him each have a P, or wait for each other's.
    runtime::GOMAXPROCS(2);
    auto done = make_chan<int>(3);
    for (int round = 0; round < kRounds; round++) {
      over.Store(0);
      go([=] {
        runtime::LockOSThread();
        for (int i = 0; i < kTurns; i++) over.Load();
        done.send(0);
      });
      go(stops, done);
      go([=] {
        while (over.Load() == 0) {
        }
        done.send(0);
      });
      for (int i = 0; i < 2; i++) done.recv();
      over.Store(1);
      done.recv();
    }
  });
}
