// Goroutines move pointers between the heap, their stacks, channels and globals, and drop what they took
// them from, while collections mark all the time and goroutines help: no object is freed that somebody has.
#include <cstdlib>

#include "runtime/go.h"

using namespace gort;

namespace {

constexpr int kGoroutines = 3;
constexpr int kMoves = 40;
constexpr int kSlots = 8;

struct Node {
  std::int64_t id;
  ptr<Node> next;
  ptr<std::int32_t> tiny;  // shares a block with others
  std::int64_t rest[5];
};

// Goes through channels as one value.
struct Pair {
  ptr<Node> first;
  ptr<Node> second;
};

struct Table {
  ptr<Node> slots[kSlots];
};

ptr<Node> global;
ptr<Table>
    tables[kGoroutines];  // so that marking comes to them by other ways than their owners' stacks
sync::Mutex globalLock;

Node* fresh(std::int64_t id) {
  auto* n = make<Node>();
  n->id = id;
  for (std::int64_t& word : n->rest) word = id;
  n->tiny = make<std::int32_t>();
  *n->tiny = static_cast<std::int32_t>(id);
  return n;
}

void check(const Node* n) {
  for (; n != nullptr; n = n->next) {
    for (const std::int64_t word : n->rest)
      if (word != n->id) panic("an object was freed early");
    if (*n->tiny != n->id) panic("a tiny object was freed early");
  }
}

void mover(int number, chan<Pair> in, chan<Pair> out, chan<int> done) {
  auto* table = make<Table>();
  for (int i = 0; i < kSlots; i++) table->slots[i] = fresh(1000 * number + i);
  tables[number - 1] = table;
  Node* hand = fresh(number);  // nobody but this stack has it
  for (int i = 0; i < kMoves; i++) {
    // Now and then it is put down, and another one taken up.
    if (i % 3 == 0) {
      ptr<Node>& place = table->slots[(i / 3 + 5) % kSlots];
      Node* up = place;
      place = hand;
      hand = up;
    }
    check(hand);
    ptr<Node>& slot = table->slots[i % kSlots];
    Node* taken = slot;
    slot = nullptr;  // only this stack has it now
    check(taken);
    switch (i % 4) {
      case 0:  // to the other end of the table, as the head of a chain of two
        if (taken != nullptr) taken->next = table->slots[kSlots - 1 - i % kSlots];
        table->slots[kSlots - 1 - i % kSlots] = taken;
        break;
      case 1: {  // to somebody else
        ptr<Node>& neighbour = table->slots[(i + 1) % kSlots];
        const Pair gives = {taken, neighbour};
        neighbour = nullptr;
        Pair got = {};
        if (select(send_case(out, gives), recv_case(in, got), default_case) == 1) {
          check(got.first);
          check(got.second);
          slot = got.first;
          table->slots[(i + 2) % kSlots] = got.second;
          neighbour = taken;
        }
        break;
      }
      case 2:  // to all
        globalLock.Lock();
        slot = global;
        global = taken;
        globalLock.Unlock();
        break;
      default:
        if (taken != nullptr) taken->next = nullptr;
        slot = fresh(i);
        table->slots[(i + 3) % kSlots] = taken;
        runtime::Gosched();
    }
  }
  for (const ptr<Node>& n : table->slots) check(n);
  done.send(number);
}

}  // namespace

int main(int argc, char** argv) {
  // What is freed is overwritten, marks are checked, and small heaps are collected too.
  setenv("GODEBUG", "clobberfree=1,gccheckmark=1", 0);
  setenv("GOGC", "5", 0);
  return gort::Main(argc, argv, [] {
    auto ring = make_chan<Pair>(2);
    auto back = make_chan<Pair>();
    auto done = make_chan<int>(kGoroutines + 1);
    for (int i = 0; i < kGoroutines; i++)
      go(mover, i + 1, i % 2 == 0 ? ring : back, i % 2 == 0 ? back : ring, done);
    go([=] {
      for (int i = 0; i < 3; i++) runtime::GC();
      done.send(0);
    });
    for (int i = 0; i < kGoroutines + 1; i++) done.recv();
    check(global);
  });
}
