#include "tests/gc_programs.h"

#include <map>
#include <memory>
#include <unordered_map>
#include <vector>

namespace gort::test {
namespace {

#if GORT_TSAN
constexpr int kLess = 4;
#else
constexpr int kLess = 1;
#endif

// ---- binary trees ----

struct Tree {
  ptr<Tree> left, right;
  int depth = 0;
};

Tree* bottomUp(int depth) {
  Tree* l = depth > 0 ? bottomUp(depth - 1) : nullptr;
  Tree* r = depth > 0 ? bottomUp(depth - 1) : nullptr;
  return make<Tree>(l, r, depth);
}

int count(Tree* t) {
  if (t->left == nullptr) {
    CHECK_GO(t->right == nullptr && t->depth == 0);
    return 1;
  }
  CHECK_GO(t->left->depth == t->depth - 1 && t->right->depth == t->depth - 1);
  return 1 + count(t->left) + count(t->right);
}

void binaryTrees() {
  constexpr int kDepth = 10;
  Tree* longLived = bottomUp(kDepth);
  auto done = make_chan<int>();
  for (int w = 0; w < 3; w++)
    go([=] {
      int sum = 0;
      for (int i = 0; i < 20 / kLess; i++) sum += count(bottomUp(6));
      done.send(sum);
    });
  for (int w = 0; w < 3; w++) CHECK_GO(done.recv() == 20 / kLess * 127);
  CHECK_GO(count(longLived) == (2 << kDepth) - 1);
}

// ---- a ring that several goroutines cut and join while it is collected ----

struct Node {
  ptr<Node> next;
  ptr<Node> prev;
  std::int64_t id = 0;
  slice<std::int64_t> payload;  // payload[i] == id + i
};

Node* newNode(std::int64_t id) {
  Node* n = make<Node>();
  n->id = id;
  n->payload = make_slice<std::int64_t>(id % 7 + 1);
  for (std::int64_t i = 0; i < n->payload.len(); i++) n->payload[i] = id + i;
  return n;
}

void checkNode(Node* n) {
  CHECK_GO(n->payload.len() == n->id % 7 + 1);
  for (std::int64_t i = 0; i < n->payload.len(); i++) CHECK_GO(n->payload[i] == n->id + i);
}

void rewrittenRing() {
  constexpr int kNodes = 64, kWorkers = 4, kSteps = 300 / kLess;
  struct Shared {
    sync::Mutex mu;
    ptr<Node> head;
    std::int64_t nextID = kNodes;
  };
  Shared* s = make<Shared>();
  Node* first = newNode(0);
  s->head = first;
  Node* last = first;
  for (int i = 1; i < kNodes; i++) {
    Node* n = newNode(i);
    last->next = n;
    n->prev = last;
    last = n;
  }
  last->next = first;
  first->prev = last;
  auto done = make_chan<bool>();
  for (int w = 0; w < kWorkers; w++)
    go([=] {
      Node* mine = nullptr;  // taken out of the ring, only this stack knows it
      for (int i = 0; i < kSteps; i++) {
        s->mu.Lock();
        Node* at = s->head;
        for (int k = 0; k < (i * 7 + w) % 16; k++) at = at->next;
        if (mine == nullptr) {
          // Take one out.
          mine = at->next;
          at->next = mine->next;
          mine->next->prev = at;
          mine->next = nullptr;
          mine->prev = nullptr;
          if (s->head.get() == mine) s->head = at;
        } else {
          // Put it, or a new one in its place, back.
          if (i % 3 == 0) mine = newNode(s->nextID++);
          mine->next = at->next;
          mine->prev = at;
          at->next->prev = mine;
          at->next = mine;
          mine = nullptr;
        }
        s->mu.Unlock();
        if (mine != nullptr) checkNode(mine);
        newNode(i);  // garbage
      }
      s->mu.Lock();
      if (mine != nullptr) {
        Node* at = s->head;
        mine->next = at->next;
        mine->prev = at;
        at->next->prev = mine;
        at->next = mine;
      }
      s->mu.Unlock();
      done.send(true);
    });
  for (int w = 0; w < kWorkers; w++) done.recv();
  int n = 0;
  Node* at = s->head;
  do {
    checkNode(at);
    CHECK_GO(at->next->prev.get() == at);
    at = at->next;
    n++;
  } while (at != s->head.get());
  CHECK_GO(n == kNodes);
}

// ---- pointers that only a stack has, and not to the beginning ----

struct Pair {
  std::int64_t a = 1, b = 2;
};

[[gnu::noinline]] std::int64_t* interior(std::int64_t v) {
  Pair* p = make<Pair>(v, v + 1);
  return &p->b;
}

// The loop below keeps an address in the array, or behind it, and no other.
[[gnu::noinline]] std::int64_t sumSlowly(std::int64_t* p, std::int64_t* end) {
  std::int64_t sum = 0;
  for (; p != end; p++) {
    runtime::Gosched();
    (void)make<Pair>();
    sum += *p;
  }
  return sum;
}

[[gnu::noinline]] std::int64_t behindTheEnd(std::int64_t n) {
  // Exactly a size class, so that one past the end is the next object's address.
  slice<std::int64_t> s = make_slice<std::int64_t>(n);
  for (std::int64_t i = 0; i < n; i++) s[i] = i;
  std::int64_t* end = s.data() + n;
  s = {};
  for (int i = 0; i < 5; i++) {
    make_slice<std::int64_t>(n);
    runtime::Gosched();
  }
  std::int64_t sum = 0;
  for (std::int64_t i = 1; i <= n; i++) sum += end[-i];
  return sum;
}

void stackPointers() {
  auto done = make_chan<bool>();
  for (int w = 0; w < 3; w++)
    go([=] {
      for (std::int64_t i = 0; i < 30 / kLess; i++) {
        std::int64_t* p = interior(i);
        for (int k = 0; k < 10; k++) (void)make<Pair>();
        runtime::Gosched();
        CHECK_GO(*p == i + 1);
        slice<std::int64_t> s = make_slice<std::int64_t>(8);
        for (std::int64_t k = 0; k < 8; k++) s[k] = i + k;
        CHECK_GO(sumSlowly(s.data(), s.data() + 8) == 8 * i + 28);
        for (std::int64_t n : {2, 4, 64, 128}) CHECK_GO(behindTheEnd(n) == n * (n - 1) / 2);
      }
      done.send(true);
    });
  for (int w = 0; w < 3; w++) done.recv();
}

// ---- objects of all sizes ----

void fill(slice<unsigned char> s, unsigned seed) {
  for (std::int64_t i = 0; i < s.len(); i++) s[i] = static_cast<unsigned char>(seed + i * 7);
}
bool filled(slice<unsigned char> s, unsigned seed) {
  for (std::int64_t i = 0; i < s.len(); i++)
    if (s[i] != static_cast<unsigned char>(seed + i * 7)) return false;
  return true;
}

void allSizes() {
  constexpr std::int64_t kSizes[] = {1,    2,    3,     7,     8,      9,     15,   16,
                                     17,   24,   33,    100,   512,    1000,  2048, 5000,
                                     8192, 9999, 32768, 32769, 100000, 300000};
  constexpr std::int64_t kN = std::size(kSizes);
  slice<slice<unsigned char>> held = make_slice<slice<unsigned char>>(kN);
  for (int round = 0; round < 6 / kLess + 1; round++) {
    for (std::int64_t i = 0; i < kN; i++) {
      slice<unsigned char> s = make_slice<unsigned char>(kSizes[i]);
      for (std::int64_t k = 0; k < s.len(); k++) CHECK_GO(s[k] == 0);
      fill(s, static_cast<unsigned>(i) + static_cast<unsigned>(round));
      if (held[i].data() != nullptr)
        CHECK_GO(filled(held[i], static_cast<unsigned>(i) + static_cast<unsigned>(round) - 1));
      held[i] = s;
    }
  }
}

// ---- containers ----

string name(std::int64_t i) {
  string s = "name-";
  s += std::to_string(i);
  return s;
}

// A map of slices of strings, in Go's way with a hash table of collected memory, and in C++'s way.
struct Entry {
  ptr<Entry> next;
  string key;
  slice<string> values;
};

struct Table {
  slice<ptr<Entry>> buckets = make_slice<ptr<Entry>>(37);
  Entry* get(const string& key, bool add) {
    std::int64_t h = static_cast<std::int64_t>(std::hash<string>()(key) % 37);
    for (Entry* e = buckets[h]; e != nullptr; e = e->next)
      if (e->key == key) return e;
    if (!add) return nullptr;
    Entry* e = make<Entry>(buckets[h], key);
    buckets[h] = e;
    return e;
  }
};

void tables() {
  constexpr std::int64_t kKeys = 50, kValues = 12 / kLess;
  Table* t = make<Table>();
  auto* m = new std::unordered_map<std::string, slice<string>>();
  auto* o = new std::map<std::string, std::vector<string>>();
  for (std::int64_t v = 0; v < kValues; v++)
    for (std::int64_t k = 0; k < kKeys; k++) {
      Entry* e = t->get(name(k), true);
      e->values = append(e->values, name(k * 1000 + v));
      auto& s = (*m)[std::string(name(k))];
      s = append(s, name(k * 1000 + v));
      (*o)[std::string(name(k))].push_back(name(k * 1000 + v));
      if (k % 5 == 0) {
        // One that comes and goes.
        (*m)["temporary"] = slice<string>{name(v), name(k)};
        m->erase("temporary");
      }
    }
  for (std::int64_t k = 0; k < kKeys; k++) {
    Entry* e = t->get(name(k), false);
    CHECK_GO(e != nullptr && e->values.len() == kValues);
    auto& s = m->at(std::string(name(k)));
    auto& w = o->at(std::string(name(k)));
    CHECK_GO(s.len() == kValues && w.size() == static_cast<std::size_t>(kValues));
    for (std::int64_t v = 0; v < kValues; v++) {
      CHECK_GO(e->values[v] == name(k * 1000 + v));
      CHECK_GO(s[v] == name(k * 1000 + v));
      CHECK_GO(w[static_cast<std::size_t>(v)] == name(k * 1000 + v));
    }
  }
  delete m;
  delete o;
}

// ---- values that are only in channels, in parked goroutines, in closures and in deferred calls ----

void inFlight() {
  constexpr int kSteps = 40 / kLess;
  auto c = make_chan<Node*>(4);
  auto d = make_chan<slice<string>>();
  auto done = make_chan<bool>();
  go([=] {
    for (int i = 0; i < kSteps; i++) c.send(newNode(i));
    c.close();
  });
  go([=] {
    for (int i = 0; i < kSteps; i++) {
      slice<string> s;
      switch (select(send_case(d, slice<string>{name(i), name(i + 1)}),
                     recv_case(make_chan<slice<string>>(), s))) {
        default:;
      }
    }
    d.close();
  });
  go([=] {
    std::int64_t i = 0;
    for (Node* n : c) {
      make_slice<string>(10);
      CHECK_GO(n->id == i++);
      checkNode(n);
    }
    done.send(true);
  });
  go([=] {
    std::int64_t i = 0;
    for (slice<string> s : d) {
      make_slice<string>(10);
      CHECK_GO(s[0] == name(i) && s[1] == name(i + 1));
      i++;
    }
    done.send(true);
  });
  for (std::int64_t i = 0; i < kSteps; i++) {
    Node* n = newNode(i);
    std::string big(100, 'x');  // makes the closure one that is moved, not copied
    go([=] {
      runtime::Gosched();
      checkNode(n);
      CHECK_GO(big.size() == 100);
      done.send(true);
    });
    func([&](auto& defer) {
      Node* k = newNode(i + 1);
      defer([k, id = i + 1] {
        CHECK_GO(k->id == id);
        checkNode(k);
      });
      k = nullptr;
      make_slice<string>(5);
      runtime::Gosched();
    });
    time::AfterFunc(time::Microsecond, [n = newNode(i), done] {
      checkNode(n);
      done.send(true);
    });
  }
  for (int i = 0; i < 2 + 2 * kSteps; i++) done.recv();
}

// ---- a stack without locks ----

struct Shared {
  sync::atomic::Pointer<Node> top;
};

void atomicPointers() {
  constexpr int kWorkers = 4, kSteps = 100 / kLess;
  Shared* s = make<Shared>();
  auto done = make_chan<int>();
  for (int w = 0; w < kWorkers; w++)
    go([=] {
      int balance = 0;
      for (int i = 0; i < kSteps; i++) {
        Node* n = newNode(i);
        for (;;) {
          Node* top = s->top.Load();
          n->next = top;
          if (s->top.CompareAndSwap(top, n)) break;
        }
        n = nullptr;
        balance++;
        if (i % 3 == 0) runtime::Gosched();
        // The whole stack at once: no node is taken twice, whatever comes in between.
        for (Node* x = s->top.Swap(nullptr); x != nullptr; x = x->next) {
          checkNode(x);
          balance--;
        }
      }
      done.send(balance);
    });
  int sum = 0;
  for (int w = 0; w < kWorkers; w++) sum += done.recv();
  for (Node* x = s->top.Load(); x != nullptr; x = x->next) sum--;
  CHECK_GO(sum == 0);
}

// ---- deep stacks that come and go ----

[[gnu::noinline]] std::int64_t recurse(int depth, Node* n) {
  volatile char pad[200];
  pad[0] = static_cast<char>(depth);
  Node* m = newNode(n->id + 1);
  std::int64_t r = depth == 0 ? m->id : recurse(depth - 1, m);
  checkNode(m);
  checkNode(n);
  CHECK_GO(pad[0] == static_cast<char>(depth));
  return r;
}

void deepStacks() {
  auto done = make_chan<std::int64_t>();
  for (int w = 0; w < 4; w++)
    go([=] {
      std::int64_t last = 0;
      for (int i = 0; i < 6 / kLess + 1; i++) {
        last = recurse(20 + 40 * (i % 3), newNode(0));
        runtime::Gosched();
      }
      done.send(last);
    });
  // Pinned goroutines have a stack that neither moves nor shrinks.
  for (int w = 0; w < 2; w++)
    go_pinned([=] {
      std::map<int, ptr<Node>> local;
      for (int i = 0; i < 20; i++) local[i] = newNode(i);
      std::int64_t last = recurse(30, newNode(0));
      runtime::GC();
      for (int i = 0; i < 20; i++) checkNode(local[i]);
      done.send(last);
    });
  for (int w = 0; w < 6; w++) CHECK_GO(done.recv() > 20);
}

// Globals hold collected pointers as ptrs. A plain pointer keeps its object too.
ptr<Node> globalA, globalB;
Node* globalPlain;

void globals() {
  auto done = make_chan<bool>();
  auto turn = make_chan<bool>(1);
  globalPlain = newNode(77);
  turn.send(true);
  for (int w = 0; w < 2; w++)
    go([=] {
      for (int i = 0; i < 60 / kLess; i++) {
        turn.recv();
        // The two change places and get new nodes, each known to one global only.
        Node* a = globalA;
        Node* b = globalB;
        globalA = b;
        globalB = a;
        if (globalB == nullptr || i % 3 == 0) globalB = newNode(i);
        if (globalA == nullptr || i % 4 == 0) globalA = newNode(i + 1000);
        a = b = nullptr;
        make_slice<string>(20);
        checkNode(globalA);
        checkNode(globalB);
        turn.send(true);
      }
      done.send(true);
    });
  done.recv();
  done.recv();
  checkNode(globalPlain);
  CHECK_GO(globalPlain->id == 77);
  globalPlain = nullptr;
  globalA = globalB = nullptr;
}

}  // namespace

const GcProgram kGcPrograms[] = {
    {"binary trees", binaryTrees},
    {"rewritten ring", rewrittenRing},
    {"stack pointers", stackPointers},
    {"all sizes", allSizes},
    {"tables", tables},
    {"in flight", inFlight},
    {"atomic pointers", atomicPointers},
    {"deep stacks", deepStacks},
    {"globals", globals},
    {nullptr, nullptr},
};

}  // namespace gort::test
