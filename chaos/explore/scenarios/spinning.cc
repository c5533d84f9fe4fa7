// Goroutines that call functions and never wait, without signals to stop them, while others stop the world,
// collect and grow deep stacks: each request to stop is seen at the next call, and who waits for a P gets one.
#include <atomic>
#include <cstdlib>

#include "runtime/go.h"
#include "runtime/proc.h"
#include "runtime/sema.h"

using namespace gort;

namespace {

constexpr int kSpinners = 2;
constexpr int kStops = 3;

runtime::atomic::Uint32 stop;  // each look at it is a step where this is explored
std::atomic<int> passed;

GORT_NOINLINE int deep(int n) {
  volatile char frame[256];
  frame[0] = static_cast<char>(n);
  return n == 0 ? 0 : deep(n - 1) + 1 + (frame[0] - static_cast<char>(n));
}

void spinner(chan<int> done) {
  while (stop.Load() == 0)
    if (deep(3) != 3) panic("wrong depth");
  done.send(0);
}

}  // namespace

int main(int argc, char** argv) {
  setenv("GODEBUG", "asyncpreemptoff=1", 0);
  return gort::Main(argc, argv, [] {
    auto done = make_chan<int>(kSpinners + 1);
    for (int i = 0; i < kSpinners; i++) go(spinner, done);
    go([=] {
      for (int i = 0; i < kStops; i++) {
        if (deep(60) != 60) panic("wrong depth");
        runtime::Gosched();
      }
      done.send(0);
    });
    for (int i = 0; i < kStops; i++) {
      runtime::GC();
      runtime::MemStats stats;
      runtime::ReadMemStats(&stats);
      runtime::semacquire(&runtime::worldsema);
      passed = 0;
      runtime::forEachP(runtime::waitReasonFlushProcCaches, [](runtime::p*) { passed++; });
      runtime::semrelease(&runtime::worldsema);
      if (passed != runtime::GOMAXPROCS(0)) panic("a P has not passed, or twice");
    }
    // No P is left for who waits, unless sysmon takes one.
    runtime::GOMAXPROCS(kSpinners);
    for (int i = 0; i < 2; i++) runtime::Gosched();
    stop.Store(1);
    for (int i = 0; i < kSpinners + 1; i++) done.recv();
  });
}
