// sync::Pool and the queues inside it. Behaviours of Go's sync/pool_test.go; names are those of Go's
// tests. The collector's part is called by hand: poolCleanup with the world stopped.
#include <array>
#include <atomic>

#include "runtime/proc.h"
#include "tests/harness.h"

using namespace gort;
using namespace gort::test;

namespace {

namespace rt = gort::runtime;

int objects[4];
int* const a = &objects[0];
int* const b = &objects[1];
int* const c = &objects[2];

// What a collection does to pools.
void collect() {
  rt::stopTheWorld(rt::stwGCMarkTerm);
  sync::poolCleanup();
  rt::startTheWorld();
}

constexpr int kPoppers = 9;
constexpr int kElements = 3000;
std::array<std::atomic<int>, kElements> have;
std::atomic<bool> stop{false};

// Elements are numbers + 1, for null means empty.
void* element(int i) { return reinterpret_cast<void*>(static_cast<std::uintptr_t>(i) + 1); }
void record(void* p) {
  auto i = static_cast<int>(reinterpret_cast<std::uintptr_t>(p) - 1);
  have[static_cast<std::size_t>(i)].fetch_add(1);
  if (i == kElements - 1) stop.store(true);
}

bool push(sync::poolDequeue* d, void* p) { return d->pushHead(p); }
bool push(sync::poolChain* d, void* p) {
  d->pushHead(p);
  return true;
}

// One producer at the head, many consumers at the tail: every element comes out once.
template <class D>
void testPoolDequeue(D* d) {
  auto* wg = make<sync::WaitGroup>();
  wg->Add(kPoppers + 1);
  for (int i = 0; i < kPoppers; i++)
    go([=] {
      for (int fail = 0; !stop.load();) {
        if (void* p = d->popTail()) {
          fail = 0;
          record(p);
        } else if (++fail % 100 == 0) {
          runtime::Gosched();
        }
      }
      wg->Done();
    });
  go([=] {
    for (int j = 0; j < kElements; j++) {
      while (!push(d, element(j))) runtime::Gosched();
      if (j % 10 == 0)
        if (void* p = d->popHead()) record(p);
    }
    wg->Done();
  });
  wg->Wait();
  for (auto& n : have) CHECK_GO(n.load() == 1);
  CHECK_GO(d->popTail() == nullptr);
}

}  // namespace

GORT_TEST("TestPool") {
  static sync::Pool<int> p;
  CHECK_GO(p.Get() == nullptr);

  rt::procPin();
  p.Put(a);
  p.Put(b);
  CHECK_GO(p.Get() == a);
  CHECK_GO(p.Get() == b);
  CHECK_GO(p.Get() == nullptr);
  rt::procUnpin();

  p.Put(nullptr);
  CHECK_GO(p.Get() == nullptr);

  for (int i = 0; i < 100; i++) p.Put(c);
  collect();
  CHECK_GO(p.Get() == c);  // a victim
  collect();
  CHECK_GO(p.Get() == nullptr);
}

GORT_TEST("TestPoolNew") {
  static int numbers[8];
  static int made = 0;
  static sync::Pool<int> p{[] {
    numbers[made] = made + 1;
    return &numbers[made++];
  }};
  CHECK_GO(*p.Get() == 1);
  CHECK_GO(*p.Get() == 2);
  static int fortyTwo = 42;
  rt::procPin();
  p.Put(&fortyTwo);
  CHECK_GO(*p.Get() == 42);
  rt::procUnpin();
  CHECK_GO(*p.Get() == 3);
}

// What one P put in, another one finds.
GORT_TEST("Get steals from other Ps") {
  static sync::Pool<int> p;
  rt::LockOSThread();
  constexpr int n = 20;
  for (int i = 0; i < n; i++) p.Put(a);
  auto got = make_chan<int>();
  go([=] {
    int k = 0;
    while (p.Get() != nullptr) k++;
    got.send(k);
  });
  // All but what lies in another P's private slot, of which there is one for each P at most.
  int k = got.recv();
  CHECK_GO(k >= n - runtime::GOMAXPROCS(0));
  CHECK_GO(k <= n);
  rt::UnlockOSThread();
}

// An object is with one goroutine at a time, and what was written to it before Put is seen after
// Get: the plain counters show both to TSan.
GORT_TEST("TestPoolStress") {
  static sync::Pool<long> p;
  constexpr int P = 10, N = 500;
  static long storage[P];
  auto done = make_chan<bool>();
  for (int i = 0; i < P; i++)
    go([=] {
      long* v = &storage[i];
      for (int j = 0; j < N; j++) {
        if (v != nullptr) {
          ++*v;
          p.Put(v);
        }
        v = p.Get();
      }
      if (v != nullptr) p.Put(v);
      done.send(true);
    });
  for (int i = 0; i < P; i++) done.recv();
  long sum = 0;
  for (long v : storage) sum += v;
  CHECK_GO(sum > 0);
  CHECK_GO(sum <= P * N);
}

GORT_TEST("GOMAXPROCS changes under a Pool") {
  static sync::Pool<int> p{[] { return a; }};
  auto done = make_chan<bool>();
  for (int i = 0; i < 4; i++)
    go([=] {
      for (int j = 0; j < 200; j++) p.Put(p.Get());
      done.send(true);
    });
  for (int i = 0; i < 20; i++) {
    runtime::GOMAXPROCS(1 + i % 6);
    if (i % 5 == 0) collect();
  }
  for (int i = 0; i < 4; i++) done.recv();
  CHECK_GO(p.Get() == a);
}

GORT_TEST("TestPoolDequeue") {
  constexpr std::uint32_t n = 16;
  auto* d = make<sync::poolDequeue>();
  d->size = n;
  d->vals = make_slice<rt::atomic::Pointer<void>>(n).data();
  testPoolDequeue(d);
}

// A full ring refuses, and its indices wrap around: 32 bits of head and tail from just below.
GORT_TEST("a ring wraps around") {
  constexpr std::uint32_t n = 4;
  auto* d = make<sync::poolDequeue>();
  d->size = n;
  d->vals = make_slice<rt::atomic::Pointer<void>>(n).data();
  constexpr std::uint64_t last = 0xffffffff;
  d->headTail.Store(last << 32 | last);
  for (int round = 0; round < 3; round++) {
    for (std::uint32_t i = 0; i < n; i++) CHECK_GO(d->pushHead(element(static_cast<int>(i))));
    CHECK_GO(!d->pushHead(element(9)));
    CHECK_GO(d->popHead() == element(3));
    CHECK_GO(d->popTail() == element(0));
    CHECK_GO(d->popTail() == element(1));
    CHECK_GO(d->popHead() == element(2));
    CHECK_GO(d->popHead() == nullptr);
    CHECK_GO(d->popTail() == nullptr);
  }
}

GORT_TEST("TestPoolChain") { testPoolDequeue(make<sync::poolChain>()); }

TEST_CASE("a Pool in a movable stack is refused") {
  Result r = run_go([] {
    sync::Pool<int> local;
    local.Put(a);
  });
  CHECK(r.status == 2);
  CHECK_MESSAGE(r.has("fatal error: sync: "), r.str());
  CHECK_MESSAGE(r.has("stack"), r.str());
}
