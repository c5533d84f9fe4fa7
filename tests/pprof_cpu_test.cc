// The CPU profile of a known split of work, as Go's tool reads it.
#include <time.h>

#include <cmath>
#include <string>

#include "runtime/cpuprof.h"
#include "tests/pprof_tool.h"

using namespace gort;
using namespace gort::test;
namespace pprof = runtime::pprof;

namespace {

// CPU time that the thread has used, in ns.
std::int64_t threadTime() {
  timespec ts;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
  return ts.tv_sec * 1000000000 + ts.tv_nsec;
}

GORT_NOINLINE void spin(int n) {
  for (int i = 0; i < n; i++) asm volatile("" : : "r"(i));
}
// Each does its own share and calls nothing that is inlined.
GORT_NOINLINE void oneShare() {
  for (int i = 0; i < 100000; i++) asm volatile("" : : "r"(i));
}
GORT_NOINLINE void threeShares() {
  for (int i = 0; i < 300000; i++) asm volatile("" : : "r"(i));
}
GORT_NOINLINE void outer() {
  oneShare();
  threeShares();
}

// Works until so much CPU time is used, by whichever threads.
void work(time::Duration d) {
  runtime::LockOSThread();
  std::int64_t end = threadTime() + d.Nanoseconds();
  while (threadTime() < end) outer();
  runtime::UnlockOSThread();
}

// Starts a CPU profile into file; the caller stops it.
void start() {
  int fd = open(file.c_str(), O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0644);
  CHECK_GO(fd >= 0);
  CHECK_GO(!pprof::StartCPUProfile(fd));
}

// Percent that b is of a and b.
double share(double a, double b) { return 100 * b / (a + b); }

}  // namespace

TEST_CASE("a known split of work, within five points") {
  withProfile(
      "cpu",
      [] {
        start();
        auto* wg = make<sync::WaitGroup>();
        wg->Add(4);
        for (int i = 0; i < 4; i++)
          go([wg] {
            // 12 seconds are 1,200 samples: 5 points are four times sigma.
            work(3000 * time::Millisecond);
            wg->Done();
          });
        wg->Wait();
        pprof::StopCPUProfile();
      },
      [] {
        std::string top = tool("-top -cum -unit=ms -nodefraction=0", file);
        INFO(top);
        double one = lineOf(top, "main.oneShare").cum, three = lineOf(top, "main.threeShares").cum;
        CHECK(share(one, three) > 70);
        CHECK(share(one, three) < 80);
        // All of it is there, but for what the machine did not give to the clock's ticks.
        CHECK(one + three > 9000);
        CHECK(one + three < 15000);
        CHECK(lineOf(top, "main.outer").cum >= 0.97 * (one + three));
      });
}

TEST_CASE("labels of a goroutine are on its samples") {
  withProfile(
      "cpu",
      [] {
        start();
        for (const char* kind : {"short", "long"})
          pprof::Do(pprof::Labels("kind", kind),
                    [kind] { work((kind[0] == 's' ? 1000 : 3000) * time::Millisecond); });
        pprof::StopCPUProfile();
      },
      [] {
        std::string top = tool("-top -cum -unit=ms -nodefraction=0 -tagfocus=kind=long", file);
        std::string all = tool("-top -cum -unit=ms -nodefraction=0", file);
        INFO(all << top);
        double l = lineOf(top, "main.outer").cum, a = lineOf(all, "main.outer").cum;
        // 400 samples, if the machine is not so busy that its clock misses most; then 4.6 sigma are 10 points.
        CHECK(a > 1000);
        double slack = 4.6 * std::sqrt(75 * 25 / (a / 10));
        CHECK(share(a - l, l) > 75 - slack);
        CHECK(share(a - l, l) < 75 + slack);
      });
}

GORT_TEST("profiles one after the other, and two at once") {
  auto drop = [](const void*, std::size_t) { return true; };
  for (int i = 0; i < 3; i++) {
    CHECK_GO(!pprof::StartCPUProfile(drop));
    CHECK_GO(pprof::StartCPUProfile(drop).Error() == "cpu profiling already in use");
    spin(100000);
    pprof::StopCPUProfile();
    pprof::StopCPUProfile();
  }
}

GORT_TEST("ticks at 5 kHz while goroutines switch, grow, collect and end") {
  auto drop = [](const void*, std::size_t) { return true; };
  runtime::SetCPUProfileRate(5000);
  auto* wg = make<sync::WaitGroup>();
  for (int i = 0; i < 8; i++) {
    wg->Add(1);
    go([wg] {
      for (int k = 0; k < 50; k++) {
        auto c = make_chan<int>();
        go([c]() mutable {
          volatile char deep[4096];
          deep[100] = 1;
          c.send(deep[100]);
        });
        c.recv();
        auto s = make_slice<std::int64_t>(1000);
        runtime::KeepAlive(s);
        if (k % 10 == 0) runtime::GC();
      }
      wg->Done();
    });
  }
  wg->Wait();
  runtime::SetCPUProfileRate(0);
  // The log of that profile is read to its end before the next one begins.
  auto data = make_slice<std::uint64_t>(1 << 13);
  auto tags = make_slice<void*>(1 << 10);
  while (!runtime::readProfile(data.data(), 1 << 13, tags.data(), 1 << 10).eof) {
  }
  CHECK_GO(!pprof::StartCPUProfile(drop));
  pprof::StopCPUProfile();
}
