// Two goroutines make short system calls one after the other, while another stops the world and starts it again,
// and has all Ps pass a barrier, time and again: every call returns, each P passes once, and the next stop
// comes to its end as well.
#include <sys/syscall.h>

#include <atomic>

#include "runtime/go.h"
#include "runtime/proc.h"
#include "runtime/sema.h"
#include "runtime/syscall.h"

using namespace gort;

namespace {

constexpr int kCallers = 2;
constexpr int kCalls = 12;
constexpr int kStops = 4;

std::atomic<int> passed;

void calls(int number, chan<int> done) {
  const int self = syscall::Getpid();
  for (int i = 0; i < kCalls; i++) {
    if (syscall::Syscall(SYS_getpid) != self) panic("a system call's result is lost");
    if (i % 4 == number) runtime::Gosched();
  }
  done.send(number);
}

}  // namespace

int main(int argc, char** argv) {
  return gort::Main(argc, argv, [] {
    // Fewer Ps than goroutines: whoever loses one in a call meets it again in somebody else's hands.
    runtime::GOMAXPROCS(2);
    auto done = make_chan<int>(kCallers);
    for (int i = 0; i < kCallers; i++) go(calls, i, done);
    for (int i = 0; i < kStops; i++) {
      runtime::MemStats stats;
      runtime::ReadMemStats(&stats);
      if (i % 2 == 0) continue;
      runtime::semacquire(&runtime::worldsema);
      passed = 0;
      runtime::forEachP(runtime::waitReasonFlushProcCaches, [](runtime::p*) { passed++; });
      runtime::semrelease(&runtime::worldsema);
      if (passed != runtime::GOMAXPROCS(0)) panic("a P has not passed, or twice");
    }
    for (int i = 0; i < kCallers; i++) done.recv();
  });
}
