// A crowd collects at the same time, so that many wait for the ends of the same cycles and come back
// together, while the goal of the heap changes and others allocate: each call comes back, after a cycle that
// began after it.
#include <cstdlib>

#include "runtime/go.h"
#include "runtime/goruntime.h"
#include "runtime/mgc.h"

using namespace gort;

namespace {

constexpr int kCollectors = 14;  // more than a queue of a P holds in builds for exploring
constexpr int kRounds = 2;

struct Node {
  ptr<Node> next;
  std::int64_t id;
};

void collects(chan<int> done) {
  const std::uint32_t before = runtime::work.cycles.Load();
  runtime::GC();
  if (runtime::work.cycles.Load() == before) panic("GC has come back without a cycle");
  done.send(0);
}

}  // namespace

int main(int argc, char** argv) {
  setenv("GODEBUG", "clobberfree=1", 0);
  return gort::Main(argc, argv, [] {
    auto done = make_chan<int>(kCollectors + 2);
    for (int round = 0; round < kRounds; round++) {
      for (int i = 0; i < kCollectors; i++) go(collects, done);
      go([=] {
        const int old = runtime::debug::SetGCPercent(-1);
        runtime::debug::SetGCPercent(old);
        done.send(0);
      });
      go([=] {
        Node* list = nullptr;
        for (int i = 0; i < 10; i++) {
          auto* n = make<Node>();
          n->next = list;
          n->id = i;
          list = n;
          runtime::Gosched();
        }
        for (int i = 9; i >= 0; i--, list = list->next)
          if (list->id != i) panic("an object was freed early");
        done.send(0);
      });
      for (int i = 0; i < kCollectors + 2; i++) done.recv();
    }
  });
}
