// Package sync and a timer, all at once: no wake-up is lost, and one at a time holds a lock.
#include <atomic>

#include "runtime/go.h"
#include "runtime/sync.h"
#include "runtime/time.h"

using namespace gort;

namespace {

struct Shared {
  sync::Mutex mu;
  sync::RWMutex rw;
  sync::Cond cond{&mu};
  sync::WaitGroup wg;
  sync::Once once;
  int n = 0;
  int onces = 0;

  // Signal without the lock, TryLock beside Lock.
  sync::Mutex turns;
  sync::Cond changed{&turns};
  int guarded = 0;
  int inside = 0;
  std::atomic<int> taken{0};

  void Enter() {
    if (inside++ != 0) panic("two hold the lock");
    guarded++;
    taken++;
    inside--;
  }
};

}  // namespace

int main(int argc, char** argv) {
  return gort::Main(argc, argv, [] {
    auto* s = make<Shared>();
    constexpr int kWorkers = 4;
    s->wg.Add(kWorkers);
    for (int i = 0; i < kWorkers; i++)
      go([s] {
        s->once.Do([s] { s->onces++; });
        for (int j = 0; j < 5; j++) {
          s->mu.Lock();
          s->n++;
          s->cond.Signal();
          s->mu.Unlock();
          s->rw.RLock();
          const int seen = s->onces;
          s->rw.RUnlock();
          if (seen != 1) panic("once was not once");
        }
        s->rw.Lock();
        s->rw.Unlock();
        s->wg.Done();
      });
    constexpr int kTurns = 12;
    auto done = make_chan<int>(3);
    go([s, done] {
      for (int i = 0; i < kTurns; i++) {
        while (!s->turns.TryLock()) runtime::Gosched();
        s->Enter();
        s->turns.Unlock();
        s->changed.Signal();
      }
      done.send(0);
    });
    go([s, done] {
      for (int i = 0; i < kTurns; i++) {
        s->turns.Lock();
        s->Enter();
        s->turns.Unlock();
        s->changed.Signal();
      }
      done.send(0);
    });
    go([s, done] {
      s->turns.Lock();
      while (s->guarded < 2 * kTurns) s->changed.Wait();
      s->turns.Unlock();
      done.send(0);
    });
    s->mu.Lock();
    while (s->n < kWorkers * 5) s->cond.Wait();
    s->mu.Unlock();
    s->wg.Wait();
    for (int i = 0; i < 3; i++) done.recv();
    if (s->taken != 2 * kTurns) panic("a turn was lost");
    auto timer = time::NewTimer(10 * time::Microsecond);
    auto never = make_chan<int>();
    if (select(recv_case(timer->C), recv_case(never)) != 0) panic("not the timer");
    if (timer->Stop()) panic("a timer that has fired was stopped");
  });
}
