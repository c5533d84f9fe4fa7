// Readers and writers of one lock, a mutex that is held for so long that its waiters starve, several that
// wait for one condition, rounds of work that are waited for, and semaphores that share a queue of waiters:
// nobody is inside with a writer, each unit is handed on once, and all go on.
#include <atomic>

#include "runtime/go.h"
#include "runtime/sema.h"
#include "runtime/sync.h"
#include "runtime/time.h"

using namespace gort;

namespace {

constexpr int kReaders = 3, kWriters = 2, kRounds = 4;
constexpr int kWriting = 10000;

struct Shared {
  sync::RWMutex rw;
  std::atomic<int> activity{0};
  int written = 0;

  sync::Mutex mu;
  int inside = 0;
  int entered = 0;

  sync::Mutex shelf;
  sync::Cond stocked{&shelf};
  int stock = 0;

  sync::WaitGroup group;
  std::atomic<int> parts{0};

  static constexpr int kSemas = 5;
  runtime::atomic::Uint32 semas[kSemas];
  std::atomic<int> units{0};
};

void reader(Shared* s, chan<int> done) {
  for (int i = 0; i < kRounds; i++) {
    s->rw.RLock();
    const int n = ++s->activity;
    if (n < 1 || n >= kWriting) panic("a reader is inside with a writer");
    const int seen = s->written;
    if (i % 2 == 0) runtime::Gosched();
    if (s->written != seen) panic("somebody has written beside a reader");
    s->activity--;
    s->rw.RUnlock();
  }
  done.send(0);
}

void writer(Shared* s, chan<int> done) {
  for (int i = 0; i < kRounds; i++) {
    s->rw.Lock();
    if ((s->activity += kWriting) != kWriting) panic("a writer is not alone");
    s->written++;
    s->activity -= kWriting;
    s->rw.Unlock();
  }
  done.send(0);
}

void enters(Shared* s, int slow, chan<int> done) {
  for (int i = 0; i < kRounds; i++) {
    s->mu.Lock();
    if (s->inside++ != 0) panic("two hold the mutex");
    s->entered++;
    // Whoever waits for a millisecond starves, and is handed the mutex.
    if (i < slow) time::Sleep(2 * time::Millisecond);
    s->inside--;
    s->mu.Unlock();
  }
  done.send(0);
}

// One signal for each thing, sometimes without the lock: as many wake as there are things.
void stocks(Shared* s, chan<int> done) {
  for (int i = 0; i < kRounds; i++) {
    s->shelf.Lock();
    s->stock++;
    if (i % 2 == 0) s->stocked.Signal();
    s->shelf.Unlock();
    if (i % 2 != 0) s->stocked.Signal();
  }
  done.send(0);
}

void fetches(Shared* s, chan<int> done) {
  for (int i = 0; i < kRounds; i++) {
    s->shelf.Lock();
    while (s->stock == 0) s->stocked.Wait();
    s->stock--;
    s->shelf.Unlock();
  }
  done.send(0);
}

// Both wait for both parts of each round.
void rounds(Shared* s, chan<int> done) {
  for (int i = 0; i < kRounds; i++) {
    s->group.Add(2);
    for (int j = 0; j < 2; j++)
      go([s] {
        s->parts++;
        s->group.Done();
      });
    go([s, i, done] {
      s->group.Wait();
      if (s->parts < 2 * (i + 1)) panic("a part was not waited for");
      done.send(0);
    });
    s->group.Wait();
    if (s->parts != 2 * (i + 1)) panic("a part was not waited for");
    done.recv();
  }
}

void gives(Shared* s, int which, chan<int> done) {
  for (int i = 0; i < kRounds; i++) {
    s->units++;
    runtime::semrelease(&s->semas[which]);
  }
  done.send(0);
}

void takes(Shared* s, int which, chan<int> done) {
  for (int i = 0; i < kRounds; i++) {
    runtime::semacquire(&s->semas[which]);
    if (s->units-- <= 0) panic("a unit was handed on that nobody has given");
  }
  done.send(0);
}

}  // namespace

int main(int argc, char** argv) {
  return gort::Main(argc, argv, [] {
    auto* s = make<Shared>();
    auto done = make_chan<int>(32);
    int n = 0;
    for (int i = 0; i < kReaders; i++, n++) go(reader, s, done);
    for (int i = 0; i < kWriters; i++, n++) go(writer, s, done);
    for (int i = 0; i < 4; i++, n++) go(enters, s, i == 0 ? 2 : 0, done);
    for (int i = 0; i < 3; i++, n += 2) {
      go(fetches, s, done);
      go(stocks, s, done);
    }
    for (int i = 0; i < Shared::kSemas; i++, n += 2) {
      go(takes, s, i, done);
      go(gives, s, i, done);
    }
    rounds(s, make_chan<int>());
    for (int i = 0; i < n; i++) done.recv();
    if (s->written != kWriters * kRounds) panic("a write was lost");
    if (s->entered != 4 * kRounds) panic("an entry was lost");
    if (s->stock != 0) panic("a thing was lost");
    if (s->units != 0) panic("a unit was lost");
  });
}
