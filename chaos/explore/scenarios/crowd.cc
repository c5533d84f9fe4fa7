// Many goroutines at once: they wait in selects and for a semaphore, come back together, grow stacks of all
// sizes, defer calls, end, and others take their place. Queues run over; caches are used up and overflow.
#include "runtime/go.h"
#include "runtime/sync.h"

using namespace gort;

namespace {

constexpr int kCrowd = 14;

// Uses n frames of about 200 bytes. Every tenth defers a call.
int deep(int n) {
  volatile int pad[40] = {};
  pad[n % 40] = n;
  if (n == 0) return 0;
  int below = 0;
  if (n % 10 == 0)
    func([&](auto& defer) {
      defer([&] { below++; });
      below = deep(n - 1);
    });
  else
    below = deep(n - 1) + 1;
  return below + (pad[n % 40] - n);
}

struct Shared {
  sync::Mutex mu;
  sync::WaitGroup wg, here;
  int sum = 0;
};

}  // namespace

int main(int argc, char** argv) {
  return gort::Main(argc, argv, [] {
    auto* s = make<Shared>();
    for (int round = 0; round < 2; round++) {
      auto odd = make_chan<int>(), even = make_chan<int>(), stop = make_chan<int>();
      s->sum = 0;
      s->wg.Add(kCrowd);
      s->here.Add(kCrowd);
      for (int i = 0; i < kCrowd; i++)
        go([=] {
          int got = 0;
          s->here.Done();
          for (bool stopped = false; !stopped;) {
            int v = 0;
            // Not all of them in the same order.
            const int which =
                i % 2 == 0 ? select(recv_case(odd, v), recv_case(even, v), recv_case(stop))
                           : 2 - select(recv_case(stop), recv_case(even, v), recv_case(odd, v));
            if (which == 2)
              stopped = true;
            else
              got += v;
          }
          if (deep(i * 4) != i * 4) panic("wrong depth");
          s->mu.Lock();
          s->sum += got;
          s->mu.Unlock();
          s->wg.Done();
        });
      // Most of them wait when the first value comes.
      s->here.Wait();
      for (int i = 0; i < 3; i++) runtime::Gosched();
      constexpr int kSent = 24;
      for (int i = 1; i <= kSent; i++) (i % 2 != 0 ? odd : even).send(i);
      stop.close();
      s->wg.Wait();
      if (s->sum != kSent * (kSent + 1) / 2) panic("a value was lost, or came twice");
    }
  });
}
