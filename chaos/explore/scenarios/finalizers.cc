// Goroutines set, remove and set again the finalizers of objects that lie side by side, and drop these,
// while collections run: each finalizer that was set last runs once at most, with its object and what it
// holds itself whole, and none of an object that somebody has. Stacks are scanned conservatively, so that a
// dead word in the frame of somebody who waits may keep an object; it keeps few.
#include <atomic>
#include <cstdlib>

#include "runtime/go.h"
#include "runtime/mfinal.h"

using namespace gort;

namespace {

constexpr int kSetters = 2;
constexpr int kEach = 8;  // objects of a setter
constexpr int kObjects = kSetters * kEach;
constexpr std::int64_t kWhole = 0x0b1ec7;

struct Node {
  std::int64_t id;
  std::int64_t whole;
  ptr<Node> next;
};

std::atomic<int> ran[kObjects];
std::atomic<bool> dropped;

Node* fresh(int id) {
  auto* n = make<Node>();
  n->id = id;
  n->whole = kWhole;
  return n;
}

void setter(slice<ptr<Node>> nodes, chan<int> done) {
  for (int i = 0; i < kEach; i++) {
    Node* n = nodes[i];
    if (i % 3 == 1) {
      runtime::SetFinalizer(n, [](Node*) { panic("a finalizer that was removed has run"); });
      runtime::SetFinalizer(n, nullptr);
    }
    // Nobody else has the closure's own object.
    runtime::SetFinalizer(n, [held = ptr<Node>(fresh(static_cast<int>(n->id)))](Node* p) {
      if (p->whole != kWhole || p->next->whole != kWhole) panic("an object was freed early");
      if (held->whole != kWhole || held->id != p->id) panic("what a finalizer holds was freed");
      if (!dropped) panic("a finalizer has run while somebody has its object");
      if (ran[p->id]++ != 0) panic("a finalizer has run twice");
    });
    nodes[i] = nullptr;
    if (i % 2 == 0) runtime::Gosched();
  }
  done.send(0);
}

// In goroutines of their own, which end: main's stack never sees an object.
void everything(chan<int> done) {
  auto all = make_slice<ptr<Node>>(kObjects);
  for (int i = 0; i < kObjects; i++) {
    all[i] = fresh(i);
    all[i]->next = fresh(i);
  }
  auto set = make_chan<int>(kSetters);
  // Side by side: each setter has every second one.
  for (int s = 0; s < kSetters; s++)
    go([=] {
      auto mine = make_slice<ptr<Node>>(kEach);
      for (int i = 0; i < kEach; i++) mine[i] = all[kSetters * i + s];
      setter(mine, set);
    });
  for (int s = 0; s < kSetters; s++) set.recv();
  for (int i = 0; i < kObjects; i++)
    if (all[i]->whole != kWhole || ran[i] != 0) panic("an object was freed early");
  dropped = true;
  for (ptr<Node>& n : all) n = nullptr;
  done.send(0);
}

}  // namespace

int main(int argc, char** argv) {
  setenv("GODEBUG", "clobberfree=1,gccheckmark=1", 0);
  return gort::Main(argc, argv, [] {
    auto done = make_chan<int>(3);
    go(everything, done);
    for (int i = 0; i < 2; i++)
      go([=] {
        runtime::GC();
        done.send(0);
      });
    for (int i = 0; i < 3; i++) done.recv();
    // An object that another one refers to, or that was marked when it was dropped, waits for a later
    // collection.
    int left = kObjects;
    for (int i = 0; left > 0 && i < 10; i++) {
      runtime::GC();
      // Until the goroutine that runs finalizers sleeps again, with nothing to do.
      using runtime::fingStatus, runtime::fingWait, runtime::fingWake;
      while ((fingStatus.Load() & (fingWait | fingWake)) != fingWait) runtime::Gosched();
      // All of the cycle's are queued when GC comes back.
      runtime::forEachQueuedFinalizer(
          [](void*, void*, void*) { panic("a finalizer is queued, and nobody was woken for it"); },
          nullptr);
      left = 0;
      for (const std::atomic<int>& r : ran) left += r == 0;
    }
    if (left > kObjects / 4) panic("finalizers were lost");
  });
}
