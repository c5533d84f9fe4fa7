// Two wait for a condition and are all woken at once, while one more comes to wait, who is woken then or by a
// Signal that follows. Then one waits alone, and one Signal wakes him: nobody is left.
#include <atomic>

#include "runtime/go.h"
#include "runtime/sync.h"

using namespace gort;

namespace {

constexpr int kEarly = 2;
constexpr int kRounds = 4;
constexpr int kLooks = 30;

struct Shared {
  sync::Mutex mu;
  sync::Cond changed{&mu};
  bool over = false;
  std::atomic<bool> woken{false};  // the one who came later has gone on
};

void round(Shared* s) {
  s->over = s->woken = false;
  auto done = make_chan<int>(kEarly + 2), here = make_chan<int>(1);
  for (int i = 0; i < kEarly; i++)
    go([=] {
      s->mu.Lock();
      if (!s->over) s->changed.Wait();
      s->mu.Unlock();
      done.send(0);
    });
  go([=] {
    s->mu.Lock();
    here.send(0);
    s->changed.Wait();
    s->woken = true;
    s->mu.Unlock();
    done.send(0);
  });
  go([=] {
    s->mu.Lock();
    s->over = true;
    s->mu.Unlock();
    s->changed.Broadcast();
    done.send(0);
  });
  for (int i = 0; i < kEarly + 1; i++) done.recv();
  here.recv();
  // With the lock: he waits, or was woken already. Then a Signal would go to nobody.
  s->mu.Lock();
  s->mu.Unlock();
  for (int i = 0; i < kLooks && !s->woken; i++) runtime::Gosched();
  if (!s->woken) s->changed.Signal();
  done.recv();

  go([=] {
    s->mu.Lock();
    here.send(0);
    s->changed.Wait();
    s->mu.Unlock();
    done.send(0);
  });
  here.recv();
  s->mu.Lock();
  s->mu.Unlock();
  s->changed.Signal();
  done.recv();
}

}  // namespace

int main(int argc, char** argv) {
  return gort::Main(argc, argv, [] {
    auto* s = make<Shared>();
    for (int i = 0; i < kRounds; i++) round(s);
  });
}
