// A worker pool: many jobs, few goroutines. Results are gathered under a mutex, and a WaitGroup
// tells when the last worker has finished.
#include "runtime/go.h"

using namespace gort;

// What goroutines share is allocated: locals of a goroutine can move.
struct Totals {
  sync::Mutex mu;
  long sum = 0;  // protected by mu
  int jobs = 0;  // protected by mu
};

long fib(int n) { return n < 2 ? n : fib(n - 1) + fib(n - 2); }

void worker(chan<int> jobs, Totals* totals, sync::WaitGroup* wg) {
  func([&](auto& defer) {
    defer([&] { wg->Done(); });
    for (int n : jobs) {
      long result = fib(n);
      totals->mu.Lock();
      totals->sum += result;
      totals->jobs++;
      totals->mu.Unlock();
    }
  });
}

int main(int argc, char** argv) {
  return gort::Main(argc, argv, [] {
    auto jobs = make_chan<int>(8);
    auto* totals = make<Totals>();
    auto* wg = make<sync::WaitGroup>();
    for (int i = 0; i < 4; i++) {
      wg->Add(1);
      go(worker, jobs, totals, wg);
    }
    for (int i = 0; i < 100; i++) jobs.send(i % 20);
    jobs.close();
    wg->Wait();
    println("jobs:", totals->jobs, "sum:", totals->sum);
  });
}
