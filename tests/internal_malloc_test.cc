// The allocator (sizeclasses, mspanset, mbitmap, malloc, mheap, mgcscavenge), from inside.
#include <algorithm>
#include <cstring>
#include <vector>

#include "runtime/malloc.h"
#include "runtime/mbitmap.h"
#include "runtime/mgc.h"
#include "runtime/mspanset.h"
#include "runtime/mstats.h"
#include "runtime/proc.h"
#include "tests/crash.h"
#include "tests/harness.h"

using namespace gort;
using namespace gort::test;

namespace {

namespace rt = gort::runtime;
using rt::uintptr;

uintptr addr(const void* p) { return reinterpret_cast<uintptr>(p); }

rt::MemStats* stats() {
  auto* m = make<rt::MemStats>();
  rt::ReadMemStats(m);
  return m;
}

// A descriptor that says where pointers are and nothing else.
rt::_type typeWith(uintptr size, uintptr ptrdata, const std::uint8_t* mask) {
  rt::_type t{};
  t.size = size;
  t.ptrdata = ptrdata;
  t.gcdata = mask;
  t.align = t.fieldAlign = 8;
  t.kind = rt::kindStruct;
  return t;
}

}  // namespace

// ---- sizeclasses.cc ----

TEST_CASE("every size gets the smallest class that holds it") {
  int c = 1;
  for (uintptr size = 1; size <= rt::maxSmallSize; size++) {
    if (size > rt::class_to_size[c]) c++;
    REQUIRE(rt::sizeToClass(size) == c);
    REQUIRE(rt::roundupsize(size) == rt::class_to_size[c]);
  }
  CHECK(c == rt::_NumSizeClasses - 1);
  CHECK(rt::roundupsize(rt::maxSmallSize + 1) == 5 * rt::_PageSize);
  CHECK(rt::roundupsize(~uintptr(0)) == ~uintptr(0));
}

TEST_CASE("division by multiplication is exact for every offset in a span") {
  for (int c = 1; c < rt::_NumSizeClasses; c++) {
    std::uint64_t size = rt::class_to_size[c], bytes = rt::class_to_allocnpages[c] * rt::_PageSize;
    for (std::uint64_t n = 0; n <= bytes; n++)
      REQUIRE(((n * rt::class_to_divmagic[c]) >> 32) == n / size);
    CHECK(bytes % size <= bytes / 8);
  }
}

// ---- malloc.cc ----

GORT_TEST("an object is as aligned as its size") {
  for (uintptr n = 1; n <= 5000; n++) {
    uintptr align = std::min<uintptr>(n & -n, 16);
    CHECK_GO(addr(rt::mallocgc(n, nullptr)) % align == 0);
    if (n % 8 == 0) CHECK_GO(addr(rt::mallocgc(n, rt::typeOf<void*>())) % align == 0);
  }
}

// One-byte objects share blocks of 16 bytes, those with pointers never do.
GORT_TEST("tiny objects share blocks") {
  std::vector<uintptr> at;
  at.reserve(1600);
  rt::m* mp = rt::acquirem();  // so that all come from one cache
  for (int i = 0; i < 1600; i++) at.push_back(addr(rt::mallocgc(1, nullptr)));
  rt::releasem(mp);
  std::vector<uintptr> blocks;
  for (uintptr p : at) {
    CHECK_GO(rt::spanOfHeap(p)->spanclass == rt::tinySpanClass);
    blocks.push_back(p / 16);
  }
  std::sort(at.begin(), at.end());
  CHECK_GO(std::adjacent_find(at.begin(), at.end()) == at.end());
  std::sort(blocks.begin(), blocks.end());
  blocks.erase(std::unique(blocks.begin(), blocks.end()), blocks.end());
  CHECK_GO(blocks.size() <= 102);

  rt::mspan* s = rt::spanOfHeap(addr(rt::mallocgc(8, rt::typeOf<void*>())));
  CHECK_GO(s->elemsize == 8 && !s->spanclass.noscan());
  s = rt::spanOfHeap(addr(rt::mallocgc(16, nullptr)));
  CHECK_GO(s->elemsize == 16 && s->spanclass == rt::tinySpanClass);
  CHECK_GO(addr(rt::mallocgc(0, nullptr)) == addr(rt::mallocgc(0, rt::typeOf<void*>())));
}

GORT_TEST("tiny objects of all sizes do not touch each other") {
  struct Piece {
    unsigned char* p;
    uintptr n;
  };
  std::vector<Piece> pieces;
  for (int i = 0; i < 3000; i++) {
    uintptr n = 1 + rt::fastrandn(15);
    auto* p = static_cast<unsigned char*>(rt::mallocgc(n, nullptr));
    for (uintptr k = 0; k < n; k++) CHECK_GO(p[k] == 0);
    std::memset(p, i & 0xff, n);
    pieces.push_back({p, n});
  }
  for (std::size_t i = 0; i < pieces.size(); i++)
    for (uintptr k = 0; k < pieces[i].n; k++) CHECK_GO(pieces[i].p[k] == (i & 0xff));
}

namespace {

constexpr uintptr kReuseSizes[] = {8, 24, 64, 512, 1024, 4096, 8192, 32768, 40000, 300000};

// Allocates objects of all sizes, sees that they are zero, fills them and forgets them. Their
// addresses are kept as complements, which the collector does not take for addresses.
[[gnu::noinline]] void litter(const rt::_type* typ, std::vector<uintptr>* hidden) {
  for (uintptr n : kReuseSizes) {
    for (uintptr total = 0; total < 600000; total += n + 4000) {
      auto* p = static_cast<unsigned char*>(rt::mallocgc(n, typ));
      for (uintptr i = 0; i < n; i++) CHECK_GO(p[i] == 0);
      std::memset(p, 0x5a, n);
      hidden->push_back(~addr(p));
    }
  }
}

}  // namespace

GORT_TEST("memory that is used again is zero again") {
  rt::setGCPercent(-1);  // so that the second part cannot do with the memory of its own garbage
  for (const rt::_type* typ : {static_cast<const rt::_type*>(nullptr), rt::typeOf<void*>()}) {
    std::vector<uintptr> before, after;
    litter(typ, &before);
    rt::GC();
    rt::GC();
    std::sort(before.begin(), before.end());
    // In 20 rounds all the memory that can be free is used.
    bool again = false;
    for (int i = 0; i < 20 && !again; i++) {
      after.clear();
      litter(typ, &after);
      for (uintptr p : after) again |= std::binary_search(before.begin(), before.end(), p);
    }
    CHECK_GO(again);
  }
}

GORT_TEST("large objects have a span of their own") {
  for (uintptr n : {rt::maxSmallSize + 1, 3 * rt::_PageSize + rt::maxSmallSize, uintptr(1) << 21}) {
    auto* p = static_cast<unsigned char*>(rt::mallocgc(n, rt::typeOf<void*>()));
    rt::mspan* s = rt::spanOfHeap(addr(p));
    CHECK_GO(s != nullptr && s->spanclass.sizeclass() == 0 && s->nelems == 1);
    CHECK_GO(s->base() == addr(p) && s->elemsize == rt::alignUp(n, rt::_PageSize));
    for (uintptr i = 0; i < n; i += 511) CHECK_GO(p[i] == 0);
    for (uintptr i = 0; i < n; i += 511) CHECK_GO(rt::findObject(addr(p) + i).base == addr(p));
  }
}

TEST_CASE("an impossible size is out of memory") {
  crashes([] { rt::mallocgc(uintptr(1) << 47, nullptr); },
          "runtime: out of memory: cannot allocate 140737488355328-byte block (");
  Result r = run_go([] { rt::mallocgc(uintptr(1) << 47, nullptr); });
  CHECK_MESSAGE(r.has(" in use)\nfatal error: out of memory\n"), r.str());
  crashes([] { rt::mallocgc(~uintptr(0), nullptr); }, "fatal error: out of memory");
}

TEST_CASE("allocation inside an allocation or a signal handler") {
  crashes(
      [] {
        rt::acquirem()->mallocing = 1;
        rt::mallocgc(8, nullptr);
      },
      "fatal error: malloc deadlock");
}

// ---- mbitmap.cc ----

GORT_TEST("findObject: interior pointers, and what is no object") {
  for (uintptr n : {uintptr(16), uintptr(48), uintptr(1152), uintptr(9472), uintptr(100000)}) {
    void* p = rt::mallocgc(n, nullptr);
    rt::mspan* s = rt::spanOfHeap(addr(p));
    for (uintptr i = 0; i < n; i += 1 + n / 40) {
      rt::objectRef r = rt::findObject(addr(p) + i);
      CHECK_GO(r.base == addr(p) && r.s == s && r.base == s->base() + r.objIndex * s->elemsize);
    }
    // The address one past an object belongs to the next one, and behind the last to none.
    CHECK_GO(rt::findObject(addr(p) + s->elemsize).base != addr(p));
    CHECK_GO(rt::findObject(s->limit - 1).objIndex == s->nelems - 1);
    if (s->limit < s->base() + s->npages * rt::_PageSize)
      CHECK_GO(rt::findObject(s->limit).base == 0);
  }
  static int global;
  int local = 0;
  for (const void* q : {static_cast<const void*>(&global), static_cast<const void*>(&local)})
    CHECK_GO(rt::findObject(addr(q)).base == 0);
  CHECK_GO(rt::findObject(0).base == 0);
  CHECK_GO(rt::findObject(~uintptr(0)).base == 0);
}

GORT_TEST("an object counts as free until it is allocated") {
  rt::m* mp = rt::acquirem();
  void* p = rt::mallocgc(2048, nullptr);
  rt::objectRef r = rt::findObject(addr(p));
  CHECK_GO(!r.s->isFree(r.objIndex));
  for (uintptr i = r.s->freeindex; i < r.s->nelems; i++)
    CHECK_GO(r.s->isFree(i) == ((r.s->allocBits[i / 8].Load() & 1 << i % 8) == 0));
  rt::releasem(mp);
}

namespace {

struct Shape {
  uintptr words, ptrwords, count, tail;  // of a value; how many values; bytes that are left over
  std::uint8_t mask[40];
  rt::_type typ;
  bool isPointer(uintptr word) const {
    if (word >= count * words) return false;
    word %= words;
    return word < ptrwords && (mask[word / 8] >> word % 8 & 1) != 0;
  }
};

void randomShape(Shape* sh) {
  sh->words = 1 + rt::fastrandn(rt::fastrandn(3) == 0 ? 300 : 12);
  sh->ptrwords = 1 + rt::fastrandn(static_cast<std::uint32_t>(sh->words));
  for (std::uint8_t& b : sh->mask)
    b = rt::fastrandn(4) == 0 ? 0xff : static_cast<std::uint8_t>(rt::fastrand());
  sh->count = 1 + rt::fastrandn(rt::fastrandn(4) == 0 ? 700 : 9);
  sh->typ = typeWith(sh->words * 8, sh->ptrwords * 8, sh->mask);
}

// The words that heapBits finds in the object at x are those of the shape, and no others up to the
// end of the object's slot.
void checkBits(uintptr x, const Shape& sh) {
  rt::objectRef r = rt::findObject(x);
  CHECK_GO(r.base == x);
  rt::heapBits h = rt::heapBitsForAddr(x, r.s->elemsize);
  for (uintptr w = 0; w < r.s->elemsize / 8; w++)
    if (sh.isPointer(w)) CHECK_GO(h.next() == x + w * 8);
  CHECK_GO(h.next() == 0);
  CHECK_GO(h.next() == 0);
  // From the middle.
  uintptr from = rt::fastrandn(static_cast<std::uint32_t>(r.s->elemsize / 8));
  uintptr to = from + rt::fastrandn(static_cast<std::uint32_t>(r.s->elemsize / 8 - from + 1));
  h = rt::heapBitsForAddr(x + from * 8, (to - from) * 8);
  for (uintptr w = from; w < to; w++)
    if (sh.isPointer(w)) CHECK_GO(h.next() == x + w * 8);
  CHECK_GO(h.next() == 0);
}

}  // namespace

GORT_TEST("pointer bits are the type's, for all kinds of types and lengths") {
  struct Made {
    Shape sh;
    void* p;
  };
  auto* made = new Made[300];
  for (int i = 0; i < 300; i++) {
    randomShape(&made[i].sh);
    made[i].p = rt::mallocgc(made[i].sh.words * 8 * made[i].sh.count, &made[i].sh.typ);
    checkBits(addr(made[i].p), made[i].sh);
  }
  // Setting the bits of one object has left those of its neighbours alone.
  for (int i = 0; i < 300; i++) checkBits(addr(made[i].p), made[i].sh);
  delete[] made;
}

GORT_TEST("types that do not fill words, or have no mask, are all pointers") {
  static const std::uint8_t mask[] = {0x01};
  rt::_type odd = typeWith(12, 8, mask);
  rt::_type prog = typeWith(64, 64, mask);
  prog.kind |= rt::kindGCProg;
  for (rt::_type* t : {&odd, &prog}) {
    for (uintptr n : {uintptr(1), uintptr(5), uintptr(600)}) {
      uintptr bytes = n * t->size;
      uintptr x = addr(rt::mallocgc(bytes, t));
      rt::heapBits h = rt::heapBitsForAddr(x, rt::findObject(x).s->elemsize);
      for (uintptr w = 0; w < bytes / 8; w++) CHECK_GO(h.next() == x + w * 8);
      CHECK_GO(h.next() == 0);
    }
  }
}

// ---- mspanset.cc ----

namespace {

struct SetState {
  rt::spanSet set;
  rt::mspan spans[6000];
  rt::atomic::Uint32 popped[6000];
};

// Pushes its share and pops as much as it can get in between.
void usePart(SetState* st, int part, int parts) {
  for (int i = part; i < 6000; i += parts) {
    rt::systemstack([&] {
      st->set.push(&st->spans[i]);
      if (i % 3 == 0) return;
      if (rt::mspan* s = st->set.pop(); s != nullptr) st->popped[s - st->spans].Add(1);
    });
  }
}

}  // namespace

GORT_TEST("a span set gives each span once") {
  static SetState st;
  rt::lockInit(&st.set.spineLock, rt::lockRankSpanSetSpine);
  for (int round = 0; round < 3; round++) {
    constexpr int parts = 8;
    auto done = make_chan<bool>();
    for (int g = 0; g < parts; g++)
      go([=] {
        usePart(&st, g, parts);
        done.send(true);
      });
    for (int g = 0; g < parts; g++) done.recv();
    CHECK_GO(!st.set.empty());
    rt::systemstack([&] {
      while (rt::mspan* s = st.set.pop()) st.popped[s - st.spans].Add(1);
      st.set.reset();
    });
    CHECK_GO(st.set.empty());
    for (auto& n : st.popped) CHECK_GO(n.Swap(0) == 1);
  }
}

TEST_CASE("a span set that is not empty cannot be reset") {
  crashes(
      [] {
        static SetState st;
        rt::lockInit(&st.set.spineLock, rt::lockRankSpanSetSpine);
        rt::systemstack([&] {
          st.set.push(&st.spans[0]);
          st.set.reset();
        });
      },
      "head = 0, tail = 1\nfatal error: attempt to clear non-empty span set");
}

// ---- mheap.cc ----

// work.spans is read without the lock while other spans are made and mheap_.allspans is replaced.
GORT_TEST("the array of spans that the collector holds outlives the growth of allspans") {
  rt::GC();
  static bool stop;
  static rt::atomic::Bool stopped;
  stopped.Store(false);
  rt::mspan** held = rt::work.spans;
  std::uint32_t n = rt::work.nspan;
  auto done = make_chan<uintptr>();
  go([=] {
    uintptr seen = 0;
    do {
      seen = 0;
      for (std::uint32_t i = 0; i < n; i++) seen += held[i] != nullptr ? 1 : 0;
    } while (!stopped.Load());
    done.send(seen);
  });
  constexpr int extra = 10000;
  auto** made = new rt::mspan*[extra];
  rt::m* mp = rt::acquirem();  // no cycle begins here, so work.spans stays
  rt::systemstack([&] {
    for (int i = 0; i < extra; i++) made[i] = rt::mheap_.allocManual(1);
    rt::lock(&rt::mheap_.lock);
    stop = rt::mheap_.allspans.ptr != held;
    bool same = rt::mheap_.gcspans == held;
    for (std::uint32_t i = 0; i < n; i++) same = same && rt::mheap_.allspans.ptr[i] == held[i];
    rt::unlock(&rt::mheap_.lock);
    stop = stop && same;
    for (int i = 0; i < extra; i++) rt::mheap_.freeManual(made[i]);
  });
  rt::releasem(mp);
  stopped.Store(true);
  CHECK_GO(done.recv() == n);
  CHECK_GO(stop);
  delete[] made;
  rt::GC();
  CHECK_GO(rt::work.spans != held);
}

// ---- mstats.cc ----

namespace {

void checkSums(const rt::MemStats& m) {
  CHECK_GO(m.HeapAlloc == m.Alloc);
  CHECK_GO(m.HeapObjects == m.Mallocs - m.Frees);
  CHECK_GO(m.HeapSys == m.HeapInuse + m.HeapIdle);
  CHECK_GO(m.HeapReleased <= m.HeapIdle);
  CHECK_GO(m.HeapAlloc <= m.HeapInuse);
  CHECK_GO(m.Sys == m.HeapSys + m.StackSys + m.MSpanSys + m.MCacheSys + m.BuckHashSys + m.GCSys +
                        m.OtherSys);
  CHECK_GO(m.MSpanInuse <= m.MSpanSys && m.MCacheInuse <= m.MCacheSys);
  for (int i = 0; i < 61; i++) {
    CHECK_GO(m.BySize[i].Size == rt::class_to_size[i]);
    CHECK_GO(m.BySize[i].Frees <= m.BySize[i].Mallocs);
  }
}

void checkAllocs(const rt::MemStats& a, const rt::MemStats& b, uintptr size, std::uint64_t n) {
  CHECK_GO(b.Mallocs - a.Mallocs >= n);
  CHECK_GO(b.TotalAlloc - a.TotalAlloc >= n * rt::roundupsize(size));
  // Others allocate little meanwhile: the two MemStats and what a goroutine or two may need.
  CHECK_GO(b.Mallocs - a.Mallocs < n + 200);
  CHECK_GO(b.TotalAlloc - a.TotalAlloc < n * rt::roundupsize(size) + 200000);
  if (size > rt::maxSmallSize) return;
  int c = rt::sizeToClass(size);
  CHECK_GO(b.BySize[c].Mallocs - a.BySize[c].Mallocs >= n);
}

}  // namespace

GORT_TEST("ReadMemStats counts what is allocated") {
  for (uintptr size : {uintptr(48), uintptr(1000), uintptr(50000)}) {
    rt::MemStats* a = stats();
    checkSums(*a);
    for (int i = 0; i < 500; i++) rt::mallocgc(size, nullptr);
    rt::MemStats* b = stats();
    checkSums(*b);
    checkAllocs(*a, *b, size, 500);
  }
  // Tiny objects count one by one, and as freed at once.
  rt::MemStats* a = stats();
  for (int i = 0; i < 800; i++) rt::mallocgc(2, nullptr);
  rt::MemStats* b = stats();
  CHECK_GO(b->Mallocs - a->Mallocs >= 800);
  checkSums(*b);
  CHECK_GO(b->TotalAlloc - a->TotalAlloc < 200000);
}

GORT_TEST("counts survive the Ps that made them") {
  int procs = rt::GOMAXPROCS(8);
  rt::MemStats* a = stats();
  auto done = make_chan<bool>();
  for (int g = 0; g < 16; g++)
    go([=] {
      for (int i = 0; i < 100; i++) rt::mallocgc(48, nullptr);
      done.send(true);
    });
  for (int g = 0; g < 16; g++) done.recv();
  rt::GOMAXPROCS(1);
  rt::MemStats* b = stats();
  int c = rt::sizeToClass(48);
  CHECK_GO(b->BySize[c].Mallocs - a->BySize[c].Mallocs >= 1600);
  rt::GOMAXPROCS(procs);
  checkSums(*stats());
}

// ---- mgcscavenge.cc ----

namespace {

// The heap grows by so much and more, and nothing of it stays in use.
[[gnu::noinline]] void makeGarbage(uintptr bytes) {
  std::int32_t percent = rt::setGCPercent(-1);
  for (uintptr n = 0; n < bytes; n += 1 << 20)
    std::memset(rt::mallocgc(1 << 20, nullptr), 1, 1 << 20);
  rt::setGCPercent(percent);
}

}  // namespace

GORT_TEST("free pages are given back, and can be used again") {
  makeGarbage(24 << 20);
  rt::GC();
  rt::GC();
  rt::MemStats* before = stats();
  CHECK_GO(before->HeapIdle > 16 << 20);
  uintptr released = rt::scavenge(~uintptr(0));
  rt::MemStats* after = stats();
  checkSums(*after);
  CHECK_GO(released % rt::_PageSize == 0);
  CHECK_GO(after->HeapReleased > 16 << 20);
  auto* p = static_cast<unsigned char*>(rt::mallocgc(1 << 20, rt::typeOf<void*>()));
  for (uintptr i = 0; i < 1 << 20; i += 64) CHECK_GO(p[i] == 0);
  rt::MemStats* used = stats();
  checkSums(*used);
  CHECK_GO(used->HeapReleased < after->HeapReleased);
}

GORT_TEST("scavenge stops when it has enough") {
  CHECK_GO(rt::scavenge(0) == 0);
  uintptr released = 0;
  while (released == 0) {
    makeGarbage(8 << 20);
    rt::GC();
    rt::GC();
    released = rt::scavenge(1);  // nothing, if the background scavenger was faster
  }
  CHECK_GO(released % rt::_PageSize == 0);
}

// Pages far beyond what the heap needs are given back without being asked.
GORT_TEST("the background scavenger") {
  makeGarbage(24 << 20);
  while (stats()->HeapReleased == 0) {
    rt::GC();
    rt::Gosched();
  }
}
