// Run queues, and the number of Ps changing under load. Behaviours of Go's tests
// TestSchedLocalQueue*, TestStealOrder and TestGetgThreadSwitch; the runtime's functions are called
// on queues of their own.
#include <sys/syscall.h>

#include <atomic>
#include <numeric>

#include "tests/harness.h"

using namespace gort;
using namespace gort::test;
using runtime::g;
using runtime::p;

namespace {

constexpr int qlen = runtime::runqlen;
std::atomic<int> ready{0};
std::atomic<bool> stopped{false};

// Both sides have come; the queue is then changed and looked at at the same time.
void meet() {
  ready++;
  while (ready != 2) {
  }
}

GORT_NOINLINE long work(long n) {
  volatile char pad[200];
  pad[n & 127] = 1;
  return n == 0 ? 0 : work(n - 1) + pad[n & 127];
}

}  // namespace

GORT_TEST("TestSchedLocalQueue") {
  p* pp = new p();
  g* gs = new g[qlen];
  runtime::systemstack([&] {
    for (int i = 0; i < qlen; i++) {
      CHECK_GO(runtime::runqget(pp).gp == nullptr);
      for (int j = 0; j < i; j++) runtime::runqput(pp, &gs[i], false);
      for (int j = 0; j < i; j++) CHECK_GO(runtime::runqget(pp).gp == &gs[i]);
      CHECK_GO(runtime::runqget(pp).gp == nullptr);
    }
  });
}

// A thief gets half, rounded up, and no goroutine is lost or seen twice.
GORT_TEST("TestSchedLocalQueueSteal") {
  p* p1 = new p();
  p* p2 = new p();
  g* gs = new g[qlen];
  int seen[qlen];
  runtime::systemstack([&] {
    for (int i = 0; i < qlen; i++) {
      std::fill_n(seen, qlen, 0);
      for (int j = 0; j < i; j++) runtime::runqput(p1, &gs[j], false);
      int stolen = 0;
      if (g* gp = runtime::runqsteal(p2, p1, true); gp != nullptr) stolen++, seen[gp - gs]++;
      while (g* gp = runtime::runqget(p2).gp) stolen++, seen[gp - gs]++;
      while (g* gp = runtime::runqget(p1).gp) seen[gp - gs]++;
      for (int j = 0; j < qlen; j++) CHECK_GO(seen[j] == (j < i ? 1 : 0));
      CHECK_GO(stolen == i / 2 || stolen == i / 2 + 1);
    }
  });
}

// The 257th goroutine sends half of the queue to the global one, in order.
GORT_TEST("a full local queue overflows to the global queue", Env{{"GOMAXPROCS", "1"}}) {
  p* pp = new p();
  g* gs = new g[qlen + 1];
  runtime::systemstack([&] {
    lock(&runtime::sched.lock);
    CHECK_GO(runtime::sched.runqsize == 0);
    unlock(&runtime::sched.lock);
    // Nobody else may take from the global queue meanwhile: this M has the only P.
    CHECK_GO(runtime::gomaxprocs == 1);
    for (int i = 0; i <= qlen; i++) runtime::runqput(pp, &gs[i], false);
    int local = 0, global = 0;
    std::array<bool, qlen + 1> seen{};
    while (g* gp = runtime::runqget(pp).gp) local++, seen[static_cast<unsigned>(gp - gs)] = true;
    lock(&runtime::sched.lock);
    CHECK_GO(runtime::sched.runqsize == qlen / 2 + 1);
    while (g* gp = runtime::sched.runq.pop()) {
      global++;
      seen[static_cast<unsigned>(gp - gs)] = true;
      runtime::sched.runqsize = runtime::sched.runqsize - 1;
    }
    unlock(&runtime::sched.lock);
    CHECK_GO(local == qlen / 2 && global == qlen / 2 + 1);
    for (bool s : seen) CHECK_GO(s);
  });
}

// A queue that is never empty must not look empty while runnext and the ring change.
GORT_TEST("TestSchedLocalQueueEmpty") {
  if (runtime::GOMAXPROCS(0) < 2) runtime::GOMAXPROCS(2);
  auto done = make_chan<bool>(1);
  p* pp = new p();
  g* gs = new g[2];
  for (int i = 0; i < 250; i++) {
    ready = 0;
    bool next0 = (i & 1) == 0, next1 = (i & 2) == 0;
    runtime::runqput(pp, &gs[0], next0);
    go([=] {
      meet();
      CHECK_GO(!runtime::runqempty(pp));
      done.send(true);
    });
    meet();
    runtime::runqput(pp, &gs[1], next1);
    runtime::runqget(pp);
    done.recv();
    runtime::runqget(pp);
  }
}

// Every P exactly once, from every start, for every number of Ps.
GORT_TEST("TestStealOrder") {
  if (runtime::GOMAXPROCS(0) != 1) return;  // it changes what stealing threads use
  runtime::systemstack([] {
    for (std::uint32_t procs = 1; procs <= 64; procs++) {
      runtime::stealOrderReset(procs);
      for (std::uint32_t seed = 0; seed < procs * procs; seed++) {
        std::uint64_t visited = 0;
        std::uint32_t n = 0;
        for (auto e = runtime::stealOrderStart(seed); !e.done(); e.next(), n++) {
          CHECK_GO(e.position() < procs);
          visited |= std::uint64_t(1) << e.position();
        }
        CHECK_GO(n == procs);
        CHECK_GO(visited == (procs == 64 ? ~std::uint64_t(0) : (std::uint64_t(1) << procs) - 1));
      }
    }
    runtime::stealOrderReset(1);
  });
}

// getg is read anew after a switch: the goroutine may go on on another thread.
GORT_TEST("TestGetgThreadSwitch") {
  auto ping = make_chan<bool>(), pong = make_chan<bool>();
  auto moved = make_chan<int>();
  for (int k = 0; k < 4; k++)
    go([=] {
      g* self = runtime::getg();
      std::uint64_t last = 0;
      int moves = 0;
      for (int i = 0; i < 300; i++) {
        if (k % 2 == 0)
          ping.send(true), pong.recv();
        else
          ping.recv(), pong.send(true);
        CHECK_GO(runtime::getg() == self);
        runtime::m* mp = runtime::acquirem();
        CHECK_GO(mp->curg == self && runtime::getg()->m == mp);
        std::uint64_t tid = mp->procid;
        CHECK_GO(tid == static_cast<std::uint64_t>(syscall::RawSyscall(SYS_gettid)));
        runtime::releasem(mp);
        if (tid != last) moves++;
        last = tid;
        if (i % 7 == 0) syscall::Syscall(SYS_sched_yield);
      }
      moved.send(moves);
    });
  for (int k = 0; k < 4; k++) CHECK_GO(moved.recv() > 0);
}

// Everything goes on while Ps come and go.
GORT_TEST("GOMAXPROCS changes under load") {
  constexpr int rings = 4, length = 5, laps = 200;
  auto out = make_chan<long>();
  for (int r = 0; r < rings; r++) {
    auto first = make_chan<long>(r % 2);
    auto in = first;
    for (int i = 0; i < length; i++) {
      auto next = make_chan<long>(i % 3);
      go([=] {
        for (long v : in) {
          work(v % 20);
          if (v % 31 == 0) syscall::Syscall(SYS_sched_yield);
          next.send(v + 1);
        }
        next.close();
      });
      in = next;
    }
    go([=] {
      for (long v = 0; v < laps; v++) first.send(v);
      first.close();
    });
    go([=] {
      long sum = 0;
      for (long v : in) sum += v;
      out.send(sum);
    });
  }
  auto changer = make_chan<int>();
  go([=] {
    int n = 0;
    for (; !stopped; n++) {
      int procs = 1 + n * 5 % 9;
      runtime::GOMAXPROCS(procs);
      CHECK_GO(runtime::GOMAXPROCS(0) == procs);
      time::Sleep(20 * time::Microsecond);  // a timer on a P that may be gone when it is due
    }
    changer.send(n);
  });
  for (int r = 0; r < rings; r++) CHECK_GO(out.recv() == laps * (laps - 1) / 2 + laps * length);
  stopped = true;
  CHECK_GO(changer.recv() > 0);
}
