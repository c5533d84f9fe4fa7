// Goroutines in short and in long system calls, one of them locked to its thread, while sysmon takes
// their Ps, the world is stopped and the number of Ps changes: every call returns, and nothing runs twice.
// In the end there is one P, which one goroutine takes into its calls and all others wait for.
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>

#include "runtime/go.h"
#include "runtime/os_linux.h"
#include "runtime/syscall.h"

using namespace gort;

namespace {

constexpr int kCallers = 4;
constexpr int kCalls = 6;
// Microseconds, more than sysmon lets a P stay in a system call: when somebody waits for it, when nobody does.
constexpr unsigned kLong = 60, kVeryLong = 30000;

// Who is at work right now: each goroutine has a number and sets its own bit.
std::atomic<unsigned> working;

void caller(int number, chan<int> done) {
  if (number == 0) runtime::LockOSThread();
  const unsigned bit = 1u << number;
  for (int i = 0; i < kCalls; i++) {
    if ((working.fetch_or(bit) & bit) != 0) panic("a goroutine runs twice");
    if (i % 2 == 0) {
      if (syscall::Syscall(SYS_getpid) != syscall::Getpid())
        panic("a system call's result is lost");
    } else {
      runtime::cgocall([] { runtime::usleep(kLong); });
    }
    if ((working.fetch_and(~bit) & bit) == 0) panic("a goroutine has run twice");
    if (i % 3 == 0) runtime::Gosched();
  }
  done.send(number);
}

}  // namespace

int main(int argc, char** argv) {
  return gort::Main(argc, argv, [] {
    auto done = make_chan<int>(kCallers + 3);
    for (int i = 0; i < kCallers; i++) go(caller, i, done);
    go([=] {
      runtime::GC();
      done.send(0);
    });
    go([=] {
      const int procs = runtime::GOMAXPROCS(2);
      runtime::Gosched();
      runtime::GOMAXPROCS(procs);
      done.send(0);
    });
    // One that only computes, so that there is always work for a P that was taken.
    go([=] {
      volatile int sum = 0;
      for (int i = 0; i < 50; i++) {
        sum = sum + i;
        runtime::Gosched();
      }
      done.send(0);
    });
    for (int i = 0; i < kCallers + 3; i++) done.recv();
    runtime::GOMAXPROCS(1);
    go([=] {
      for (int i = 0; i < 3; i++) {
        runtime::cgocall([] { runtime::usleep(kVeryLong); });
        syscall::Getpid();
      }
      done.send(0);
    });
    done.recv();
  });
}
