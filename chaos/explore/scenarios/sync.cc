// Package sync, timers and tickers, all at once: no wake-up is lost.
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
    s->mu.Lock();
    while (s->n < kWorkers * 5) s->cond.Wait();
    s->mu.Unlock();
    s->wg.Wait();
    auto timer = time::NewTimer(10 * time::Microsecond);
    auto never = make_chan<int>();
    if (select(recv_case(timer->C), recv_case(never)) != 0) panic("not the timer");
    if (timer->Stop()) panic("a timer that has fired was stopped");
  });
}
