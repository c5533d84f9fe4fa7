// Programs under a storm of signals: SIGURG, SIGPROF, SIGHUP and SIGCHLD, to the process and to single
// threads, some thousand a second, while goroutines allocate, hand values to each other, lock, grow
// their stacks, and have system calls made on all threads. Every program finds out by itself whether
// something of its own was lost; and a signal that comes last must arrive.
// GORT_STORM_SECONDS says for how long (5; the target //tests:signal_storm asks for 3600).
#include <pthread.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <atomic>
#include <random>
#include <thread>

#include "runtime/sigqueue.h"
#include "tests/gc_programs.h"
#include "tests/soak.h"

using namespace gort;
using namespace gort::test;

namespace {

namespace rt = gort::runtime;

// Who sends: a thread that the runtime does not know and that gets no signals itself.
class Storm {
 public:
  explicit Storm(std::uint32_t seed) : thread_([this, seed] { Blow(seed); }) {}
  ~Storm() {
    stop_ = true;
    thread_.join();
  }
  std::int64_t sent(int sig) const { return sent_[sig]; }

 private:
  void Blow(std::uint32_t seed) {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, nullptr);
    std::mt19937 random(seed);
    constexpr int kSignals[] = {SIGURG, SIGURG, SIGPROF, SIGHUP, SIGCHLD};
    const pid_t pid = getpid();
    while (!stop_) {
      const int sig = kSignals[random() % std::size(kSignals)];
      if (random() % 2 == 0) {
        kill(pid, sig);
      } else if (rt::m* mp = Pick(&random); mp != nullptr) {
        ::syscall(SYS_tgkill, pid, static_cast<pid_t>(mp->procid), sig);
      }
      sent_[sig]++;
      const timespec pause{0, static_cast<long>(random() % 300) * 1000};
      nanosleep(&pause, nullptr);
    }
  }
  // Some M whose thread runs.
  static rt::m* Pick(std::mt19937* random) {
    rt::m* picked = nullptr;
    std::uint32_t n = 0;
    rt::lock(&rt::sched.lock);
    for (rt::m* mp = rt::allm; mp != nullptr; mp = mp->alllink)
      if (mp->procid != 0 && (*random)() % ++n == 0) picked = mp;
    rt::unlock(&rt::sched.lock);
    return picked;
  }

  std::atomic<bool> stop_{false};
  std::atomic<std::int64_t> sent_[65]{};
  std::thread thread_;
};

// The sum of the first n primes, through a chain of goroutines.
int sieve(int n) {
  auto generate = [](chan<int> out, chan<bool> quit) {
    for (int i = 2; select(send_case(out, i), recv_case(quit)) == 0; i++) {
    }
  };
  auto filter = [](chan<int> in, chan<int> out, chan<bool> quit, int prime) {
    for (;;) {
      int v = 0;
      if (select(recv_case(in, v), recv_case(quit)) != 0) return;
      if (v % prime != 0 && select(send_case(out, v), recv_case(quit)) != 0) return;
    }
  };
  auto quit = make_chan<bool>();
  auto c = make_chan<int>();
  go(generate, c, quit);
  int sum = 0;
  for (int i = 0; i < n; i++) {
    int prime = c.recv();
    sum += prime;
    auto next = make_chan<int>();
    go(filter, c, next, quit, prime);
    c = next;
  }
  quit.close();
  return sum;
}

// Deep stacks, with vector registers in use across the calls.
[[gnu::noinline]] double deep(int depth, double a, double b) {
  if (depth == 0) return a + b;
  volatile char frame[100] = {};
  double r = deep(depth - 1, b, a + 1);
  return frame[50] + r;
}

// No calls at all, for as long as others have work.
std::atomic<bool> spin;
std::int64_t spinning() {
  std::int64_t n = 0;
  while (spin.load(std::memory_order_relaxed)) n++;
  return n;
}

void stormRound() {
  std::mt19937 random(soakSeed);
  auto hangups = make_chan<os::Signal>(1);
  os::signal::Notify(hangups, SIGHUP, SIGCHLD);
  auto quit = make_chan<bool>();
  auto listened = make_chan<std::int64_t>();
  go([=] {
    for (std::int64_t n = 0;; n++) {
      if (select(recv_case(hangups), recv_case(quit)) == 0) continue;
      listened.send(n);
      return;
    }
  });
  {
    auto* storm = new Storm(static_cast<std::uint32_t>(random()));
    auto done = make_chan<bool>();
    int tasks = 0;
    auto task = [&](auto f) {
      tasks++;
      go([f, done] {
        f();
        done.send(true);
      });
    };
    spin = true;
    go(spinning);
    task([] { CHECK_GO(sieve(60) == 7699); });
    task([] {
      for (int i = 0; i < 200; i++) CHECK_GO(deep(i * 10, 1, 2) == 3 + i * 10);
    });
    const std::uint32_t calls = random() % 50;
    task([calls] {
      for (std::uint32_t i = 0; i < calls; i++)
        CHECK_GO(syscall::AllThreadsSyscall(SYS_prctl, PR_SET_KEEPCAPS, i & 1) == 0);
    });
    task([] {
      auto* m = make<sync::Mutex>();
      auto* n = make<int>();
      auto all = make_chan<bool>();
      for (int g = 0; g < 4; g++)
        go([m, n, all] {
          for (int i = 0; i < 500; i++) {
            m->Lock();
            ++*n;
            m->Unlock();
          }
          all.send(true);
        });
      for (int g = 0; g < 4; g++) all.recv();
      CHECK_GO(*n == 2000);
    });
    for (int i = 0; kGcPrograms[i].name != nullptr; i++)
      if (random() % 3 == 0) task(kGcPrograms[i].run);
    for (int i = 0; i < tasks; i++) done.recv();
    spin = false;
    const std::int64_t hangupsSent = storm->sent(SIGHUP);
    delete storm;
    quit.send(true);
    // Several may arrive as one; and that one may still be on its way, or have come when the listener
    // was told to stop, and then it is still to be taken.
    if (listened.recv() == 0 && hangupsSent > 0) hangups.recv();
  }
  // What was on its way has been taken; the last one is not lost.
  rt::signalWaitUntilIdle();
  while (select(recv_case(hangups), default_case) == 0) {
  }
  syscall::Kill(syscall::Getpid(), SIGHUP);
  CHECK_GO(hangups.recv() == SIGHUP);
}

Env settings(std::mt19937* random) {
  return {{"GODEBUG", "gccheckmark=" + pick(random, {"0", "1"}) +
                          ",gcevery=" + pick(random, {"0", "5000"}) +
                          ",stackmoveall=" + pick(random, {"0", "0", "1"})},
          {"GOGC", pick(random, {"50", "100", "400"})},
          {"GOMAXPROCS", pick(random, {"1", "2", "4", "8"})}};
}

}  // namespace

TEST_CASE("storm") { soak("GORT_STORM_SECONDS", settings, stormRound); }
