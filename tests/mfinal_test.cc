// Finalizers: order, resurrection, tiny and many objects, what closures keep, errors. Some of the
// scenarios are Go's (mfinal_test.go, test/finprofiled.go, test/tinyfin.go).
//
// Objects are made on goroutines that have ended when the collector looks: a stack is scanned
// conservatively, so an address that an old frame has left may keep an object.
#include <array>
#include <atomic>
#include <vector>

#include "tests/harness.h"

using namespace gort;
using namespace gort::test;
namespace rt = gort::runtime;

namespace {

// Runs f on a goroutine of its own and waits for its end.
template <class F>
void elsewhere(F f) {
  auto done = make_chan<bool>();
  go([=] {
    f();
    done.close();
  });
  done.recv();
}

// A collection, and then all finalizers that it has found: waits until their goroutine sleeps with
// nothing to do.
void collect() {
  runtime::GC();
  while ((rt::fingStatus.Load() & (rt::fingWait | rt::fingWake)) != rt::fingWait)
    runtime::Gosched();
}

struct Node {
  int value = 0;
  ptr<Node> next;
  std::array<long, 4> data{};
};

}  // namespace

GORT_TEST("a finalizer gets its object, once") {
  auto c = make_chan<int>(10);
  elsewhere([=] {
    auto* n = make<Node>(42, make<Node>(43));
    runtime::SetFinalizer(n, [=](Node* p) { c.send(p->value + p->next->value); });
  });
  for (int i = 0; i < 3; i++) collect();
  CHECK_GO(len(c) == 1 && c.recv() == 85);
  CHECK_GO(runtime::NumGoroutine() == 1);  // the goroutine that runs finalizers is the runtime's
}

// A points to B, B to C. B is reachable from an object with a finalizer until A's has run and A is
// found dead again.
GORT_TEST("a chain is finalized from its head, one object in each cycle") {
  auto c = make_chan<int>(10);
  elsewhere([=] {
    Node* n = nullptr;
    for (int i = 3; i > 0; i--) {
      n = make<Node>(i, n);
      runtime::SetFinalizer(n, [=](Node* p) { c.send(p->value); });
    }
  });
  for (int i = 1; i <= 3; i++) {
    collect();
    CHECK_GO(len(c) == 1 && c.recv() == i);
  }
  collect();
  CHECK_GO(len(c) == 0);
}

GORT_TEST("objects in a circle are not finalized") {
  auto c = make_chan<int>(10);
  elsewhere([=] {
    auto* a = make<Node>(1);
    a->next = make<Node>(2, a);
    runtime::SetFinalizer(a, [=](Node* p) { c.send(p->value); });
  });
  for (int i = 0; i < 3; i++) collect();
  CHECK_GO(len(c) == 0);
}

GORT_TEST("an object that its finalizer makes reachable again lives on") {
  static ptr<Node> saved;
  static std::atomic<int> calls;
  elsewhere([] {
    auto* n = make<Node>(7, make<Node>(8));
    runtime::SetFinalizer(n, [](Node* p) {
      calls++;
      saved = p;
    });
  });
  for (int i = 0; i < 3; i++) {
    collect();
    elsewhere([] {
      for (int k = 0; k < 1000; k++) make<Node>(k)->value++;  // would be put in its place
    });
    elsewhere([] { CHECK_GO(calls == 1 && saved->value == 7 && saved->next->value == 8); });
  }
  saved = nullptr;
  collect();
  CHECK_GO(calls == 1);
}

GORT_TEST("a finalizer may set itself again") {
  static std::atomic<int> calls;
  struct Again {
    void operator()(Node* p) const {
      if (++calls < 5) runtime::SetFinalizer(p, Again());
    }
  };
  elsewhere([] { runtime::SetFinalizer(make<Node>(1), Again()); });
  for (int i = 1; i <= 5; i++) {
    collect();
    CHECK_GO(calls == i);
  }
  collect();
  CHECK_GO(calls == 5);
}

GORT_TEST("a finalizer that is taken off does not run; then another may be set") {
  auto c = make_chan<int>(10);
  elsewhere([=] {
    auto* n = make<Node>(1);
    runtime::SetFinalizer(n, nullptr);  // there is none: no error
    runtime::SetFinalizer(n, [=](Node*) { c.send(1); });
    runtime::SetFinalizer(n, nullptr);
    auto* m = make<Node>(2);
    runtime::SetFinalizer(m, [=](Node*) { c.send(2); });
    runtime::SetFinalizer(m, nullptr);
    runtime::SetFinalizer(m, [=](Node*) { c.send(3); });
  });
  collect();
  CHECK_GO(len(c) == 1 && c.recv() == 3);
}

// The last block of tiny objects may be held by the allocator.
GORT_TEST("tiny objects") {
  static std::atomic<int> calls, wrong;
  constexpr int n = 200;
  elsewhere([] {
    for (int i = 0; i < n; i++) {
      auto* p = make<short>(static_cast<short>(i));
      runtime::SetFinalizer(p, [i](short* q) {
        calls++;
        if (*q != static_cast<short>(i)) wrong++;
      });
    }
    struct Empty {};
    runtime::SetFinalizer(make<Empty>(), [](Empty*) {});
  });
  for (int i = 0; i < 3; i++) collect();
  CHECK_GO(wrong == 0);
  CHECK_GO(calls >= n - 16 && calls <= n);
}

GORT_TEST("10,000 objects of all sizes, with one finalizer after the other") {
  static std::atomic<int> calls, running, wrong;
  constexpr int n = 10000;
  elsewhere([] {
    for (int i = 0; i < n; i++) {
      std::int64_t size = 16 + i % 37 * (i % 11 == 0 ? 128 : 8);
      auto s = make_slice<std::int64_t>(size);
      s[size - 1] = i;
      runtime::SetFinalizer(s.data(), [size, i](std::int64_t* p) {
        if (running++ != 0 || p[size - 1] != i) wrong++;
        if (i % 100 == 0) runtime::Gosched();
        calls++;
        running--;
      });
    }
  });
  for (int i = 0; i < 3; i++) collect();
  CHECK_GO(wrong == 0);
  CHECK_GO(calls >= n * 99 / 100 && calls <= n);
}

GORT_TEST("what a finalizer captures stays alive with it") {
  static std::atomic<int> right;
  elsewhere([] {
    for (int i = 0; i < 100; i++) {
      auto* n = make<Node>(i);
      slice<int> s = {i, i + 1, i + 2};
      string text = string("object ") + std::to_string(i).c_str();
      ptr<Node> other = make<Node>(1000 + i);
      runtime::SetFinalizer(n, [s, text, other](Node* p) {
        bool ok = s[2] == p->value + 2 && other->value == 1000 + p->value &&
                  text == string("object ") + std::to_string(p->value).c_str();
        if (ok) right++;
      });
    }
  });
  auto garbage = [] {
    for (int k = 0; k < 20000; k++) make_slice<int>(3 + k % 20)[0] = -1;
  };
  elsewhere(garbage);
  runtime::GC();
  elsewhere(garbage);
  for (int i = 0; i < 3; i++) collect();
  CHECK_GO(right >= 99);
}

GORT_TEST("objects get finalizers on several goroutines while the collector runs") {
  static std::atomic<int> calls;
  constexpr int goroutines = 4, n = 500;
  auto stop = make_chan<bool>(), done = make_chan<bool>();
  go([=] {
    while (select(recv_case(stop), default_case) != 0) runtime::GC();
    done.send(true);
  });
  for (int k = 0; k < goroutines; k++)
    go([=] {
      for (int i = 0; i < n; i++) {
        auto* p = make<Node>(i, make<Node>(i + 1));
        runtime::SetFinalizer(p, [i](Node* q) {
          CHECK_GO(q->value == i && q->next->value == i + 1);
          calls++;
        });
        if (i % 50 == 0) runtime::Gosched();
      }
      done.send(true);
    });
  for (int k = 0; k < goroutines; k++) done.recv();
  stop.send(true);
  done.recv();
  for (int i = 0; i < 3; i++) collect();
  CHECK_GO(calls >= goroutines * n * 99 / 100 && calls <= goroutines * n);
}

TEST_CASE("a finalizer that panics ends the program") {
  Result r = run_go([] {
    elsewhere([] { runtime::SetFinalizer(make<Node>(), [](Node*) { panic("in a finalizer"); }); });
    runtime::GC();
    select();
  });
  INFO(r.str());
  CHECK(r.status == 2);
  CHECK(r.has("panic: in a finalizer\n"));
  CHECK(r.has("[running]:\n"));
}

TEST_CASE("errors") {
  static Node global;
  const auto nop = [](Node*) {};
  auto fails = [](auto body, const char* text) {
    Result r = run_go(body);
    INFO(r.str());
    CHECK(r.status == 2);
    CHECK(r.has(std::string("fatal error: runtime.SetFinalizer: ") + text + "\n"));
  };
  fails([=] { runtime::SetFinalizer(nullptr, nop); }, "first argument is nil");
  fails([=] { runtime::SetFinalizer(nullptr, nullptr); }, "first argument is nil");
  fails([=] { runtime::SetFinalizer(static_cast<Node*>(nullptr), nop); },
        "pointer not in allocated block");
  fails([=] { runtime::SetFinalizer(ptr<Node>(), nullptr); }, "pointer not in allocated block");
  fails([=] { runtime::SetFinalizer(new Node, nop); }, "pointer not in allocated block");
  fails([=] { runtime::SetFinalizer(new Node, nullptr); }, "pointer not in allocated block");
  fails(
      [=] {
        Node local;
        runtime::SetFinalizer(&local, nop);
      },
      "pointer not in allocated block");
  fails([=] { runtime::SetFinalizer(&make<Node>()->data, [](std::array<long, 4>*) {}); },
        "pointer not at beginning of allocated block");
  fails(
      [=] {
        auto s = make_slice<Node>(3);
        runtime::SetFinalizer(&s[1], nop);
      },
      "pointer not at beginning of allocated block");
  fails(
      [=] {
        auto* n = make<Node>();
        runtime::SetFinalizer(n, nop);
        runtime::SetFinalizer(n, nop);
      },
      "finalizer already set");
  // Global variables are never collected, so that their finalizers are not needed.
  Result r = run_go([=] { runtime::SetFinalizer(&global, nop); });
  CHECK(r.status == 0);
}

TEST_CASE("a finalizer with an address in its creator's stack is refused") {
  Result r = run_go([] {
    int local = 0;
    runtime::SetFinalizer(make<Node>(), [&local](Node*) { local++; });
  });
  INFO(r.str());
  CHECK(r.status == 2);
  CHECK(r.has("holds an address of its creator's stack"));
}
