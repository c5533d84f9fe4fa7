// Goroutines with deep stacks wait in send, receive and select, while others collect and so shrink
// their stacks: every value that was sent arrives, once.
#include "runtime/go.h"

using namespace gort;

namespace {

constexpr int kValues = 6;
constexpr int kCollections = 3;
constexpr std::uint64_t kPattern = 0x600d600d600d0000;

// The value is received into the frame of a deep stack, most of which is given up before.
GORT_NOINLINE std::uint64_t receiveDeep(chan<std::uint64_t> c, int depth) {
  volatile char frame[512];
  frame[0] = static_cast<char>(depth);
  if (depth > 0) {
    const std::uint64_t v = receiveDeep(c, depth - 1);
    frame[1] = frame[0];
    return v;
  }
  std::uint64_t value = 0;
  select(recv_case(c, value));
  return value;
}

GORT_NOINLINE void useStack(int depth) {
  volatile char frame[512];
  frame[0] = static_cast<char>(depth);
  if (depth > 0) useStack(depth - 1);
  frame[1] = frame[0];
}

void receiver(chan<std::uint64_t> values, chan<std::uint64_t> done) {
  std::uint64_t sum = 0;
  for (int i = 0; i < kValues; i++) {
    useStack(24);
    const std::uint64_t v = receiveDeep(values, 2);
    if ((v & ~std::uint64_t{0xffff}) != kPattern) panic("a value was damaged");
    sum += v & 0xffff;
  }
  done.send(sum);
}

void selecter(chan<std::uint64_t> a, chan<std::uint64_t> b, chan<std::uint64_t> done) {
  std::uint64_t sum = 0;
  for (int i = 0; i < 2 * kValues; i++) {
    useStack(24);
    std::uint64_t v = 0;
    // The same channel twice, too.
    if (i % 3 == 0)
      select(recv_case(a, v), recv_case(b, v), recv_case(a, v));
    else
      select(recv_case(a, v), recv_case(b, v));
    if ((v & ~std::uint64_t{0xffff}) != kPattern) panic("a value was damaged in select");
    sum += v & 0xffff;
  }
  done.send(sum);
}

void sender(chan<std::uint64_t> c) {
  for (int i = 0; i < kValues; i++) {
    useStack(16);
    c.send(kPattern + static_cast<std::uint64_t>(i));
  }
}

}  // namespace

int main(int argc, char** argv) {
  return gort::Main(argc, argv, [] {
    auto plain = make_chan<std::uint64_t>();
    auto left = make_chan<std::uint64_t>();
    auto right = make_chan<std::uint64_t>(1);
    auto done = make_chan<std::uint64_t>(2);
    go(receiver, plain, done);
    go(selecter, left, right, done);
    go(sender, plain);
    go(sender, left);
    go(sender, right);
    go([] {
      for (int i = 0; i < kCollections; i++) runtime::GC();
    });
    const std::uint64_t each = kValues * (kValues - 1) / 2;
    if (done.recv() + done.recv() != 3 * each) panic("a value was lost");
  });
}
