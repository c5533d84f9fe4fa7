// Two come to wait for a condition, one after the other or both at once, and each Signal wakes one of them: as many
// come back as were told to, and no more.
#include "runtime/go.h"
#include "runtime/sync.h"
#include "runtime/time.h"

using namespace gort;

namespace {

constexpr int kWaiters = 2;
constexpr int kRounds = 4;

// Protected by mu.
struct Shared {
  sync::Mutex mu;
  sync::Cond changed{&mu};
  int waiting = 0, told = 0, back = 0;
};

void round(Shared* s) {
  s->waiting = s->told = s->back = 0;
  auto done = make_chan<int>(kWaiters);
  for (int i = 0; i < kWaiters; i++)
    go([=] {
      s->mu.Lock();
      s->waiting++;
      s->changed.Wait();
      if (++s->back > s->told) panic("Wait has come back, and nobody was told to");
      s->mu.Unlock();
      done.send(0);
    });
  for (bool ready = false; !ready;) {
    s->mu.Lock();
    ready = s->waiting == kWaiters;
    s->mu.Unlock();
    if (!ready) runtime::Gosched();
  }
  for (int i = 0; i < kWaiters; i++) {
    // Whoever comes back without having been told does so now.
    if (i > 0) time::Sleep(10 * time::Microsecond);
    s->mu.Lock();
    s->told++;
    s->mu.Unlock();
    s->changed.Signal();
    done.recv();
  }
}

}  // namespace

int main(int argc, char** argv) {
  return gort::Main(argc, argv, [] {
    auto* s = make<Shared>();
    for (int i = 0; i < kRounds; i++) round(s);
  });
}
