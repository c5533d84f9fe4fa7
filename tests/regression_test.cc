// Bugs that this port itself has had, each named after what went wrong.
#include <array>
#include <span>
#include <string>
#include <vector>

#include <fcntl.h>
#include <sys/syscall.h>

#include "tests/harness.h"
#include "tests/stackmove.h"

using namespace gort;
using namespace gort::test;

namespace {

// Fills this part of the stack with addresses of itself, and returns.
GORT_NOINLINE void dirtyStack() {
  std::array<void*, 256> p;
  for (auto& x : p) x = &x;
  KEEP_FRAME(p);
}

// Puts bytes of data over the lower end of what dirtyStack has left in every word.
GORT_NOINLINE int corruptedBytes(unsigned bytes) {
  alignas(8) std::array<unsigned char, 2048> b;
  auto value = [](unsigned i, unsigned k) { return static_cast<unsigned char>(i * 3 + k * 89); };
  KEEP_FRAME(b);
  for (unsigned i = 0; i < b.size(); i += 8)
    for (unsigned k = 0; k < bytes; k++) b[i + k] = value(i, k);
  KEEP_FRAME(b);
  int bad = 0;
  for (int m = 0; m < 5; m++) {
    moveMyStack();
    KEEP_FRAME(b);
    for (unsigned i = 0; i < b.size(); i += 8)
      for (unsigned k = 0; k < bytes; k++) bad += b[i + k] != value(i, k);
  }
  return bad;
}

}  // namespace

// A short written over a part of an old address looks like an address of the stack, and was changed
// when the stack moved.
GORT_TEST("copystack changed two bytes of data over an old address") {
  for (int kb : {1, 20, 200}) {
    useStack(kb);
    for (unsigned bytes : {1, 2}) {
      dirtyStack();
      CHECK_GO(corruptedBytes(bytes) == 0);
    }
  }
}

GORT_TEST("copystack changed two bytes of data over an old address, stacks from the system",
          Env{{"GODEBUG", "stackfaultonfree=1"}}) {
  useStack(20);
  dirtyStack();
  CHECK_GO(corruptedBytes(2) == 0);
}

// Stacks of channels' owners were adjusted when the channel began exactly behind the old stack. Many
// channels and many small stacks, allocated in turn.
GORT_TEST("copystack took the address behind a stack for one of the stack") {
  auto done = make_chan<bool>();
  constexpr int n = 200;
  for (int i = 0; i < n; i++) {
    auto a = make_chan<int>(1), b = make_chan<int>(1);
    go([=] {
      for (int k = 0; k < 20; k++) {
        moveMyStack();
        int v = 0;
        CHECK_GO(select(send_case(a, k), recv_case(b, v)) == 0);
        moveMyStack();
        CHECK_GO(select(recv_case(a, v), recv_case(b, v)) == 0 && v == k);
      }
      done.send(true);
    });
  }
  for (int i = 0; i < n; i++) done.recv();
}

// The padding of an empty closure was read, and could hold an old address of the stack.
GORT_TEST("go of a function without arguments looked at padding") {
  static auto done = make_chan<bool>();
  for (int i = 0; i < 20; i++) {
    dirtyStack();
    go([] { done.send(true); });
    struct closure {
      char c;
      void operator()() const { done.send(c == 'x'); }
    };
    dirtyStack();
    go(closure{'x'});
    CHECK_GO(done.recv() && done.recv());
  }
}

// A string that is sent from a frame points into that frame. The receiver took it while the stack
// copy had redirected the sudog but not the string.
GORT_TEST("a string in flight was adjusted after the channel's lock was free") {
  auto c = make_chan<std::string>();
  auto stop = make_chan<bool>();
  constexpr int n = 4, each = 300;
  for (int i = 0; i < n; i++)
    go([=] {
      for (int k = 0; k < each; k++) c.send("short" + std::to_string(k % 10));
    });
  go([=] {
    while (select(recv_case(stop), default_case) != 0) {
      moveStacks();
      runtime::Gosched();
    }
    stop.send(true);
  });
  for (int i = 0; i < n * each; i++) {
    std::string s = c.recv();
    CHECK_GO(s.size() == 6 && s.starts_with("short") && s[5] >= '0' && s[5] <= '9');
  }
  stop.send(true);
  stop.recv();
}

GORT_TEST("a select over more than ten channels broke the lock ranks") {
  constexpr int n = 40;
  std::vector<selcase<int>> cases;
  std::array<chan<int>, n> c;
  for (auto& x : c) x = make_chan<int>(1);
  for (auto& x : c) cases.push_back(selcase<int>::recv(x));
  for (int i = 0; i < n; i++) {
    c[i].send(i);
    CHECK_GO(select_n(std::span(cases)) == i);
    CHECK_GO(cases[i].ok && cases[i].value == i);
  }
}

// Every Ps caches of sudogs and deferred calls are given back when there are fewer Ps.
GORT_TEST("fewer Ps broke the lock ranks") {
  auto c = make_chan<int>();
  for (int procs : {8, 1, 5, 2, 8, 3}) {
    runtime::GOMAXPROCS(procs);
    for (int i = 0; i < 20; i++)
      go([=] {
        func([&](auto& defer) {
          defer([=] { c.send(i); });
          runtime::Gosched();
        });
      });
    int sum = 0;
    for (int i = 0; i < 20; i++) sum += c.recv();
    CHECK_GO(sum == 190);
  }
}

// Goroutines came back from system calls while a dump looked at how long they had waited.
GORT_TEST("a dump of all goroutines raced with the end of a system call") {
  auto done = make_chan<bool>();
  int fds[2];
  CHECK_GO(syscall::RawSyscall(SYS_pipe2, reinterpret_cast<long>(fds), O_CLOEXEC) == 0);
  for (int i = 0; i < 4; i++)
    go([=, r = fds[0]] {
      char b;
      for (int k = 0; k < 20; k++)
        CHECK_GO(syscall::Syscall(SYS_read, r, reinterpret_cast<long>(&b), 1) == 1);
      done.send(true);
    });
  char buf[512];
  for (int i = 0; i < 80; i++) {
    CHECK_GO(syscall::Syscall(SYS_write, fds[1], reinterpret_cast<long>("x"), 1) == 1);
    if (i % 8 == 0) CHECK_GO(runtime::Stack(buf, true) > 0);
  }
  for (int i = 0; i < 4; i++) done.recv();
}

namespace {
void plainmain() {
  go([] {});
}
}  // namespace

// It did not compile.
TEST_CASE("Main with a function") {
  Result r = run_child([] { Main(0, nullptr, plainmain); });
  CHECK_MESSAGE(r.status == 0, r.str());
}

// Hot functions of the runtime asked for 16 KiB of stack, as if they called libc.
TEST_CASE("a goroutine that uses channels outgrew its first stack") {
  if (runtime::raceenabled) return;  // TSan's functions have no stack check
  Result r = run_go([] {
    auto c = make_chan<long>();
    auto size = make_chan<runtime::uintptr>();
    go([=] {
      for (long v : c) c.send(v + 1);
      auto s = stackbounds();
      size.send(s.hi - s.lo);
    });
    for (long i = 0; i < 10; i++) {
      c.send(i);
      CHECK_GO(c.recv() == i + 1);
    }
    c.close();
    CHECK_GO(size.recv() == runtime::fixedStack);
  });
  CHECK_MESSAGE(r.status == 0, r.str());
}

// «shrinkstack at bad time»: a goroutine that was stopped by a signal has its stack shrunk at its next
// function entry, and if it ended before, the wish went on to the next one in its g.
GORT_TEST("a pinned goroutine came after one whose stack was to shrink") {
  static std::atomic<bool> stop;
  auto done = make_chan<bool>();
  for (int i = 0; i < 10; i++) {
    stop = false;
    go([] {
      while (!stop.load(std::memory_order_relaxed)) {
      }
    });
    runtime::Gosched();
    runtime::GC();
    stop = true;
    while (runtime::NumGoroutine() > 1) runtime::Gosched();
    go_pinned([=] {
      for (int k = 0; k < 3; k++) runtime::GC();
      done.send(true);
    });
    done.recv();
  }
}
