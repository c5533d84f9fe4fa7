// Waiters of one condition are woken one by one and all at once, while others come: each wakes for something
// that was done after it had begun to wait, and nobody is left.
#include "runtime/go.h"
#include "runtime/sync.h"

using namespace gort;

namespace {

constexpr int kWaiters = 3;
constexpr int kRounds = 3;

struct Shared {
  sync::Mutex mu;
  sync::Cond changed{&mu};
  int waiting = 0;
  int left = 0;
};

void waiter(Shared* s, chan<int> done) {
  for (int i = 0; i < kRounds; i++) {
    s->mu.Lock();
    s->waiting++;
    s->changed.Wait();
    s->waiting--;
    s->mu.Unlock();
  }
  s->mu.Lock();
  s->left++;
  s->mu.Unlock();
  done.send(0);
}

// With as many Signals as somebody waits when it looks, or with one Broadcast.
void waker(Shared* s, bool all, chan<int> done) {
  for (int i = 0;; i++) {
    s->mu.Lock();
    const bool over = s->left == kWaiters;
    const int n = s->waiting;
    s->mu.Unlock();
    if (over) break;
    if (all && i % 2 == 0)
      s->changed.Broadcast();
    else
      for (int j = 0; j < n; j++) s->changed.Signal();
    runtime::Gosched();
  }
  done.send(0);
}

// Who waits after a Broadcast is woken by the one Signal that follows.
void oneSignal(Shared* s) {
  constexpr int kEarly = 2;
  auto done = make_chan<int>(kEarly + 2);
  auto* late = make<bool>(false);
  for (int i = 0; i < kEarly; i++)
    go([=] {
      s->mu.Lock();
      s->waiting++;
      if (!*late) s->changed.Wait();
      s->waiting--;
      s->mu.Unlock();
      done.send(0);
    });
  auto here = make_chan<int>(1);
  go([=] {
    s->mu.Lock();
    here.send(0);
    s->changed.Wait();
    s->mu.Unlock();
    done.send(0);
  });
  go([=] {
    s->mu.Lock();
    *late = true;
    s->mu.Unlock();
    s->changed.Broadcast();
    done.send(0);
  });
  here.recv();
  for (int i = 0; i < kEarly + 1; i++) done.recv();
  // The last one waits, or was woken by the Broadcast.
  s->mu.Lock();
  s->mu.Unlock();
  s->changed.Signal();
  done.recv();
}

}  // namespace

int main(int argc, char** argv) {
  return gort::Main(argc, argv, [] {
    auto* s = make<Shared>();
    for (int i = 0; i < 2; i++) oneSignal(s);
    auto done = make_chan<int>(kWaiters + 2);
    for (int i = 0; i < kWaiters; i++) go(waiter, s, done);
    for (int i = 0; i < 2; i++) go(waker, s, i == 0, done);
    for (int i = 0; i < kWaiters + 2; i++) done.recv();
    if (s->waiting != 0) panic("somebody waits still");
  });
}
