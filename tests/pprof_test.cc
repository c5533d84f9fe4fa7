// The data of profiles: the heap, waits, goroutines, threads, and profiles of programs. What the tool
// reads is tested in pprof_tool_test.cc.
#include <cmath>
#include <string>

#include "tests/crash.h"
#include "tests/pprof_list.h"
#include "tests/pprof_wait.h"

using namespace gort;
using namespace gort::test;
namespace pprof = runtime::pprof;

namespace {

constexpr std::int64_t nodeSize = 1024;  // of its size class

GORT_NOINLINE void makeGarbage(int n) { runtime::KeepAlive(makeList(n)); }

// The sum of the records whose stacks contain the function.
runtime::MemProfileRecord heapOf(std::string_view function) {
  runtime::MemProfileRecord sum;
  auto p =
      fetchProfile<runtime::MemProfileRecord>([](auto& v) { return runtime::MemProfile(v, true); });
  for (const auto& r : p) {
    if (!inStack(r.Stack(), function)) continue;
    sum.AllocBytes += r.AllocBytes;
    sum.AllocObjects += r.AllocObjects;
    sum.FreeBytes += r.FreeBytes;
    sum.FreeObjects += r.FreeObjects;
  }
  return sum;
}

std::string textOf(const char* name, int debug) {
  std::string text;
  auto err = pprof::Lookup(name)->WriteTo(
      [t = &text](const void* p, std::size_t n) {
        t->append(static_cast<const char*>(p), n);
        return true;
      },
      debug);
  CHECK_GO(!err);
  return text;
}

// Waits made by the functions below, one each time, and how long they took.
bounds waited;
std::int64_t began;

void startsToWait() { began = runtime::nanotime(); }
void hasWaited() { waited.most += runtime::nanotime() - began; }
// Called while the goroutine waits; it is woken up afterwards.
void wait() {
  std::int64_t t = runtime::nanotime();
  time::Sleep(5 * time::Millisecond);
  waited.least += runtime::nanotime() - t;
}

chan<int> ch;
sync::Mutex* mu;
sync::WaitGroup* wg;
sync::Cond* cond;

GORT_NOINLINE void receives() {
  startsToWait();
  ch.recv();
  hasWaited();
}
GORT_NOINLINE void sends() {
  startsToWait();
  ch.send(1);
  hasWaited();
}
GORT_NOINLINE void receivesClosed() {
  startsToWait();
  ch.recv_ok();
  hasWaited();
}
GORT_NOINLINE void selects() {
  int v = 0;
  startsToWait();
  select(recv_case(ch, v), recv_case(make_chan<int>(), v));
  hasWaited();
}
GORT_NOINLINE void locks() {
  startsToWait();
  mu->Lock();
  hasWaited();
  mu->Unlock();
}
GORT_NOINLINE void waitsForGroup() {
  startsToWait();
  wg->Wait();
  hasWaited();
}
GORT_NOINLINE void waitsForCond() {
  mu->Lock();
  startsToWait();
  cond->Wait();
  hasWaited();
  mu->Unlock();
}

// Runs waiter, which blocks for the reason, n times, after prepare; wakes it up by wake, and looks for it
// in the block profile.
void checkBlocked(const char* name, runtime::waitReason reason, void (*waiter)(), void (*wake)(),
                  void (*prepare)() = nullptr) {
  constexpr int n = 3;
  waited = {};
  auto done = make_chan<int>();
  for (int i = 0; i < n; i++) {
    if (prepare != nullptr) prepare();
    startBlocked(reason, [waiter, done]() mutable {
      waiter();
      done.send(0);
    });
    wait();
    wake();
    done.recv();
  }
  auto p =
      fetchProfile<runtime::BlockProfileRecord>([](auto& v) { return runtime::BlockProfile(v); });
  waits w = waitsIn(p, name);
  if (w.count != n || !waited.hold(w.ns)) {
    println(name, "count", w.count, "ns", w.ns, "not in", waited.least, waited.most);
    CHECK_GO(false);
  }
}

GORT_NOINLINE void parksHere(chan<int> c) { c.recv(); }
GORT_NOINLINE void parksThere(chan<int> c) { c.recv(); }

}  // namespace

GORT_TEST("every allocation is in the heap profile with MemProfileRate 1") {
  runtime::MemProfileRate = 1;
  ptr<Node> kept = makeList(1000);
  makeGarbage(500);
  runtime::GC();
  runtime::GC();
  auto all = heapOf("main.makeList");
  CHECK_GO(all.AllocObjects == 1500);
  CHECK_GO(all.AllocBytes == 1500 * nodeSize);
  // A word on the stack may keep a list that is garbage, from any of its nodes on.
  auto garbage = heapOf("main.makeGarbage");
  CHECK_GO(garbage.AllocObjects == 500);
  CHECK_GO(garbage.FreeObjects <= 500);
  CHECK_GO(all.InUseObjects() == 1000 + garbage.InUseObjects());
  runtime::KeepAlive(kept);
  kept = nullptr;
  runtime::MemProfileRate = 0;
  makeList(100);
  runtime::GC();
  CHECK_GO(heapOf("main.makeList").AllocObjects == 1500);
}

GORT_TEST("a sampled heap profile is as large as the heap, within the error of sampling") {
  runtime::MemProfileRate = 16 << 10;
  // 16 KiB in a sample, 1 KiB in an object: of 32,000 about 1,940 are sampled, give or take 44.
  for (int i = 0; i < 32; i++) makeGarbage(1000);
  runtime::GC();
  runtime::GC();
  double sampled = static_cast<double>(heapOf("main.makeGarbage").AllocObjects);
  double rate = 1.0 * nodeSize / (16 << 10);
  double expected = 32000 * (1 - std::exp(-rate));
  if (std::abs(sampled - expected) > 6 * std::sqrt(expected)) {
    println("sampled", sampled, "expected", expected);
    CHECK_GO(false);
  }
}

GORT_TEST("large, tiny and pointer-free objects are sampled, and freed") {
  runtime::MemProfileRate = 1;
  for (int i = 0; i < 10; i++) {
    auto large = make_slice<char>(1 << 20);
    runtime::KeepAlive(large);
  }
  for (int i = 0; i < 100; i++) {
    auto* tiny = make<char>('x');
    runtime::KeepAlive(tiny);
  }
  runtime::GC();
  runtime::GC();
  auto p =
      fetchProfile<runtime::MemProfileRecord>([](auto& v) { return runtime::MemProfile(v, true); });
  std::int64_t large = 0, largeFreed = 0, tiny = 0;
  for (const auto& r : p) {
    if (!inStack(r.Stack(), "main.gort_test_fn")) continue;
    if (r.AllocBytes == r.AllocObjects << 20) large += r.AllocObjects, largeFreed += r.FreeObjects;
    if (r.AllocBytes == r.AllocObjects * 16) tiny += r.AllocObjects;
  }
  CHECK_GO(large == 10);
  CHECK_GO(largeFreed >= 9);
  // Sixteen share a block, and one object is sampled for each block.
  CHECK_GO(tiny >= 6);
  CHECK_GO(tiny <= 100);
}

GORT_TEST("waits are in the block profile, as long as they were") {
  ch = make_chan<int>();
  mu = make<sync::Mutex>();
  wg = make<sync::WaitGroup>();
  cond = sync::NewCond(mu);
  runtime::SetBlockProfileRate(1);
  checkBlocked("main.receives", runtime::waitReasonChanReceive, receives, [] { ch.send(1); });
  checkBlocked("main.sends", runtime::waitReasonChanSend, sends, [] { ch.recv(); });
  checkBlocked("main.selects", runtime::waitReasonSelect, selects, [] { ch.send(1); });
  wg->Add(1);
  checkBlocked("main.waitsForGroup", runtime::waitReasonSemacquire, waitsForGroup, [] {
    wg->Done();
    wg = make<sync::WaitGroup>();
    wg->Add(1);
  });
  // Without the lock, which the waiter would have to wait for besides.
  checkBlocked("main.waitsForCond", runtime::waitReasonSyncCondWait, waitsForCond,
               [] { cond->Signal(); });
  checkBlocked(
      "main.locks", runtime::waitReasonSyncMutexLock, locks, [] { mu->Unlock(); },
      [] { mu->Lock(); });
  checkBlocked("main.receivesClosed", runtime::waitReasonChanReceive, receivesClosed, [] {
    ch.close();
    ch = make_chan<int>();
  });
  // Off again: nothing is added.
  runtime::SetBlockProfileRate(0);
  startBlocked(runtime::waitReasonChanReceive, receives);
  ch.send(1);
  auto p =
      fetchProfile<runtime::BlockProfileRecord>([](auto& v) { return runtime::BlockProfile(v); });
  CHECK_GO(waitsIn(p, "main.receives").count == 6);  // with those of receivesClosed
}

GORT_TEST("an unlock is charged with the waits of all who waited") {
  constexpr int n = 4;
  CHECK_GO(runtime::SetMutexProfileFraction(1) == 0);
  CHECK_GO(runtime::SetMutexProfileFraction(-1) == 1);
  mu = make<sync::Mutex>();
  auto done = make_chan<std::int64_t>(n);
  mu->Lock();
  for (int i = 0; i < n; i++)
    startBlocked(runtime::waitReasonSyncMutexLock, [done]() mutable {
      std::int64_t t = runtime::nanotime();
      mu->Lock();
      std::int64_t d = runtime::nanotime() - t;
      mu->Unlock();
      done.send(d);
    });
  std::int64_t t = runtime::nanotime();
  time::Sleep(5 * time::Millisecond);
  bounds b;
  b.least = n * (runtime::nanotime() - t);
  mu->Unlock();
  for (int i = 0; i < n; i++) b.most += done.recv();
  // The sleepers' own waits began before they were seen to wait: the first waited longest.
  b.most *= 2;
  auto p =
      fetchProfile<runtime::BlockProfileRecord>([](auto& v) { return runtime::MutexProfile(v); });
  waits w = waitsIn(p, "sync.(*Mutex).Unlock");
  if (w.count < 1 || w.count > n || !b.hold(w.ns)) {
    println("count", w.count, "ns", w.ns, "not in", b.least, b.most);
    CHECK_GO(false);
  }
  runtime::SetMutexProfileFraction(0);
}

GORT_TEST("all goroutines are in the goroutine profile, each once") {
  auto c = make_chan<int>();
  for (int i = 0; i < 7; i++) go(parksHere, c);
  for (int i = 0; i < 5; i++) go(parksThere, c);
  waitReceivers(c, 12);
  std::vector<runtime::StackRecord> p(100);
  auto r = runtime::GoroutineProfile(p);
  CHECK_GO(r.ok);
  CHECK_GO(r.n == runtime::NumGoroutine());
  CHECK_GO(r.n == 13);
  int here = 0, there = 0, main = 0;
  for (int i = 0; i < r.n; i++) {
    auto stk = p[static_cast<std::size_t>(i)].Stack();
    if (inStack(stk, "main.parksHere")) here++;
    if (inStack(stk, "main.parksThere")) there++;
    if (inStack(stk, "runtime.runtimemain")) main++;
  }
  CHECK_GO(here == 7);
  CHECK_GO(there == 5);
  CHECK_GO(main == 1);
  CHECK_GO(!runtime::GoroutineProfile(std::span(p).first(12)).ok);
  c.close();
}

GORT_TEST("goroutines come and go while profiles are taken") {
  auto stop = make_chan<int>();
  auto done = make_chan<int>();
  for (int i = 0; i < 4; i++)
    go([stop, done]() mutable {
      for (;;) {
        auto c = make_chan<int>();
        go([c]() mutable { c.send(1); });
        c.recv();
        if (select(recv_case(stop), default_case) == 0) break;
      }
      done.send(0);
    });
  for (int i = 0; i < 20; i++) {
    auto p =
        fetchProfile<runtime::StackRecord>([](auto& v) { return runtime::GoroutineProfile(v); });
    CHECK_GO(p.size() >= 5);
    for (auto& r : p) CHECK_GO(!r.Stack().empty());
  }
  stop.close();
  for (int i = 0; i < 4; i++) done.recv();
}

GORT_TEST("labels are inherited, merged, and shown") {
  auto c = make_chan<int>();
  pprof::Do(pprof::Labels("a", "1", "b", "2"), [c] {
    pprof::Do(pprof::Labels("b", "3"), [c] { go(parksHere, c); });
    CHECK_GO(pprof::GoroutineLabels().len() == 2);
  });
  CHECK_GO(pprof::GoroutineLabels().len() == 0);
  waitReceivers(c, 1);
  runtime::GC();  // what keeps the set is the goroutine
  std::string text = textOf("goroutine", 1);
  CHECK_GO(text.find("\n# labels: {\"a\":\"1\", \"b\":\"3\"}\n") != text.npos);
  CHECK_GO(text.find("labels") == text.rfind("labels"));
  c.close();
}

GORT_TEST("the text formats begin as Go's do") {
  auto c = make_chan<int>();
  for (int i = 0; i < 3; i++) go(parksHere, c);
  waitReceivers(c, 3);
  std::string g1 = textOf("goroutine", 1);
  CHECK_GO(g1.starts_with("goroutine profile: total 4\n3 @ 0x"));
  CHECK_GO(g1.find("\tmain.parksHere+0x") != g1.npos);
  std::string g2 = textOf("goroutine", 2);
  CHECK_GO(g2.starts_with("goroutine 1 [running]:\n"));
  CHECK_GO(g2.find("[chan receive]:\nmain.parksHere") != g2.npos);
  std::string heap = textOf("heap", 1);
  CHECK_GO(heap.starts_with("heap profile: "));
  CHECK_GO(heap.find(" @ heap/1048576\n") != heap.npos);
  CHECK_GO(heap.find("\n# runtime.MemStats\n# Alloc = ") != heap.npos);
  CHECK_GO(textOf("block", 1).starts_with("--- contention:\ncycles/second="));
  std::string mutex = textOf("mutex", 1);
  CHECK_GO(mutex.starts_with("--- mutex:\ncycles/second="));
  CHECK_GO(mutex.find("\nsampling period=0\n") != mutex.npos);
  CHECK_GO(textOf("threadcreate", 1).starts_with("threadcreate profile: total "));
  c.close();
}

GORT_TEST("each thread is in the threadcreate profile") {
  auto c = make_chan<int>();
  for (int i = 0; i < 5; i++)
    go([c]() mutable {
      runtime::LockOSThread();
      c.recv();
    });
  waitReceivers(c, 5);
  // Those of the five, and this one's.
  CHECK_GO(runtime::ThreadCreateProfile({}).n >= 6);
  CHECK_GO(pprof::Lookup("threadcreate")->Count() >= 6);
  c.close();
}

GORT_TEST("profiles of programs") {
  auto* p = pprof::NewProfile("connections");
  CHECK_GO(pprof::Lookup("connections") == p);
  CHECK_GO(pprof::Lookup("nothing") == nullptr);
  auto all = pprof::Profiles();
  CHECK_GO(all.len() == 7);
  CHECK_GO(all[2]->Name() == "connections");
  auto* a = make<int>(1);
  auto* b = make<int>(2);
  p->Add(a, 0);
  p->Add(b, 0);
  CHECK_GO(p->Count() == 2);
  CHECK_GO(panicText([&] { p->Add(a, 0); }) == "pprof: Profile.Add of duplicate value");
  p->Remove(a);
  p->Remove(a);
  CHECK_GO(p->Count() == 1);
  std::string text = textOf("connections", 1);
  CHECK_GO(text.starts_with("connections profile: total 1\n1 @ 0x"));
  CHECK_GO(text.find("main.gort_test_fn") != text.npos);
  CHECK_GO(panicText([] { pprof::NewProfile("heap"); }) ==
           "pprof: NewProfile name already in use: heap");
  CHECK_GO(panicText([a] { pprof::Lookup("heap")->Add(a, 0); }) ==
           "pprof: Add called on built-in Profile heap");
}

GORT_TEST("a writer that fails ends the writing") {
  int calls = 0;
  auto full = [n = &calls](const void*, std::size_t) {
    ++*n;
    return false;
  };
  for (auto* p : pprof::Profiles()) {
    calls = 0;
    CHECK_GO(p->WriteTo(full, 0).Error() == "write failed");
    CHECK_GO(calls == 1);
    CHECK_GO(p->WriteTo(full, 1).Error() == "write failed");
  }
  CHECK_GO(pprof::WriteHeapProfile(-1).Error() == "write failed");
}

GORT_TEST("allocation, collection and profiles in parallel") {
  runtime::MemProfileRate = 512;
  runtime::SetBlockProfileRate(1);
  runtime::SetMutexProfileFraction(1);
  auto* group = make<sync::WaitGroup>();
  auto* m = make<sync::Mutex>();
  for (int i = 0; i < 4; i++) {
    group->Add(1);
    go([group, m] {
      for (int k = 0; k < 30; k++) {
        m->Lock();
        makeGarbage(20);
        m->Unlock();
      }
      group->Done();
    });
  }
  for (int i = 0; i < 5; i++) {
    runtime::GC();
    for (auto* p : pprof::Profiles()) {
      CHECK_GO(!p->WriteTo([](const void*, std::size_t) { return true; }, i % 2));
      p->Count();
    }
  }
  group->Wait();
}
