// Goroutines call functions with frames larger than half of their stacks, or wait on deep stacks for channels
// that are closed or have a value for them, while collections shrink stacks, give them to others and the
// world is stopped: what a frame holds stays, also the pointers into itself, and who waits comes back.
#include "runtime/go.h"

using namespace gort;

namespace {

constexpr int kLarge = 2;  // goroutines with large frames
constexpr int kDeep = 4;  // goroutines that wait
constexpr int kRounds = 2;
constexpr int kWords = 4608;  // of a large frame: 36 KiB, which needs a stack of 64
constexpr int kEach = 128;
constexpr std::int64_t kPattern = 0x57ac57ac57ac0000;

runtime::atomic::Uint32 over;

GORT_NOINLINE void yields(int i) {
  volatile char frame[64];
  frame[0] = static_cast<char>(i);
  if (i % 8 == 0) runtime::Gosched();
  frame[1] = frame[0];
}

GORT_NOINLINE void large(int number) {
  volatile std::int64_t frame[kWords];
  volatile std::int64_t* self = &frame[kEach];
  for (int i = 0; i < kWords; i += kEach) frame[i] = kPattern + number + i;
  yields(number);
  for (int i = 0; i < kWords; i += kEach)
    if (frame[i] != kPattern + number + i) panic("a frame was overwritten");
  if (self != &frame[kEach] || *self != kPattern + number + kEach)
    panic("a pointer was not adjusted");
}

// As many frames of 256 bytes as the depth, each of which knows the one above.
GORT_NOINLINE int deep(int depth, const volatile int* above, chan<int> c, chan<int> other) {
  volatile int frame[64] = {depth};
  int got = -1;
  if (depth > 0) {
    got = deep(depth - 1, frame, c, other);
  } else if (static_cast<bool>(other)) {
    bool ok = false;
    int v = depth - 1;
    select(recv_case(c, v, ok), recv_case(other, v, ok));
    if (!ok && v != 0) panic("a closed channel has left what was there");
    if (ok) got = v;
  } else {
    bool ok = false;
    int v = depth - 1;
    select(recv_case(c, v, ok));
    if (!ok && v != 0) panic("a closed channel has left what was there");
    if (ok) got = v;
  }
  if (above != nullptr && *above != depth + 1) panic("a pointer was not adjusted");
  if (frame[0] != depth) panic("a frame was overwritten");
  return got;
}

}  // namespace

int main(int argc, char** argv) {
  return gort::Main(argc, argv, [] {
    auto done = make_chan<int>(kLarge + kDeep + 2);
    for (int i = 0; i < kLarge; i++)
      go([=] {
        for (int j = 0; over.Load() == 0; j++) large(i + j);
        done.send(0);
      });
    for (int round = 0; round < kRounds; round++) {
      auto c = make_chan<int>(), other = make_chan<int>();
      auto back = make_chan<int>(kDeep + 2);
      for (int i = 0; i < kDeep; i++)
        go([=] {
          // First grown, then little used.
          auto ready = make_chan<int>(1);
          ready.send(i);
          if (deep(40, nullptr, ready, nullptr) != i) panic("a value was lost");
          back.send(deep(i % 2, nullptr, c, i < 2 ? nullptr : other));
        });
      go([=] {
        runtime::GC();
        back.send(-1);
      });
      go([=] {
        for (int i = 0; i < 4; i++) runtime::Gosched();
        c.close();
        back.send(-1);
      });
      for (int i = 0; i < kDeep + 2; i++)
        if (back.recv() != -1) panic("a value has come from a closed channel");
    }
    over.Store(1);
    for (int i = 0; i < kLarge; i++) done.recv();
  });
}
