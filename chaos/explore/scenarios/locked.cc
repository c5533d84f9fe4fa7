// Goroutines that are locked to their threads, and one that is not, pass a number round, and wait on it: each
// handover is one from thread to thread, and nobody is run on another one's.
#include <sys/syscall.h>

#include "runtime/go.h"
#include "runtime/syscall.h"
#include "runtime/time.h"

using namespace gort;

namespace {

constexpr int kGoroutines = 4;
constexpr int kFree = 2;  // this one is not locked
constexpr int kRounds = 4;

std::uintptr_t here() { return syscall::Syscall(SYS_gettid); }

void passes(int number, chan<int> in, chan<int> out, chan<int> done) {
  if (number != kFree) runtime::LockOSThread();
  const std::uintptr_t thread = here();
  for (int i = 0; i < kRounds; i++) {
    const int n = in.recv();
    if (number != kFree && here() != thread) panic("who was locked to a thread has left it");
    if (n % 3 == 0) time::Sleep(1);
    out.send(n + 1);
  }
  // The odd ones' threads end with them.
  if (number != kFree && number % 2 == 0) runtime::UnlockOSThread();
  done.send(number);
}

}  // namespace

int main(int argc, char** argv) {
  return gort::Main(argc, argv, [] {
    chan<int> ring[kGoroutines];
    for (chan<int>& c : ring) c = make_chan<int>(1);
    auto done = make_chan<int>(kGoroutines);
    for (int i = 0; i < kGoroutines; i++) go(passes, i, ring[i], ring[(i + 1) % kGoroutines], done);
    ring[0].send(0);
    ring[kFree].send(0);
    for (int i = 0; i < kGoroutines; i++) done.recv();
    if (ring[0].recv() + ring[kFree].recv() != kGoroutines * kRounds) panic("a number was lost");
  });
}
