// Goroutines start timers and put them off twice, at the moments at which these are due: a timer that was put off
// in time comes once, and not before its new time.
#include "runtime/go.h"
#include "runtime/time.h"

using namespace gort;

namespace {

constexpr int kGoroutines = 2;
constexpr int kRounds = 8;

void delays(int number, chan<int> done) {
  for (int i = 0; i < kRounds; i++) {
    auto* t = time::NewTimer(1 + number);
    if (!t->Reset(2 * time::Microsecond)) continue;
    const time::Time due = time::Now().Add(time::Millisecond);
    if (!t->Reset(time::Millisecond)) continue;
    if (t->C.recv().Before(due)) panic("a timer came before its time");
  }
  done.send(0);
}

}  // namespace

int main(int argc, char** argv) {
  return gort::Main(argc, argv, [] {
    auto done = make_chan<int>(kGoroutines);
    for (int i = 0; i < kGoroutines; i++) go(delays, i, done);
    for (int i = 0; i < kGoroutines; i++) done.recv();
  });
}
