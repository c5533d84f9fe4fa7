// A million goroutines, blocked on one channel, in one process.
#include <atomic>
#include <cstdio>

#include <unistd.h>

#include "tests/harness.h"

using namespace gort;
using namespace gort::test;

namespace {

constexpr long n = 1000000;
std::atomic<long> sum{0};

// Bytes of memory in use, on the system stack: stdio wants some.
long resident() {
  long pages = 0;
  runtime::systemstack([&] {
    std::FILE* f = std::fopen("/proc/self/statm", "r");
    CHECK_GO(f != nullptr && std::fscanf(f, "%*d %ld", &pages) == 1);
    std::fclose(f);
  });
  return pages * sysconf(_SC_PAGESIZE);
}

}  // namespace

TEST_CASE("a million goroutines") {
  Result r = run_go([] {
    auto c = make_chan<long>();
    long before = resident();
    for (long i = 0; i < n; i++)
      go([=] {
        long local = i;
        sum += c.recv() + local;
      });
    CHECK_GO(runtime::NumGoroutine() == n + 1);
    auto parked = [] {
      long k = 0;
      runtime::forEachGRace([&](runtime::g* gp) {
        if (runtime::readgstatus(gp) == runtime::_Gwaiting && !gp->systemg) k++;
      });
      return k;
    };
    while (parked() != n) runtime::Gosched();
    long each = (resident() - before) / n;
    println("bytes per goroutine:", each);
    CHECK_GO(each < 3000);
    for (long i = 0; i < n; i++) c.send(1);
    while (runtime::NumGoroutine() != 1) runtime::Gosched();
    CHECK_GO(sum == n + n * (n - 1) / 2);
  });
  CHECK_MESSAGE(r.status == 0, r.str());
  MESSAGE(r.err);
}
