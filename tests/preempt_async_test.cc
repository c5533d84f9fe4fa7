// Preemption by signals: loops without calls stop for the collector, for GOMAXPROCS and for others;
// what they compute is not disturbed; tracebacks show where they are. Ports TestAsyncPreempt,
// TestPreemptionGC's and TestGCFairness' ideas; what registers hold is preempt_regs_test.cc.
#include <signal.h>
#include <sys/syscall.h>
#include <x86intrin.h>

#include <string>
#include <vector>

#include "tests/preemptstorm.h"

using namespace gort;
using namespace gort::test;

namespace {

using flag = std::atomic<bool>;

// ---- forms of loops, each without a call ----

GORT_NOINLINE void emptyLoop(flag& started, flag& stop) {
  started = true;
  while (!stop.load(std::memory_order_relaxed)) {
  }
}

// A leaf function whose frame is large.
GORT_NOINLINE void bigFrame(flag& started, flag& stop) {
  volatile char frame[2000];
  frame[0] = 1;
  started = true;
  while (!stop.load(std::memory_order_relaxed)) frame[1999] = static_cast<char>(frame[0] + 1);
}

struct counter {
  long n = 0;
  void inClass(flag& started, flag& stop) {
    started = true;
    while (!stop.load(std::memory_order_relaxed)) n++;
  }
};

template <int Step>
GORT_NOINLINE void templateLoop(flag& started, flag& stop) {
  started = true;
  for (volatile long n = 0; !stop.load(std::memory_order_relaxed);) n = n + Step;
}

GORT_NOINLINE void doubles(flag& started, flag& stop) {
  double a[16];
  for (int i = 0; i < 16; i++) a[i] = i;
  started = true;
  while (!stop.load(std::memory_order_relaxed)) {
    for (double& x : a) x = x * 0.5 + 3.0;
    asm volatile("" : "+m"(a));
  }
}

__attribute__((target("avx2"), noinline)) void wide(flag& started, flag& stop) {
  __m256d a = _mm256_set1_pd(1), b = _mm256_set1_pd(0.25);
  started = true;
  while (!stop.load(std::memory_order_relaxed)) {
    a = _mm256_add_pd(_mm256_mul_pd(a, b), b);
    asm volatile("" : "+x"(a));
  }
}

void wideOrDoubles(flag& started, flag& stop) {
  if (__builtin_cpu_supports("avx2"))
    wide(started, stop);
  else
    doubles(started, stop);
}

using loop = void (*)(flag&, flag&);

const std::pair<const char*, loop> loops[] = {
    {"empty", emptyLoop},
    {"big frame", bigFrame},
    {"in-class member", [](flag& a, flag& b) { counter().inClass(a, b); }},
    {"template", templateLoop<3>},
    {"doubles", doubles},
    {"ymm registers", wideOrDoubles},
    {"lambda",
     [](flag& started, flag& stop) {
       started = true;
       while (!stop.load(std::memory_order_relaxed)) {
       }
     }},
};

// Starts f and returns when it is in its loop.
void startLoop(loop f, flag& stop, sync::WaitGroup& wg) {
  static flag started;
  started = false;
  wg.Add(1);
  go([f, &stop, &wg] {
    f(started, stop);
    wg.Done();
  });
  while (!started) runtime::Gosched();
}

}  // namespace

GORT_TEST("TestAsyncPreempt") {
  static flag stop;
  static sync::WaitGroup wg;
  int procs = runtime::GOMAXPROCS(0);
  for (auto [name, f] : loops) {
    stop = false;
    startLoop(f, stop, wg);
    runtime::GC();
    runtime::GOMAXPROCS(procs + 1);
    runtime::GOMAXPROCS(procs);
    runtime::MemStats ms;
    runtime::ReadMemStats(&ms);
    stop = true;
    wg.Wait();
  }
}

// All forms at the same time, more than there are processors. With TSan a loop is mostly in TSan's code,
// where it cannot be stopped.
GORT_TEST("loops without calls share the processors") {
  static flag stop;
  static sync::WaitGroup wg;
  for (int round = 0; round < (runtime::raceenabled ? 1 : 3); round++) {
    stop = false;
    for (auto [name, f] : loops) startLoop(f, stop, wg);
    for (int i = 0; i < 5; i++) runtime::GC();
    stop = true;
    wg.Wait();
  }
}

// Ports TestGCFairness and TestGCFairness2: the collector does not starve goroutines, nor a loop the
// collector, while both are busy.
GORT_TEST("TestGCFairness") {
  static flag stop;
  static sync::WaitGroup wg;
  stop = false;
  startLoop(emptyLoop, stop, wg);
  auto done = make_chan<bool>();
  go([=] {
    for (int i = 0; i < 20; i++) runtime::GC();
    done.send(true);
  });
  for (int i = 0; i < 10; i++) runtime::Gosched();
  done.recv();
  stop = true;
  wg.Wait();
}

namespace {

std::int64_t cycles() { return static_cast<std::int64_t>(__rdtsc()); }

// Main gives up the only processor to a loop of ns nanoseconds. Back comes it when the loop has ended
// or been preempted; true: ended.
bool loopEndsFirst(std::int64_t ns) {
  static flag started, ended, stop;
  std::int64_t t0 = runtime::nanotime(), c0 = cycles();
  while (runtime::nanotime() - t0 < 1000 * 1000) {
  }
  std::int64_t length = (cycles() - c0) * (ns / 1000 / 1000);
  go([=] {
    started = true;
    std::int64_t until = cycles() + length;
    while (cycles() < until && !stop.load(std::memory_order_relaxed)) {
    }
    ended = true;
  });
  while (!started) runtime::Gosched();
  bool first = ended;
  stop = true;
  while (!ended) runtime::Gosched();
  return first;
}

}  // namespace

TEST_CASE("GODEBUG=asyncpreemptoff=1") {
  Result r = run_go([] { CHECK_GO(loopEndsFirst(300 * 1000 * 1000)); },
                    {{"GOMAXPROCS", "1"}, {"GODEBUG", "asyncpreemptoff=1"}});
  CHECK_MESSAGE(r.status == 0, r.str());
  // The same with signals; a loop of minutes, which nothing else would end.
  r = run_go([] { CHECK_GO(!loopEndsFirst(200LL * 1000 * 1000 * 1000)); }, {{"GOMAXPROCS", "1"}});
  CHECK_MESSAGE(r.status == 0, r.str());
}

namespace {

// ---- a linked structure that is rewritten without calls ----

struct Node {
  ptr<Node> next;
  long id = 0;
  long check = 0;
};
constexpr int nlists = 8;
struct Lists {
  ptr<Node> head[nlists];
};

// Takes the first of one list and puts it in front of another, n times.
GORT_NOINLINE void shuffle(Lists* l, long n, std::uint64_t seed) {
  for (long i = 0; i < n; i++) {
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    ptr<Node>* from = &l->head[seed % nlists];
    ptr<Node>* to = &l->head[seed / nlists % nlists];
    Node* node = *from;
    if (node == nullptr) continue;
    *from = node->next;
    node->next = *to;
    *to = node;
  }
}

void checkLists(Lists* l, int nodes) {
  long n = 0, sum = 0;
  for (const ptr<Node>& head : l->head)
    for (Node* node = head; node != nullptr; node = node->next) {
      CHECK_GO(node->check == ~node->id);
      n++;
      sum += node->id;
      CHECK_GO(n <= nodes);
    }
  CHECK_GO(n == nodes);
  CHECK_GO(sum == static_cast<long>(nodes) * (nodes - 1) / 2);
}

GORT_NOINLINE void garbage() {
  for (int i = 0; i < 50; i++) {
    auto* n = make<Node>();
    n->next = make<Node>();
    n->id = i;
  }
}

void rewrite(int rounds, long steps) {
  static PreemptStorm storm;
  static sync::WaitGroup wg;
  static flag stop;
  stop = false;
  storm.start();
  constexpr int workers = 3, nodes = 200;
  for (int w = 0; w < workers; w++) {
    wg.Add(1);
    go([=] {
      auto* l = make<Lists>();
      for (int i = 0; i < nodes; i++) {
        auto* n = make<Node>();
        n->id = i;
        n->check = ~n->id;
        n->next = l->head[i % nlists];
        l->head[i % nlists] = n;
      }
      int slot = storm.enter();
      // On a machine that is busy a signal may come late: without one this has tested nothing.
      for (int r = 0; r < rounds || PreemptStorm::stopped() == 0; r++) {
        shuffle(l, steps, static_cast<std::uint64_t>(r * workers + w + 1));
        checkLists(l, nodes);
        garbage();
      }
      storm.leave(slot);
      wg.Done();
    });
  }
  go([] {
    while (!stop) {
      garbage();
      runtime::Gosched();
    }
  });
  wg.Wait();
  stop = true;
  storm.stop();
}

const Env everyFew{{"GODEBUG", "gcevery=50,gccheckmark=1,clobberfree=1"}};

}  // namespace

GORT_TEST("pointers are rewritten while signals stop the goroutine and collections run", everyFew) {
  rewrite(runtime::raceenabled ? 10 : 40, 20000);
}

namespace {

// ---- tracebacks ----

flag spin, inLoop;

// Not instrumented: a signal that finds the sanitizer's load finds code without frames.
__attribute__((noinline, disable_sanitizer_instrumentation)) void spinInner() {
  inLoop = true;
  static_assert(sizeof spin == sizeof(bool));
  // Nor does it inline what is instrumented.
  while (*reinterpret_cast<const volatile bool*>(&spin)) {
  }
}
GORT_NOINLINE void spinOuter() {
  spinInner();
  asm volatile("");
}

std::string stacks() {
  static char buf[1 << 16];
  int n = runtime::Stack(buf, true);
  return {buf, static_cast<std::size_t>(n)};
}

bool framesInOrder(const std::string& s) {
  std::size_t inner = s.find("\nmain.spinInner("), outer = s.find("\nmain.spinOuter(");
  return inner != std::string::npos && outer != std::string::npos && inner < outer;
}

}  // namespace

GORT_TEST("Stack shows where a loop was stopped") {
  static sync::WaitGroup wg;
  for (int i = 0; i < 20; i++) {
    spin = true;
    inLoop = false;
    wg.Add(1);
    go([] {
      spinOuter();
      wg.Done();
    });
    while (!inLoop) runtime::Gosched();
    std::string s = stacks();
    spin = false;
    wg.Wait();
    CHECK_GO(framesInOrder(s));
    CHECK_GO(s.find("asyncPreempt") == std::string::npos);  // users do not see the runtime
    CHECK_GO(s.find("created by main.", s.find("main.spinOuter")) != std::string::npos);
  }
}

TEST_CASE("SIGQUIT shows where a loop is") {
  for (const char* procs : {"2", "4"}) {
    Result r = run_go(
        [] {
          static std::atomic<long> tid{0};
          spin = true;
          runtime::LockOSThread();
          tid = syscall::RawSyscall(SYS_gettid);
          go([] {
            while (!inLoop) runtime::Gosched();
            syscall::RawSyscall(SYS_tgkill, syscall::Getpid(), tid, SIGQUIT);
          });
          spinOuter();
        },
        {{"GOMAXPROCS", procs}, {"GOTRACEBACK", "all"}});
    CHECK_MESSAGE(r.status == 2, r.str());
    CHECK_MESSAGE(r.has("SIGQUIT: quit\nPC="), r.str());
    // Runnable, if somebody has preempted it just before.
    CHECK_MESSAGE((r.has("\ngoroutine 1 [running, locked to thread]:\n") ||
                   r.has("\ngoroutine 1 [runnable, locked to thread]:\n")),
                  r.str());
    CHECK_MESSAGE(framesInOrder(r.err), r.str());
    CHECK_MESSAGE(r.has("rip    0x"), r.str());
  }
}

namespace {

// ---- stacks that are nearly used up ----

// A chain of calls of different frame sizes, a short loop in each: somewhere in it the stack has
// little room left when a signal comes.
constexpr int busy = runtime::raceenabled ? 5000 : 200;

template <int Bytes>
GORT_NOINLINE long deep(int depth, long salt) {
  volatile long canary[Bytes / 8];
  for (long i = 0; i < Bytes / 8; i++) canary[i] = salt + i;
  for (int i = 0; i < busy; i++) asm volatile("");
  long below = 0;
  if (depth > 0) {
    switch (depth % 4) {
      case 0:
        below = deep<16>(depth - 1, salt + 1);
        break;
      case 1:
        below = deep<48>(depth - 1, salt + 1);
        break;
      case 2:
        below = deep<240>(depth - 1, salt + 1);
        break;
      default:
        below = deep<600>(depth - 1, salt + 1);
    }
  }
  for (int i = 0; i < busy; i++) asm volatile("");
  for (long i = 0; i < Bytes / 8; i++) CHECK_GO(canary[i] == salt + i);
  return below + salt;
}

}  // namespace

GORT_TEST("small stacks", Env{{"GODEBUG", "stackmoveall=1,gcshrinkstackoff=0"}}) {
  static PreemptStorm storm;
  storm.start();
  constexpr int goroutines = 4;
  int rounds = runtime::raceenabled ? 2 : 25;
  auto done = make_chan<bool>();
  for (int g = 0; g < goroutines; g++)
    go([=] {
      for (int r = 0; r < rounds || PreemptStorm::stopped() == 0; r++)
        for (int depth = 1; depth < 40; depth++) {
          // A new goroutine has a new, small stack.
          auto one = make_chan<long>();
          go([=] {
            int slot = storm.enter();
            long sum = deep<16>(depth, 7);
            storm.leave(slot);
            one.send(sum);
          });
          long want = 0;
          for (int i = 0; i <= depth; i++) want += 7 + i;
          CHECK_GO(one.recv() == want);
        }
      done.send(true);
    });
  for (int g = 0; g < goroutines; g++) done.recv();
  storm.stop();
}
