// Goroutines come in waves, grow their stacks, and end, on Ps that pass what is left of them on to each other,
// while collections free their stacks: each begins with memory of its own, and ends once.
#include <atomic>

#include "runtime/go.h"
#include "runtime/sync.h"

using namespace gort;

namespace {

constexpr int kWaves = 3;
constexpr int kGoroutines = 12;

std::atomic<int> ended[kWaves * kGoroutines];

GORT_NOINLINE int deep(int depth, int number) {
  volatile int frame[64] = {number};
  for (int i = 1; i < 64; i++) frame[i] = number + i;
  const int below = depth == 0 ? 0 : deep(depth - 1, number);
  for (int i = 0; i < 64; i++)
    if (frame[i] != number + i) panic("two goroutines have one stack");
  return below + 1;
}

}  // namespace

int main(int argc, char** argv) {
  return gort::Main(argc, argv, [] {
    auto done = make_chan<int>(2);
    for (int i = 0; i < 2; i++)
      go([=] {
        runtime::GC();
        done.send(0);
      });
    for (int wave = 0; wave < kWaves; wave++) {
      auto* wg = make<sync::WaitGroup>();
      wg->Add(kGoroutines);
      for (int i = 0; i < kGoroutines; i++)
        go([=] {
          const int number = wave * kGoroutines + i;
          const int depth = number % 4 == 0 ? 20 : 1;
          if (deep(depth, 1000 * number) != depth + 1) panic("wrong depth");
          // One more, of memory that somebody on another P may have just left.
          if (i % 2 == 0) {
            wg->Add(1);
            go([=] { wg->Done(); });
          }
          if (i % 3 == 0) runtime::Gosched();
          if (ended[number]++ != 0) panic("a goroutine has run twice");
          wg->Done();
        });
      wg->Wait();
    }
    for (int i = 0; i < 2; i++) done.recv();
    for (const std::atomic<int>& n : ended)
      if (n != 1) panic("a goroutine has not run");
  });
}
