// The page heap (mheap.cc), random numbers, atomic cells.
#include <cmath>
#include <vector>

#include "runtime/atomic.h"
#include "runtime/malloc.h"
#include "runtime/proc.h"
#include "tests/harness.h"

using namespace gort;
using namespace gort::test;

namespace {

namespace rt = gort::runtime;

// Allocation takes a lock that growing a stack takes too: both on g0, as in the runtime.
rt::mspan* alloc(rt::uintptr npages) {
  rt::mspan* s = nullptr;
  rt::systemstack([&] { s = rt::mheap_.allocManual(npages); });
  return s;
}
void release(rt::mspan* s) {
  rt::systemstack([&] { rt::mheap_.freeManual(s); });
}

struct Block {
  rt::mspan* s;
  rt::uintptr base, npages, tag;
};

rt::uintptr* firstWord(const Block& b) { return reinterpret_cast<rt::uintptr*>(b.base); }
rt::uintptr* lastWord(const Block& b) {
  return reinterpret_cast<rt::uintptr*>(b.base + b.npages * rt::_PageSize) - 1;
}

// The rule that a free span breaks, null if there is no such span. The heap's lock must be held.
const char* brokenFreeSpan() {
  rt::mheap& h = rt::mheap_;
  for (rt::uintptr i = 0; i < h.allspans.len; i++) {
    rt::mspan* s = h.allspans.ptr[i];
    if (!s->onFreeList) continue;
    if (s->state.Load() != rt::mSpanDead) return "free and in use";
    rt::uintptr end = s->base() + s->npages * rt::_PageSize;
    if (rt::spanOf(s->base()) != s || rt::spanOf(end - 1) != s) return "ends not mapped";
    rt::mspan* before = rt::spanOf(s->base() - 1);
    rt::mspan* after = rt::spanOf(end);
    if (before != nullptr && before->onFreeList) return "touches the free span before";
    if (after != nullptr && after->onFreeList) return "touches the free span behind";
    rt::mspan* listed = h.freeList(s)->first;
    while (listed != nullptr && listed != s) listed = listed->next;
    if (listed == nullptr) return "not on its list";
  }
  return nullptr;
}

constexpr rt::uintptr kMaxLive = 900;  // pages

// One step of random use; live is the number of pages in use.
void step(std::vector<Block>* blocks, rt::uintptr* live, rt::uintptr tag) {
  if (rt::fastrandn(2) == 0 && !blocks->empty()) {
    std::size_t k = rt::fastrandn(static_cast<std::uint32_t>(blocks->size()));
    Block b = (*blocks)[k];
    CHECK_GO(*firstWord(b) == b.tag && *lastWord(b) == b.tag);  // nobody else wrote there
    for (rt::uintptr i = 0; i < b.npages; i++)
      CHECK_GO(rt::spanOf(b.base + i * rt::_PageSize + 8) == b.s);
    *live -= b.npages;
    release(b.s);
    (*blocks)[k] = blocks->back();
    blocks->pop_back();
    return;
  }
  rt::uintptr n = 1 + rt::fastrandn(rt::fastrandn(4) == 0 ? 150 : 12);
  if (*live + n > kMaxLive) return;
  rt::mspan* s = alloc(n);
  CHECK_GO(s != nullptr && s->npages == n && s->base() % rt::_PageSize == 0);
  CHECK_GO(s->state.Load() == rt::mSpanManual);
  Block b{s, s->base(), n, tag};
  for (const Block& o : *blocks)
    CHECK_GO(b.base + b.npages * rt::_PageSize <= o.base ||
             o.base + o.npages * rt::_PageSize <= b.base);
  *firstWord(b) = *lastWord(b) = tag;
  *live += n;
  blocks->push_back(b);
}

}  // namespace

// Any order of allocating and freeing gives each page to one owner at a time, and free neighbours are
// joined.
GORT_TEST("random use of the page heap") {
  std::vector<Block> blocks;
  rt::uintptr live = 0;
  for (rt::uintptr i = 1; i <= 3000; i++) step(&blocks, &live, i);
  while (!blocks.empty()) {
    release(blocks.back().s);
    blocks.pop_back();
  }
  const char* broken = nullptr;
  rt::systemstack([&] {
    rt::lock(&rt::mheap_.lock);
    broken = brokenFreeSpan();
    rt::unlock(&rt::mheap_.lock);
  });
  if (broken != nullptr) print(broken, "\n");
  CHECK_GO(broken == nullptr);
}

GORT_TEST("the page heap in parallel") {
  auto done = make_chan<bool>();
  for (rt::uintptr g = 1; g <= 4; g++)
    go([=] {
      std::vector<Block> blocks;
      rt::uintptr live = 0;
      for (rt::uintptr i = 1; i <= 300; i++) step(&blocks, &live, g << 32 | i);
      for (const Block& b : blocks) CHECK_GO(*firstWord(b) == b.tag && *lastWord(b) == b.tag);
      for (const Block& b : blocks) release(b.s);
      done.send(true);
    });
  for (int g = 0; g < 4; g++) done.recv();
}

GORT_TEST("addresses outside the heap have no span") {
  static int global;
  CHECK_GO(rt::spanOf(reinterpret_cast<rt::uintptr>(&global)) == nullptr);
  CHECK_GO(rt::spanOf(0) == nullptr);
  CHECK_GO(rt::spanOf(~rt::uintptr(0)) == nullptr);
}

GORT_TEST("mallocgc: zero, aligned, apart") {
  struct Piece {
    unsigned char* p;
    rt::uintptr n;
  };
  std::vector<Piece> pieces;
  for (rt::uintptr n = 1; n < 3000; n += 1 + n / 16) {
    auto* p = static_cast<unsigned char*>(rt::mallocgc(n, nullptr));
    rt::uintptr align = n & -n;  // the largest power of two in n
    CHECK_GO(reinterpret_cast<rt::uintptr>(p) % (align < 16 ? align : 16) == 0);
    for (rt::uintptr i = 0; i < n; i++) CHECK_GO(p[i] == 0);
    for (rt::uintptr i = 0; i < n; i++) p[i] = static_cast<unsigned char>(n);
    pieces.push_back({p, n});
  }
  for (auto [p, n] : pieces)
    for (rt::uintptr i = 0; i < n; i++) CHECK_GO(p[i] == static_cast<unsigned char>(n));
}

// ---- random numbers ----

// fastrandn is in range and even. Pearson's statistic of an even generator has a chi-square
// distribution with k = n-1 degrees of freedom and exceeds k + 2*sqrt(k*t) + 2t with a probability
// below exp(-t) (Laurent and Massart); t = 40 is once in 10^17.
GORT_TEST("fastrandn is even") {
  for (std::uint32_t n : {2u, 3u, 7u, 10u, 64u, 1000u}) {
    const std::uint32_t draws = 50 * n + 20000;
    std::vector<std::uint32_t> count(n);
    for (std::uint32_t i = 0; i < draws; i++) {
      std::uint32_t v = rt::fastrandn(n);
      CHECK_GO(v < n);
      count[v]++;
    }
    double expected = static_cast<double>(draws) / n, chi = 0;
    for (std::uint32_t c : count) chi += (c - expected) * (c - expected) / expected;
    const double k = n - 1, t = 40;
    CHECK_GO(chi < k + 2 * std::sqrt(k * t) + 2 * t);
  }
  CHECK_GO(rt::fastrandn(1) == 0);
}

GORT_TEST("every bit of fastrand64 moves, and Ms differ") {
  std::uint64_t ones = 0, zeros = 0;
  for (int i = 0; i < 100; i++) {
    std::uint64_t v = rt::fastrand64();
    ones |= v;
    zeros |= ~v;
  }
  CHECK_GO(ones == ~std::uint64_t(0));
  CHECK_GO(zeros == ~std::uint64_t(0));
  auto c = make_chan<std::uint64_t>();
  go([=] {
    runtime::LockOSThread();  // so that the two are on two threads
    c.send(rt::fastrand64());
  });
  runtime::LockOSThread();
  CHECK_GO(c.recv() != rt::fastrand64());
}

// ---- atomic.h ----

TEST_CASE("results of atomic operations") {
  rt::atomic::Uint32 u(5);
  CHECK(u.Add(3) == 8);  // the new value
  CHECK(u.Add(~std::uint32_t(0)) == 7);
  CHECK(u.AddRelaxed(1) == 8);
  CHECK(u.Swap(12) == 8);  // the old one
  CHECK(u.And(6) == 4);
  CHECK(u.Or(3) == 7);
  CHECK(u.CompareAndSwap(7, 9));
  CHECK(!u.CompareAndSwap(7, 10));
  CHECK(!u.CasRel(7, 10));
  CHECK(u.CasRel(9, 11));
  CHECK(u.Load() == 11);
  u.StoreRel(1);
  CHECK(u.LoadAcq() == 1);
  u.StoreRelaxed(2);
  CHECK(u.LoadRelaxed() == 2);
  CHECK(*u.addr() == 2);

  rt::atomic::Int64 i(-1);
  CHECK(i.Add(1) == 0);
  CHECK(i.Add(INT64_MIN) == INT64_MIN);
  rt::atomic::Bool flag;
  CHECK(!flag.Load());
  CHECK(!flag.Swap(true));
  CHECK(flag.Load());

  rt::atomic::Racy<int> r = 4;
  CHECK(r++ == 4);
  CHECK(r-- == 5);
  r += 10;
  r -= 3;
  CHECK(r == 11);
  rt::atomic::Racy<int> copy;
  copy = r;
  CHECK(copy == 11);
}

GORT_TEST("atomic sums and bits from many goroutines") {
  struct State {
    rt::atomic::Uint64 sum, bits;
    rt::atomic::Uint32 cas;
  };
  auto* s = make<State>();
  s->bits.Store(~std::uint64_t(0) << 32);
  auto done = make_chan<bool>();
  constexpr int goroutines = 8, n = 500;
  for (int g = 0; g < goroutines; g++)
    go([=] {
      for (int i = 0; i < n; i++) {
        s->sum.Add(2);
        for (;;) {
          std::uint32_t v = s->cas.Load();
          if (s->cas.CompareAndSwap(v, v + 1)) break;
        }
      }
      s->bits.Or(std::uint64_t(1) << g);
      s->bits.And(~(std::uint64_t(1) << (32 + g)));
      done.send(true);
    });
  for (int g = 0; g < goroutines; g++) done.recv();
  CHECK_GO(s->sum.Load() == 2 * goroutines * n);
  CHECK_GO(s->cas.Load() == goroutines * n);
  CHECK_GO(s->bits.Load() == 0xffffff00000000ff);
}
