// Growing stacks. Behaviours of Go's stack_test.go; names are those of Go's tests.
#include <string>
#include <vector>

#include "tests/harness.h"
#include "tests/stackmove.h"

using namespace gort;
using namespace gort::test;

namespace {

// Each frame has a variable that the frame above points to.
GORT_NOINLINE void growStackIter(int* p, int n) {
  *p = n + 1;
  if (n == 0) return;
  int x = 0;
  growStackIter(&x, n - 1);
  CHECK_GO(x == n);
}

GORT_NOINLINE void growStack() {
  for (int i = 0; i < 1 << 8; i++) {
    int x = 0;
    growStackIter(&x, i);
    CHECK_GO(x == i + 1);
  }
}

template <class F>
GORT_NOINLINE void atDepth(int n, F& f) {
  char pad[64];
  KEEP_FRAME(pad);
  if (n == 0)
    f();
  else
    atDepth(n - 1, f);
  KEEP_FRAME(pad);
}

// Calls f at every depth, so that for some the stack is used up just when f needs some.
template <class F>
void growStackWithCallback(F f) {
  for (int i = 0; i < 1 << 8; i++) atDepth(i, f);
}

// Uses about kb KiB of stack and calls f.
template <class F>
GORT_NOINLINE void useStackAndCall(int kb, F&& f) {
  char b[1024];
  KEEP_FRAME(b);
  if (kb == 0)
    f();
  else
    useStackAndCall(kb - 1, f);
  KEEP_FRAME(b);
}

// Runs f on a goroutine of its own, and waits.
template <class F>
void onGoroutine(F f) {
  auto done = make_chan<bool>();
  go([=] {
    f();
    done.send(true);
  });
  done.recv();
}

}  // namespace

GORT_TEST("TestStackGrowth") {
  growStack();
  onGoroutine([] { growStack(); });
  onGoroutine([] {
    runtime::LockOSThread();
    growStack();
    runtime::UnlockOSThread();
  });
  onGoroutine([] {
    func([](auto& defer) {
      defer([] { growStack(); });
      useStack(3);
    });
  });
  // in a deferred call of a panic, and after the recovery
  onGoroutine([] {
    int x = 0;
    func([&](auto& defer) {
      defer([&] {
        growStack();
        x++;
        CHECK_GO(recover() == "p");
        growStack();
        x++;
      });
      panic("p");
    });
    growStack();
    CHECK_GO(x == 2);
  });
  // in the function of a timer
  auto done = make_chan<bool>();
  time::AfterFunc(1, [=] {
    growStack();
    done.send(true);
  });
  done.recv();
  // on a stack that does not move
  auto pinned = make_chan<bool>();
  go_pinned([=] {
    growStack();
    pinned.send(true);
  });
  pinned.recv();
}

GORT_TEST("TestStackGrowthCallback") {
  onGoroutine([] {
    auto c = make_chan<int>(1);
    growStackWithCallback([&] {
      c.send(1);
      CHECK_GO(c.recv() == 1);
    });
  });
  onGoroutine([] {
    auto a = make_chan<std::string>(1), b = make_chan<std::string>();
    growStackWithCallback([&] {
      std::string v;
      CHECK_GO(select(send_case(a, std::string("x")), recv_case(b, v)) == 0);
      CHECK_GO(select(recv_case(a, v), recv_case(b, v)) == 0);
      CHECK_GO(v == "x");
    });
  });
  onGoroutine([] {
    auto done = make_chan<bool>();
    growStackWithCallback([&] {
      go([=] { done.send(true); });
      CHECK_GO(done.recv());
    });
  });
  // new in this port: a collected object, a lock, a panic, a timer
  onGoroutine([] {
    auto* mu = make<sync::Mutex>();
    growStackWithCallback([&] {
      mu->Lock();
      auto s = make<slice<int>>(3);
      CHECK_GO(s[2] == 0);
      mu->Unlock();
      func([&](auto& defer) {
        defer([&] { CHECK_GO(recover() == 7); });
        panic(7);
      });
    });
  });
  onGoroutine([] { growStackWithCallback([] { time::Sleep(1); }); });
}

// The deferred call's argument is the address of a local variable that moves.
GORT_TEST("TestDeferPtrs") {
  int y = 0;
  func([&](auto& defer) {
    defer([&] { CHECK_GO(y == 42); });
    defer([](int* p, int x) { *p = x; }, &y, 42);
    growStack();
  });
  CHECK_GO(y == 42);
}

namespace {
struct bigBuf {
  char b[4 * 1024];
};
void deferPtrs(chan<int> c, int depth, bool goexit) {
  func([&](auto& defer) {
    int y = 0;
    defer([&] {
      if (!goexit) CHECK_GO(recover());
      c.send(y);
    });
    defer([](int* p, int x, const bigBuf& b) { *p = x + b.b[99]; }, &y, 42, bigBuf{});
    useStackAndCall(depth, [=] {
      if (goexit) runtime::Goexit();
      panic(1);
    });
  });
}
}  // namespace

// The stack grows as part of the start of the deferred call, at some depth.
GORT_TEST("TestDeferPtrsGoexit") {
  for (int i = 0; i < 60; i++) {
    auto c = make_chan<int>(1);
    go(deferPtrs, c, i, true);
    CHECK_GO(c.recv() == 42);
  }
}

GORT_TEST("TestDeferPtrsPanic") {
  for (int i = 0; i < 60; i++) {
    auto c = make_chan<int>(1);
    go(deferPtrs, c, i, false);
    CHECK_GO(c.recv() == 42);
  }
}

// The chain of panics lies on the stack, which grows while deferred calls run.
GORT_TEST("TestPanicUseStack") {
  static runtime::uintptr pc[1000];
  int seen = 0;
  func([&](auto& defer) {
    defer([&] {
      CHECK_GO(recover() == 1);
      seen++;
      CHECK_GO(runtime::Callers(0, pc) > 3);
      useStackAndCall(100, [&] {
        func([&](auto& defer) {
          defer([&] {
            CHECK_GO(recover() == 2);
            seen++;
            runtime::Callers(0, pc);
            useStackAndCall(200, [&] {
              func([&](auto& defer) {
                defer([&] {
                  CHECK_GO(recover() == 3);
                  seen++;
                  CHECK_GO(runtime::Callers(0, pc) > 200);
                });
                panic(3);
              });
            });
          });
          panic(2);
        });
      });
    });
    panic(1);
  });
  CHECK_GO(seen == 3);
}

// A recovery from far up leaves a stack that can be walked.
GORT_TEST("TestPanicFar") {
  static runtime::uintptr pc[1000];
  int n = 0;
  func([&](auto& defer) {
    defer([&] { n = runtime::Callers(0, pc); });
    defer([&] { CHECK_GO(recover() == 1); });
    useStackAndCall(100, [&] {
      moveMyStack();
      panic(1);
    });
  });
  CHECK_GO(n > 2 && n < 30);
}

// Stacks of all sizes go back to the caches and pools and come out again.
GORT_TEST("TestStackCache") {
  constexpr int goroutines = 50;
  for (int round = 0; round < 3; round++) {
    auto done = make_chan<bool>();
    std::vector<chan<int>> request;
    for (int j = 0; j < goroutines; j++) {
      request.push_back(make_chan<int>());
      go([done, c = request.back()] {
        for (int kb : c) {
          useStackAndCall(kb, [] {});
          done.send(true);
        }
        done.send(false);
      });
    }
    for (int s = 0; s < 5; s++) {
      for (auto& c : request) c.send(1 << s);
      for (int j = 0; j < goroutines; j++) CHECK_GO(done.recv());
    }
    for (auto& c : request) c.close();
    for (int j = 0; j < goroutines; j++) CHECK_GO(!done.recv());
  }
}
