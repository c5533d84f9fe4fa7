// Goroutines collect, ask for statistics, have all Ps pass a safe point, make objects of all sizes and keep
// some, while the array of spans grows and stacks shrink: nothing is lost, nothing is freed early.
#include <cstdlib>

#include "runtime/go.h"
#include "runtime/proc.h"
#include "runtime/sema.h"

using namespace gort;

namespace {

struct Node {
  ptr<Node> left;
  ptr<Node> right;
  std::uint64_t check;
};

constexpr std::uint64_t kCheck = 0x6e0d6e0d6e0d6e0d;
constexpr int kDepth = 4;
// As many objects of a span each as take the array of all spans past its first sizes in builds for
// exploring.
constexpr int kSpans = 150;
constexpr int kBarriers = 4;

Node* build(int depth) {
  auto* n = make<Node>();
  n->check = kCheck;
  if (depth == 0) return n;
  n->left = build(depth - 1);
  n->right = build(depth - 1);
  return n;
}

int count(const Node* n) {
  if (n == nullptr) return 0;
  if (n->check != kCheck) panic("an object was freed early");
  return 1 + count(n->left) + count(n->right);
}

void waiter(chan<int> c) {
  volatile char frame[8192];
  frame[0] = 1;
  c.recv();
  frame[1] = frame[0];
}

std::atomic<int> passed;

struct Large {
  char bytes[8192];
};

}  // namespace

int main(int argc, char** argv) {
  // What is freed is overwritten, and marks are checked.
  setenv("GODEBUG", "clobberfree=1,gccheckmark=1", 0);
  return gort::Main(argc, argv, [] {
    auto never = make_chan<int>();
    for (int i = 0; i < 4; i++) go(waiter, never);
    auto done = make_chan<int>(8);
    auto kept = make<slice<ptr<Large>>>();
    *kept = make_slice<ptr<Large>>(0, kSpans);
    go([=] {
      runtime::GC();
      done.send(0);
    });
    go([=] {
      runtime::MemStats stats;
      runtime::ReadMemStats(&stats);
      runtime::GC();
      done.send(0);
    });
    go([=] {
      for (int i = 0; i < 3; i++)
        if (count(build(kDepth)) != (2 << kDepth) - 1) panic("a tree has lost a branch");
      done.send(0);
    });
    go([=] {
      // As a tracer does that flushes every P's buffer.
      for (int i = 0; i < kBarriers; i++) {
        runtime::semacquire(&runtime::worldsema);
        runtime::forEachP(runtime::waitReasonFlushProcCaches, [](runtime::p*) { passed++; });
        runtime::semrelease(&runtime::worldsema);
        if (passed != (i + 1) * runtime::GOMAXPROCS(0)) panic("a P has not passed, or twice");
        runtime::Gosched();
      }
      done.send(0);
    });
    go([=] {
      for (int i = 0; i < kSpans; i++) *kept = append(*kept, ptr<Large>(make<Large>()));
      done.send(0);
    });
    Node* mine = build(kDepth);
    for (int i = 0; i < 5; i++) done.recv();
    if (count(mine) != (2 << kDepth) - 1) panic("main's tree has lost a branch");
  });
}
