// A few goroutines sleep, or start and stop timers of their own, and nobody else has work, but for one who
// stops the world: they go on where they were not before, Ps become idle with timers, and who sleeps wakes in
// time. (That nobody is late, the explorer sees.)
#include "runtime/go.h"
#include "runtime/time.h"

using namespace gort;

namespace {

constexpr int kSleepers = 2;
constexpr int kRounds = 4;

void sleeps(int number, chan<int> done) {
  auto* t = time::NewTimer(time::Hour);
  for (int i = 0; i < kRounds; i++) {
    const auto d = time::Microsecond * (1 + 40 * ((i + number) % 2));
    if (i % 2 == 0) {
      time::Sleep(d);
    } else {
      // An hour may be over: the explorer's time leaps.
      if (!t->Stop()) t->C.recv();
      t->Reset(d);
      t->C.recv();
      t->Reset(time::Hour);
    }
  }
  t->Stop();
  done.send(0);
}

}  // namespace

int main(int argc, char** argv) {
  return gort::Main(argc, argv, [] {
    auto done = make_chan<int>(kSleepers + 1);
    for (int i = 0; i < kSleepers; i++) go(sleeps, i, done);
    go([=] {
      for (int i = 0; i < kRounds; i++) {
        runtime::MemStats stats;
        runtime::ReadMemStats(&stats);
        if (i % 2 == 0) time::Sleep(5 * time::Microsecond);
      }
      done.send(0);
    });
    for (int i = 0; i < kSleepers + 1; i++) done.recv();
  });
}
