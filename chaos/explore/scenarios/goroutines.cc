// Goroutines come and go, lock their threads, panic and recover, sleep, and yield: all of them end.
#include "runtime/go.h"
#include "runtime/time.h"

using namespace gort;

namespace {

int fib(int n) { return n < 2 ? n : fib(n - 1) + fib(n - 2); }

void recovers() {
  func([&](auto& defer) {
    defer([] {
      if (!recover()) panic("nothing to recover");
    });
    panic("on purpose");
  });
}

}  // namespace

int main(int argc, char** argv) {
  return gort::Main(argc, argv, [] {
    constexpr int kGoroutines = 24;
    auto done = make_chan<int>(kGoroutines);
    for (int i = 0; i < kGoroutines; i++)
      go([=] {
        switch (i % 6) {
          case 0:
            runtime::LockOSThread();
            runtime::Gosched();
            break;
          case 1:
            time::Sleep(time::Microsecond * (i + 1));
            break;
          case 2:
            recovers();
            break;
          case 3:
            go([=] { done.send(fib(5)); });
            return;
          case 4:
            runtime::Gosched();
            break;
          default:
            if (fib(10) != 55) panic("wrong sum");
        }
        done.send(i);
      });
    // Where goroutines wait on Ps that go away, and on others.
    const int procs = runtime::GOMAXPROCS(0);
    for (int i = 0; i < kGoroutines; i++) {
      if (i % 8 == 0) runtime::GOMAXPROCS(i % 16 == 0 ? 1 : procs);
      done.recv();
    }
    runtime::GOMAXPROCS(procs);
  });
}
