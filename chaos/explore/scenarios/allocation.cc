// Goroutines on all Ps make objects of every kind: tiny ones that share a block, small ones, some without
// pointers, and large ones that come and go; and leave them to others in closures, channels and tables, while
// collections run, have to be helped, and begin before the last one is swept. Nobody's object is freed or
// given out twice.
#include <cstdlib>

#include "runtime/go.h"
#include "runtime/goruntime.h"
#include "runtime/proc.h"
#include "runtime/sema.h"
#include "runtime/sync.h"

using namespace gort;

namespace {

constexpr int kAllocators = 3;
constexpr int kRounds = 30;
constexpr int kBarriers = 6;
constexpr int kSlots = 6;
constexpr std::int64_t kLarge = 5 << 10;  // words: more than a small object has

struct Node {
  std::int64_t id;
  ptr<Node> next;
  std::int64_t again;
};

struct Tiny {
  ptr<std::int16_t> half;
  ptr<char> byte;
  ptr<std::int32_t> word;
  int id = 0;
};

// What somebody keeps.
struct Table {
  ptr<Node> nodes[kSlots];
  Tiny tiny[kSlots];
  slice<std::int64_t> words[kSlots];
};

Node* fresh(std::int64_t id, Node* next) {
  auto* n = make<Node>();
  n->id = n->again = id;
  n->next = next;
  return n;
}

void check(const Node* n) {
  for (; n != nullptr; n = n->next)
    if (n->id != n->again || n->id <= 0) panic("an object was freed early");
}

// One of three is kept, the others make the block's memory their neighbours'.
void makeTiny(Tiny* t, int id) {
  t->id = 0;
  for (int i = 0; i < 3; i++) {
    t->half = make<std::int16_t>();
    t->byte = make<char>();
    t->word = make<std::int32_t>();
    if (*t->half != 0 || *t->byte != 0 || *t->word != 0) panic("a tiny object is not empty");
    *t->half = static_cast<std::int16_t>(id);
    *t->byte = static_cast<char>(id);
    *t->word = id;
  }
  t->id = id;
}

void check(const Tiny& t) {
  if (t.id != 0 && (*t.half != static_cast<std::int16_t>(t.id) ||
                    *t.byte != static_cast<char>(t.id) || *t.word != t.id))
    panic("a tiny object was freed early");
}

slice<std::int64_t> makeWords(std::int64_t n, std::int64_t id) {
  auto words = make_slice<std::int64_t>(n);
  for (std::int64_t i = 0; i < n; i += 64) {
    if (words[i] != 0) panic("memory is not empty");
    words[i] = id;
  }
  words[n - 1] = id;
  return words;
}

void check(const slice<std::int64_t>& words) {
  for (std::int64_t i = 0; i < len(words); i += 64)
    if (words[i] != words[len(words) - 1]) panic("memory without pointers was freed early");
}

ptr<Table> tables[kAllocators];

void allocator(int number, chan<ptr<Node>> store, sync::WaitGroup* wg) {
  auto* table = make<Table>();
  tables[number] = table;
  for (int i = 0; i < kRounds; i++) {
    const int slot = i / 6 % kSlots, id = 1000 * (number + 1) + i;
    switch ((i + number) % 6) {
      case 0:
        check(table->tiny[slot]);
        makeTiny(&table->tiny[slot], id);
        break;
      case 1:
        check(table->nodes[slot]);
        table->nodes[slot] = fresh(id, i % 4 == 0 ? nullptr : table->nodes[(slot + 1) % kSlots]);
        break;
      case 2:
        check(table->words[slot]);
        table->words[slot] = makeWords(kLarge, id);
        break;
      case 3:
        // Nobody but the new goroutine has it.
        wg->Add(1);
        go([held = ptr<Node>(fresh(id, fresh(id + 1, nullptr))), wg] {
          check(held);
          runtime::Gosched();
          check(held);
          wg->Done();
        });
        break;
      case 4: {
        // They stay there for some time.
        ptr<Node> out;
        if (select(send_case(store, ptr<Node>(fresh(id, nullptr))), default_case) == 1 &&
            select(recv_case(store, out), default_case) == 0)
          check(out);
        break;
      }
      default:
        check(table->words[(slot + 3) % kSlots]);
        table->words[(slot + 3) % kSlots] = makeWords(3 << (i % 9), id);
    }
  }
  for (int i = 0; i < kSlots; i++) {
    check(table->nodes[i]);
    check(table->tiny[i]);
    check(table->words[i]);
  }
  wg->Done();
}

}  // namespace

int main(int argc, char** argv) {
  // What is freed is overwritten, marks are checked, and small heaps are collected too.
  setenv("GODEBUG", "clobberfree=1,gccheckmark=1", 0);
  setenv("GOGC", "5", 0);
  return gort::Main(argc, argv, [] {
    auto store = make_chan<ptr<Node>>(4);
    auto* wg = make<sync::WaitGroup>();
    wg->Add(kAllocators + 3);
    for (int i = 0; i < kAllocators; i++) go(allocator, i, store, wg);
    go([=] {
      runtime::GC();
      runtime::debug::FreeOSMemory();
      wg->Done();
    });
    go([=] {
      // The workers are asked to let others go first, again and again.
      for (int i = 0; i < kBarriers; i++) {
        runtime::semacquire(&runtime::worldsema);
        runtime::forEachP(runtime::waitReasonFlushProcCaches, [](runtime::p*) {});
        runtime::semrelease(&runtime::worldsema);
        runtime::Gosched();
      }
      wg->Done();
    });
    go([=] {
      runtime::GC();
      check(fresh(1, fresh(2, nullptr)));
      runtime::GC();
      wg->Done();
    });
    wg->Wait();
    store.close();
    for (const ptr<Node>& n : store) check(n);
  });
}
