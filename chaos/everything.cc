// Does a bit of everything that the runtime can do, and checks what comes out, so that a storm over
// it comes to all points. `everything PART...` does some parts only, `everything crash` ends in a
// panic.
//
// The parts do not depend on moments: what they print at the end is the same with and without a
// storm.

#include <pthread.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <string_view>

#include "runtime/go.h"
#include "runtime/rwmutex.h"

using namespace gort;

namespace {

void check(bool ok, const char* what) {
  if (!ok) panic(what);
}

// ---- channels and select ----

void channels() {
  auto in = make_chan<int>();
  auto out = make_chan<int>(4);
  auto quit = make_chan<bool>();
  auto sum = make_chan<int>();
  for (int w = 0; w < 3; w++)
    go([=] {
      for (int v : in) out.send(v * 2);
      quit.send(true);
    });
  go([=] {
    int total = 0, value = 0;
    for (int left = 3; left > 0;) {
      bool done = false;
      switch (select(recv_case(out, value), recv_case(quit, done))) {
        case 0:
          total += value;
          break;
        case 1:
          left--;
          break;
      }
    }
    while (select(recv_case(out, value), default_case) == 0) total += value;
    sum.send(total);
  });
  for (int i = 1; i <= 200; i++) in.send(i);
  in.close();
  check(sum.recv() == 200 * 201, "channels: wrong sum");

  // The same channel twice in one select, and one that is never ready.
  auto twice = make_chan<int>();
  auto never = make_chan<int>();
  go([=] {
    int a = 0, b = 0, c = 0;
    for (int i = 0; i < 50; i++) {
      const int which = select(recv_case(twice, a), recv_case(twice, b), recv_case(never, c));
      check((which == 0 ? a : b) == i, "select: wrong value");
      a = b = 0;
    }
    sum.send(0);
  });
  for (int i = 0; i < 50; i++) twice.send(i);
  sum.recv();

  // Closed while somebody looks without waiting.
  for (int i = 0; i < 20; i++) {
    auto c = make_chan<int>();
    go([=] { c.close(); });
    int v = 0;
    while (select(recv_case(c, v), default_case) != 0) runtime::Gosched();
  }
}

// ---- memory ----

struct Tree {
  ptr<Tree> left, right;
};

Tree* grow(int depth) {
  Tree* t = make<Tree>();
  if (depth == 0) return t;
  Tree* l = grow(depth - 1);
  t->left = l;
  t->right = grow(depth - 1);
  return t;
}

int count(Tree* t) { return t == nullptr ? 0 : 1 + count(t->left) + count(t->right); }

int deep(int n) {
  volatile char frame[512];
  frame[0] = static_cast<char>(n);
  return n == 0 ? 0 : 1 + deep(n - 1) + (frame[0] == static_cast<char>(n) ? 0 : 1);
}

void memory() {
  auto done = make_chan<int>();
  for (int w = 0; w < 3; w++)
    go([=] {
      int total = 0;
      for (int i = 0; i < 12; i++) total += count(grow(9));
      done.send(total);
    });
  go([=] {
    for (int i = 0; i < 6; i++) runtime::GC();
    done.send(0);
  });
  // Large stacks that are given back while the collector marks.
  go([=] {
    for (int i = 0; i < 30; i++) {
      auto d = make_chan<int>();
      go([=] { d.send(deep(400)); });
      check(d.recv() == 400, "memory: a stack was spoilt");
    }
    done.send(0);
  });
  // More grey objects at once than a P's buffers hold.
  go([=] {
    for (int i = 0; i < 4; i++) {
      auto wide = make_slice<ptr<Tree>>(20000);
      for (std::int64_t k = 0; k < wide.len(); k++) wide[k] = make<Tree>();
      runtime::GC();
      for (std::int64_t k = 0; k < wide.len(); k++)
        check(wide[k]->left == nullptr, "memory: an object was freed");
    }
    done.send(0);
  });
  int total = 0;
  for (int i = 0; i < 6; i++) total += done.recv();
  check(total == 3 * 12 * 1023, "memory: a tree has lost nodes");

  // Many that wait for one collection are readied at once.
  constexpr int kWaiters = 700;
  sync::WaitGroup* wg = make<sync::WaitGroup>();
  wg->Add(kWaiters);
  for (int i = 0; i < kWaiters; i++)
    go([=] {
      runtime::GC();
      wg->Done();
    });
  wg->Wait();
  for (int i = 0; i < 100; i++) make_slice<char>(200 << 10)[0] = 1;
}

void finalizers() {
  static std::atomic<int> ran;
  for (int i = 0; i < 50; i++) runtime::SetFinalizer(make<Tree>(), [](Tree*) { ran++; });
  while (ran == 0) {
    runtime::GC();
    time::Sleep(time::Millisecond);
  }
}

// ---- timers ----

void timers() {
  constexpr int kTimers = 60;
  auto fired = make_chan<int>(kTimers);
  for (int i = 0; i < kTimers; i++)
    time::AfterFunc(time::Microsecond * (50 * i), [=] { fired.send(i); });
  for (int i = 0; i < kTimers; i++) fired.recv();
  // Moved to and fro by several goroutines, on heaps of several Ps, while GOMAXPROCS changes.
  auto done = make_chan<bool>();
  for (int w = 0; w < 4; w++)
    go([=] {
      constexpr int n = 20;
      time::Timer* t[n];
      for (int k = 0; k < n; k++) t[k] = time::NewTimer(time::Hour);
      for (int i = 0; i < 60; i++)
        for (int k = 0; k < n; k++) {
          if ((i + k) % 7 == 0) t[k]->Stop();
          t[k]->Reset(i % 3 == 0 ? time::Microsecond * (k * 40 + 1) : time::Hour);
          if (k == 0) time::Sleep(time::Microsecond * 30);
        }
      for (int k = 0; k < n; k++) t[k]->Stop();
      done.send(true);
    });
  go([=] {
    const int procs = runtime::GOMAXPROCS(0);
    for (int i = 0; i < 12; i++) {
      runtime::GOMAXPROCS(i % 2 == 0 ? 1 : 12 + i);
      time::Sleep(time::Microsecond * 200);
    }
    runtime::GOMAXPROCS(procs);
    done.send(true);
  });
  for (int i = 0; i < 5; i++) done.recv();
  time::Ticker* ticker = time::NewTicker(time::Microsecond * 100);
  for (int i = 0; i < 20; i++) ticker->C.recv();
  ticker->Stop();
}

// ---- package sync ----

void locks() {
  struct Shared {
    sync::Mutex mu;
    sync::RWMutex rw;
    sync::WaitGroup wg;
    int n = 0;
    int m = 0;
  };
  Shared* s = make<Shared>();
  constexpr int kWorkers = 8, kRounds = 150;
  s->wg.Add(kWorkers);
  for (int w = 0; w < kWorkers; w++)
    go([=] {
      for (int i = 0; i < kRounds; i++) {
        s->mu.Lock();
        const int n = s->n;
        if (i % 16 == 0) runtime::Gosched();
        s->n = n + 1;
        s->mu.Unlock();
        if (i % 4 == 0) {
          s->rw.Lock();
          s->m++;
          s->rw.Unlock();
        } else {
          s->rw.RLock();
          check(s->m >= 0, "locks: negative");
          s->rw.RUnlock();
        }
      }
      s->wg.Done();
    });
  s->wg.Wait();
  check(s->n == kWorkers * kRounds, "locks: a count is lost");
  check(s->m == kWorkers * ((kRounds + 3) / 4), "locks: a count under RWMutex is lost");
}

// ---- threads and system calls ----

void threads() {
  auto done = make_chan<bool>();
  for (int i = 0; i < 6; i++)
    go([=] {
      // Its thread ends with it.
      runtime::LockOSThread();
      auto c = make_chan<int>();
      go([=] { c.send(1); });
      c.recv();
      done.send(true);
    });
  for (int i = 0; i < 6; i++)
    go([=] {
      for (int k = 0; k < 30; k++) runtime::cgocall([] { usleep(100); });
      for (int k = 0; k < 200; k++) syscall::Syscall(SYS_getppid);
      done.send(true);
    });
  // The lock between threads, which the runtime has for itself.
  static runtime::rwmutex between;
  static int guarded;
  for (int i = 0; i < 4; i++)
    go([=] {
      for (int k = 0; k < 100; k++) {
        if (k % 10 == i) {
          between.lock();
          guarded++;
          between.unlock();
        } else {
          between.rlock();
          check(guarded >= 0, "threads: negative");
          between.runlock();
        }
      }
      done.send(true);
    });
  // Somebody who does not come to a safe point on his own.
  go([=] {
    volatile std::uint64_t x = 1;
    for (int i = 0; i < 20000000; i++) x = x + 1;
    done.send(true);
  });
  for (int i = 0; i < 17; i++) done.recv();
  check(guarded == 40, "threads: a count is lost");
  for (int i = 0; i < 5; i++)
    check(syscall::AllThreadsSyscall(SYS_prctl, PR_SET_NO_NEW_PRIVS, 1, 0) == 0,
          "threads: AllThreadsSyscall");
}

// ---- signals ----

void signals() {
  auto c = make_chan<os::Signal>(4);
  for (int i = 0; i < 20; i++) {
    os::signal::Notify(c, SIGUSR1);
    for (int k = 0; k < 3; k++) {
      syscall::Syscall(SYS_kill, getpid(), SIGUSR1);
      check(c.recv() == SIGUSR1, "signals: another one");
    }
    os::signal::Stop(c);
  }
}

// ---- the tracer and profiles ----

void profiles() {
  auto nothing = [](const void*, std::size_t) { return true; };
  check(!runtime::trace::Start(nothing), "profiles: no trace");
  check(!runtime::pprof::StartCPUProfile(nothing), "profiles: no profile");
  channels();
  runtime::GC();
  runtime::pprof::StopCPUProfile();
  runtime::trace::Stop();
  runtime::pprof::WriteHeapProfile(nothing);
}

// ---- threads that the runtime has not made ----

void callbacks() {
  auto c = make_chan<int>(64);
  auto* arg = new chan<int>(c);
  runtime::cgocall([&] {
    pthread_t t[3];
    for (pthread_t& thread : t)
      pthread_create(
          &thread, nullptr,
          [](void* p) -> void* {
            for (int i = 0; i < 10; i++)
              runtime::cgocallback([p] { static_cast<chan<int>*>(p)->send(1); });
            return nullptr;
          },
          arg);
    for (pthread_t thread : t) pthread_join(thread, nullptr);
  });
  for (int i = 0; i < 30; i++) c.recv();
  delete arg;
}

void crash() {
  println("about to crash");
  panic("on purpose");
}

// In this order; crash only if it is asked for. After callbacks no AllThreadsSyscall is possible.
struct {
  std::string_view name;
  void (*run)();
} const kParts[] = {
    {"channels", channels}, {"memory", memory},     {"finalizers", finalizers},
    {"timers", timers},     {"locks", locks},       {"threads", threads},
    {"signals", signals},   {"profiles", profiles}, {"callbacks", callbacks},
    {"crash", crash},
};

}  // namespace

int main(int argc, char** argv) {
  return Main(argc, argv, [=] {
    for (const auto& part : kParts) {
      bool wanted = argc < 2 && part.run != crash;
      for (int i = 1; i < argc; i++) wanted = wanted || part.name == argv[i];
      if (wanted) part.run();
    }
    println("everything is right");
  });
}
