// The check for addresses of stacks in heap objects (GODEBUG=heapstackcheck=1).
#include "runtime/heapcheck.h"
#include "tests/harness.h"

using namespace gort;
using namespace gort::test;
namespace rt = gort::runtime;

namespace {

struct Holder {
  long numbers[3];
  long* p;  // where no pointer to a stack may be
};

// Makes the stack large enough for the rest of a scenario, so that it does not move.
GORT_NOINLINE int growStack() {
  volatile char room[16384];
  room[0] = 1;
  return room[0];
}

void check() {
  rt::stopTheWorldGC(rt::stwGCMarkTerm);
  rt::systemstack([] { rt::checkHeapForStackPointers(); });
  rt::startTheWorldGC();
}

}  // namespace

GORT_TEST("a heap that keeps the rule passes") {
  static long global;
  auto* h = make<Holder>();
  auto* other = make<Holder>();
  auto c = make_chan<Holder*>(4);
  h->p = &other->numbers[1];
  other->p = &global;
  c.send(h);
  sync::Mutex* mu = make<sync::Mutex>();
  auto blocked = make_chan<int>();
  go([=] {
    int local = blocked.recv();  // the partner's sudog points into this stack
    mu->Lock();
    blocked.send(local);
  });
  for (int i = 0; i < 10; i++) {
    runtime::Gosched();
    check();
  }
  // The same bits in words that are no pointers.
  auto* numbers = make<std::array<std::uintptr_t, 4>>();
  (*numbers)[0] = reinterpret_cast<std::uintptr_t>(&numbers);
  check();
  blocked.send(1);
  CHECK_GO(blocked.recv() == 1 && c.recv()->p == &other->numbers[1]);
}

GORT_TEST("addresses of a stack that never moves are good") {
  auto done = make_chan<bool>();
  go_pinned([=] {
    long local = 5;
    auto* h = make<Holder>();
    h->p = &local;
    check();
    CHECK_GO(*h->p == 5);
    done.send(true);
  });
  done.recv();
}

TEST_CASE("a stored address of a local is found, with object and goroutine") {
  Result r = run_go([] {
    growStack();
    long local = 5;
    auto* h = make<Holder>();
    h->p = &local;
    println("object", static_cast<void*>(h));
    check();
    println("not found");
  });
  INFO(r.str());
  CHECK(r.status == 2);
  std::string object = r.err.substr(7, r.err.find('\n') - 7);
  CHECK(r.has("runtime: the object at " + object + ", of 32 bytes, holds 0x"));
  CHECK(r.has(" at offset 24: an address in the stack ["));
  CHECK(r.has(") of goroutine 1\n"));
  CHECK(r.has("fatal error: heap object holds the address of a goroutine's stack\n"));
}
