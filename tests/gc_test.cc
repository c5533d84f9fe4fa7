// The collector as programs see it: what GC, SetGCPercent, ReadMemStats and GODEBUG=gctrace=1 promise.
// Behaviours of Go's runtime/gc_test.go; names are those of Go's tests where there is one.
#include <regex>
#include <sstream>

#include "runtime/mbitmap.h"
#include "runtime/mgc.h"
#include "runtime/mwbbuf.h"
#include "runtime/proc.h"
#include "tests/harness.h"

using namespace gort;
using namespace gort::test;

namespace {

namespace rt = gort::runtime;

struct Node {
  ptr<Node> next;
  std::int64_t pad[6] = {};
};

rt::MemStats* stats() {
  auto* m = make<rt::MemStats>();
  rt::ReadMemStats(m);
  return m;
}

[[gnu::noinline]] void makeList(int n, ptr<Node>* head) {
  for (int i = 0; i < n; i++) {
    Node* x = make<Node>();
    x->next = *head;
    *head = x;
  }
}

ptr<Node> kept;

// Not inlined: what its frame held is gone with it.
[[gnu::noinline]] int countKept() {
  int n = 0;
  for (Node* x = kept; x != nullptr; x = x->next) n++;
  return n;
}

// Overwrites what calls have left below.
[[gnu::noinline]] void clearStack() {
  volatile char frame[32 << 10];
  for (std::size_t i = 0; i < sizeof frame; i++) frame[i] = 0;
}

}  // namespace

GORT_TEST("GC frees what is not reachable and keeps what is") {
  rt::GC();
  std::uint64_t floor = stats()->HeapAlloc;
  makeList(20000, &kept);
  std::uint64_t full = stats()->HeapAlloc;
  CHECK_GO(full >= floor + 20000 * sizeof(Node));
  rt::GC();
  CHECK_GO(stats()->HeapAlloc >= floor + 20000 * sizeof(Node));
  CHECK_GO(countKept() == 20000);
  kept = nullptr;
  clearStack();
  rt::GC();
  // Words left on stacks may keep a node, and a node everything behind it; the head's are gone.
  CHECK_GO(stats()->HeapAlloc < floor + 20000 * sizeof(Node) / 10);
}

GORT_TEST("each GC is a cycle, and is over when it returns") {
  for (int i = 0; i < 5; i++) {
    std::uint32_t before = stats()->NumGC;
    rt::GC();
    rt::MemStats* m = stats();
    CHECK_GO(m->NumGC >= before + 1);
    CHECK_GO(m->NumForcedGC >= 1);
    CHECK_GO(rt::isSweepDone() || m->NumGC > before + 1);
    CHECK_GO(m->PauseNs[(m->NumGC + 255) % 256] > 0);
  }
}

GORT_TEST("many goroutines ask for GC at once") {
  auto done = make_chan<bool>();
  for (int i = 0; i < 8; i++)
    go([=] {
      for (int k = 0; k < 5; k++) {
        rt::GC();
        (void)make<Node>();
      }
      done.send(true);
    });
  for (int i = 0; i < 8; i++) done.recv();
}

// GcSys: garbage in a loop does not make the process larger.
GORT_TEST("GcSys: the heap stays small while garbage is made") {
  rt::GC();
  std::uint64_t sys = stats()->Sys;
  for (int i = 0; i < 300000; i++) (void)make<Node>();
  CHECK_GO(stats()->Sys < sys + (48 << 20));
  CHECK_GO(stats()->NumGC >= 2);
}

GORT_TEST("GOGC: the heap grows by that much between two cycles") {
  makeList(200000, &kept);  // about 13 MB
  rt::GC();
  rt::MemStats* m = stats();
  double live = static_cast<double>(m->HeapAlloc);
  // The goal is twice what was marked, with stacks and globals counted.
  CHECK_GO(static_cast<double>(m->NextGC) > 1.7 * live);
  CHECK_GO(static_cast<double>(m->NextGC) < 2.5 * live + (48 << 20));
  CHECK_GO(rt::debug::SetGCPercent(300) == 100);
  CHECK_GO(static_cast<double>(stats()->NextGC) > 3 * live);
  CHECK_GO(rt::debug::SetGCPercent(100) == 300);
}

GORT_TEST("GOGC=off: only who asks collects", Env{{"GOGC", "off"}}) {
  for (int i = 0; i < 200000; i++) (void)make<Node>();
  CHECK_GO(stats()->NumGC == 0);
  rt::GC();
  CHECK_GO(stats()->NumGC == 1);
  CHECK_GO(rt::debug::SetGCPercent(100) == -1);
}

// HugeGCInfo, PeriodicGC: a cycle by time.
GORT_TEST("PeriodicGC: a cycle comes when none has been for long") {
  rt::GC();
  std::uint32_t before = stats()->NumGC;
  rt::forcegcperiod.Store(0);
  // sysmon looks every 10 ms at the latest while something runs.
  while (stats()->NumGC < before + 2) runtime::Gosched();
}

GORT_TEST("GcDeepNesting, LinkedList: long chains do not need long stacks") {
  makeList(100000, &kept);
  rt::GC();
  CHECK_GO(countKept() == 100000);
}

GORT_TEST("GcArraySlice: windows on arrays that nobody else has") {
  struct X {
    slice<int> next;
    ptr<X> prev;
  };
  X* last = nullptr;
  for (int i = 0; i < 500; i++) {
    slice<int> array = make_slice<int>(8);
    array[5] = i;
    X* x = make<X>(array.sub(5, 6), last);
    last = x;
    if (i % 100 == 0) rt::GC();
  }
  int i = 499;
  for (X* x = last; x != nullptr; x = x->prev) CHECK_GO(x->next[0] == i--);
}

GORT_TEST("GcRescan: channels of large elements, of pointers and of nothing") {
  struct X {
    chan<int> c;
    slice<ptr<Node>> nodes;
    ptr<X> next;
  };
  X* p = nullptr;
  for (int i = 0; i < 100; i++) {
    X* q = make<X>();
    q->c = make_chan<int>(4);
    q->nodes = make_slice<ptr<Node>>(3);
    q->nodes[1] = make<Node>();
    q->next = p;
    p = q;
    q->c.send(42);
    if (i % 10 == 0) rt::GC();
  }
  for (X* q = p; q != nullptr; q = q->next) CHECK_GO(q->c.recv() == 42 && q->nodes[1] != nullptr);
}

// The mark phase ends although goroutines allocate and write all the time.
GORT_TEST("marking ends under load") {
  auto* stop = make<std::atomic<bool>>(false);
  auto done = make_chan<bool>();
  for (int w = 0; w < 4; w++)
    go([=] {
      Node* ring = make<Node>();
      ring->next = ring;
      while (!stop->load()) {
        Node* n = make<Node>();
        n->next = ring->next;
        ring->next = n;
        for (int i = 0; i < 100; i++) ring->next = ring->next->next;
        if (ring->next.get() == ring) ring->next = ring;
      }
      done.send(true);
    });
  for (int i = 0; i < 10; i++) rt::GC();
  stop->store(true);
  for (int w = 0; w < 4; w++) done.recv();
}

GORT_TEST("GOMAXPROCS changes while the collector works") {
  auto done = make_chan<bool>();
  go([=] {
    for (int i = 0; i < 30; i++) rt::GC();
    done.send(true);
  });
  for (int i = 0; i < 30; i++) {
    rt::GOMAXPROCS(i % 4 + 1);
    makeList(100, &kept);
    kept = nullptr;
  }
  done.recv();
}

// A node, what it points to, and what it shall point to: nothing leads to them, as their addresses are
// kept inverted.
struct Hidden {
  std::uint64_t node, before, after;
  static std::uint64_t hide(const void* p) { return ~reinterpret_cast<std::uint64_t>(p); }
  static Node* show(std::uint64_t hidden) { return reinterpret_cast<Node*>(~hidden); }
};

[[gnu::noinline]] Hidden hiddenNodes() {
  Node* node = make<Node>();
  node->next = make<Node>();
  return {Hidden::hide(node), Hidden::hide(node->next), Hidden::hide(make<Node>())};
}

bool marked(std::uint64_t hidden) {
  const rt::objectRef object = rt::findObject(~hidden);
  return object.s->markBitsForIndex(object.objIndex).isMarked();
}

// What the collector knows of both pointers after node.next = after, while it marks. True if it marked
// all the time and knew neither before.
bool writeWhileMarking(const Hidden& h, bool* before, bool* after) {
  if (rt::gcphase != rt::_GCmark || marked(h.before) || marked(h.after)) return false;
  Hidden::show(h.node)->next = Hidden::show(h.after);
  bool marking = false;
  rt::systemstack([&] {
    rt::wbBufFlush1(rt::getg()->m->p);
    marking = rt::gcphase == rt::_GCmark;
    *before = marked(h.before);
    *after = marked(h.after);
  });
  return marking;
}

// The deletion half and the insertion half of the hybrid barrier.
GORT_TEST("a pointer write while marking tells of the old pointer and of the new one",
          Env{{"GOGC", "off"}}) {
  makeList(runtime::raceenabled ? 5000 : 50000, &kept);
  int seen = 0;
  for (int round = 0; round < 30 || (seen == 0 && round < 3000); round++) {
    const Hidden h = hiddenNodes();
    clearStack();
    auto done = make_chan<bool>(1);
    go([=] {
      rt::GC();
      done.send(true);
    });
    while (rt::gcphase == rt::_GCoff && len(done) == 0) runtime::Gosched();
    bool before = false, after = false;
    if (writeWhileMarking(h, &before, &after)) {
      CHECK_GO(before);
      CHECK_GO(after);
      seen++;
    }
    done.recv();
  }
  CHECK_GO(seen > 0);
}

GORT_TEST("stacks are shrunk by the collector") {
  struct Deep {
    static int down(int n) {
      volatile char frame[500];
      frame[0] = static_cast<char>(n);
      return n == 0 ? 0 : down(n - 1) + frame[0] - frame[0];
    }
  };
#if GORT_TSAN
  constexpr int kN = 20, kDepth = 12000;  // stacks begin at 256 KiB there
#else
  constexpr int kN = 100, kDepth = 100;
#endif
  auto parked = make_chan<bool>();
  auto resume = make_chan<bool>();
  for (int i = 0; i < kN; i++)
    go([=] {
      Deep::down(kDepth);
      parked.send(true);
      resume.recv();
      Deep::down(kDepth);
      parked.send(true);
    });
  for (int i = 0; i < kN; i++) parked.recv();
  std::uint64_t before = stats()->StackInuse;
  for (int i = 0; i < 6; i++) rt::GC();
  CHECK_GO(stats()->StackInuse < before);
  resume.close();
  for (int i = 0; i < kN; i++) parked.recv();
}

TEST_CASE("GODEBUG=gctrace=1 prints Go's line") {
  for (const char* procs : {"1", "2", "4"}) {
    Result r = run_go(
        [] {
          for (int i = 0; i < 100000; i++) (void)make<Node>();
          // The line of a cycle is printed by who ended it, perhaps after GC has returned, but before
          // the next cycle begins.
          for (int i = 0; i < 3; i++) rt::GC();
        },
        {{"GODEBUG", "gctrace=1"}, {"GOMAXPROCS", procs}});
    INFO(r.str());
    CHECK(r.status == 0);
    // A line that is being printed when the process ends has no end.
    std::istringstream in(r.err.substr(0, r.err.rfind('\n') + 1));
    const std::string ms = "[0-9.]+";
    const std::regex line(
        "gc [0-9]+ @[0-9]+\\.[0-9]{3}s [0-9]+%: " + ms + "\\+" + ms + "\\+" + ms + " ms clock, " +
        ms + "\\+" + ms + "/" + ms + "/" + ms + "\\+" + ms +
        " ms cpu, [0-9]+->([0-9]+)->[0-9]+ MB, ([0-9]+) MB goal, [0-9]+ MB stacks, "
        "[0-9]+ MB globals, " +
        std::string(procs) + " P( \\(forced\\))?");
    int n = 0;
    bool forced = false;
    for (std::string l; std::getline(in, l); n++) {
      CAPTURE(l);
      std::smatch m;
      REQUIRE(std::regex_match(l, m, line));
      // Assists keep the heap near its goal while it is marked, in the first cycle too.
      CHECK(std::stoi(m[1]) <= 2 * std::stoi(m[2]) + 1);
      forced |= l.find("(forced)") != std::string::npos;
    }
    CHECK(n >= 2);
    CHECK(forced);
  }
}
