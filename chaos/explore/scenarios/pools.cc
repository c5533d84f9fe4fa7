// Goroutines give things to a Pool and take things out, their own and those of other Ps, while collections
// empty it and the number of Ps changes: what was given in comes out once at most, and whole.
#include <atomic>
#include <cstdlib>

#include "runtime/go.h"
#include "runtime/mgc.h"
#include "runtime/sync.h"

using namespace gort;

namespace {

constexpr int kGivers = 2;
constexpr int kTakers = 3;
constexpr int kThings = 10;
constexpr int kStock = 4;
constexpr int kLooks = 200;

struct Thing {
  std::int64_t id = 0;
  std::int64_t again = 0;
  std::atomic<int> taken{0};
};

sync::Pool<Thing> pool;

void check(const Thing* t) {
  if (t != nullptr && (t->id == 0 || t->id != t->again)) panic("a thing was freed early");
}

void take(Thing* t) {
  if (t == nullptr) return;
  if (t->taken++ != 0) panic("a thing has come out of the pool twice");
  if (t->id == 0 || t->id != t->again) panic("a thing is not what was given");
}

void giver(int number, chan<int> done) {
  for (int i = 1; i <= kThings; i++) {
    auto* t = make<Thing>();
    t->id = t->again = 100 * number + i;
    pool.Put(t);
    if (i % 3 == 0) take(pool.Get());
    if (i % 5 == 0) runtime::Gosched();
  }
  done.send(number);
}

void taker(int number, chan<int> done) {
  // Nothing but this stack has them from here on.
  Thing* mine[kThings];
  for (Thing*& t : mine) {
    t = pool.Get();
    take(t);
    runtime::Gosched();
    check(mine[0]);
  }
  for (const Thing* t : mine) check(t);
  done.send(number);
}

// Gives some, and takes out as many while a collection marks: nothing has them then but this stack, which may
// have been looked through.
void exchanger(int number, chan<int> done) {
  for (int i = 1; i <= kStock; i++) {
    auto* t = make<Thing>();
    t->id = t->again = 100 * number + i;
    pool.Put(t);
  }
  for (int i = 0; i < kLooks && runtime::gcphase != runtime::_GCmark; i++) runtime::Gosched();
  Thing* mine[kStock];
  for (Thing*& t : mine) take(t = pool.Get());
  for (int i = 0; i < kLooks && runtime::gcphase != runtime::_GCoff; i++) runtime::Gosched();
  for (int i = 0; i < kStock; i++) runtime::Gosched();  // what was not marked is swept
  for (const Thing* t : mine) check(t);
  done.send(number);
}

}  // namespace

int main(int argc, char** argv) {
  // What is freed is overwritten, and marks are checked.
  setenv("GODEBUG", "clobberfree=1,gccheckmark=1", 0);
  return gort::Main(argc, argv, [] {
    auto done = make_chan<int>(kGivers + kTakers + 2);
    for (int i = 0; i < kGivers; i++) go(giver, i + 1, done);
    for (int i = 0; i < kTakers; i++) go(taker, i, done);
    go(exchanger, kGivers + 1, done);
    go([=] {
      runtime::GC();
      const int procs = runtime::GOMAXPROCS(2);
      runtime::Gosched();
      runtime::GOMAXPROCS(procs);
      runtime::GC();
      done.send(0);
    });
    for (int i = 0; i < kGivers + kTakers + 2; i++) done.recv();
    while (Thing* t = pool.Get()) take(t);
  });
}
