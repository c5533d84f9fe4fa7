// Goroutines stop, modify and start the same timers at the moments at which these are due: each start ends
// in one call of the timer's function or in one Stop or Reset that says so, never in both or in neither.
// (That none is late, the explorer sees.)
#include <atomic>

#include "runtime/go.h"
#include "runtime/time.h"

using namespace gort;

namespace {

constexpr int kGoroutines = 3;
constexpr int kRounds = 8;

struct Shared {
  ptr<time::Timer> timers[2];
  std::atomic<int> started{0}, fired{0}, revoked{0};

  void Start(time::Timer* t, time::Duration d) {
    started++;
    if (t->Reset(d)) revoked++;
  }
  void Stop(time::Timer* t) {
    if (t->Stop()) revoked++;
  }
};

}  // namespace

int main(int argc, char** argv) {
  return gort::Main(argc, argv, [] {
    auto* s = make<Shared>();
    for (ptr<time::Timer>& t : s->timers) {
      s->started++;
      t = time::AfterFunc(5 * time::Microsecond, [s] { s->fired++; });
    }
    auto done = make_chan<int>(kGoroutines + 3);
    for (int i = 0; i < kGoroutines; i++)
      go([=] {
        for (int j = 0; j < kRounds; j++) {
          time::Timer* t = s->timers[(i + j) % 2];
          switch ((i + j) % 4) {
            case 0:
              s->Stop(t);
              break;
            case 1:
              s->Start(t, time::Microsecond * (1 + j));
              break;
            case 2:
              s->Start(t, 1);
              break;
            default:
              time::Sleep(time::Microsecond * (1 + i));
          }
        }
        done.send(i);
      });
    go([=] {
      auto* ticker = time::NewTicker(2 * time::Microsecond);
      for (int i = 0; i < 3; i++) ticker->C.recv();
      ticker->Reset(time::Microsecond);
      ticker->C.recv();
      ticker->Stop();
      done.send(0);
    });
    // Due in a second, and then at once: whoever sleeps until the second is over has to be woken.
    auto turn = make_chan<int>();
    go([=] {
      auto* late = time::NewTimer(time::Second);
      for (int i = 0; i < kRounds / 2; i++) {
        turn.recv();
        if (i % 2 == 0) {
          late->Reset(time::Microsecond);
          late->C.recv();
        } else {
          time::Sleep(time::Microsecond);
        }
        late->Reset(time::Second);
      }
      late->Stop();
      done.send(0);
    });
    go([=] {
      for (int i = 0; i < kRounds / 2; i++) {
        if (i % 3 != 0) time::Sleep(time::Microsecond);
        turn.send(i);
      }
      done.send(0);
    });
    for (int i = 0; i < kGoroutines + 3; i++) done.recv();
    for (const ptr<time::Timer>& t : s->timers) s->Stop(t);
    // What is due already has a goroutine of its own, which may not have run yet.
    for (int i = 0; s->fired + s->revoked != s->started; i++) {
      if (s->fired + s->revoked > s->started || i > 1000)
        panic("a start of a timer has ended twice, or never");
      time::Sleep(10 * time::Microsecond);
    }
  });
}
