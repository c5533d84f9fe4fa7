// A throw out of the allocator while allglock is held.
//
// Sixty goroutines are parked, twenty each in a channel receive, in a select and on a Mutex, so
// that the dump has something to show. The main goroutine then starts goroutines until there are
// more than allgs has room for. allgadd doubles the array, under allglock, and that allocation
// fails: the script makes the runtime throw there. The fatal dump must come out whole; with the bug
// it waits for allglock, which its own thread holds.

#include <cstdio>
#include <cstdlib>

#include "chaos/script.h"
#include "runtime/go.h"

using namespace gort;
using chaos::Point;

namespace {

constexpr int kParkedEach = 20;
// Room in allgs is doubled each time: one of so many go statements meets a full array.
constexpr int kGoStatements = 200;

sync::Mutex heldByMain;

void receiver(chan<int> never) { never.recv(); }

void selector(chan<int> never, chan<int> alsoNever) {
  select(recv_case(never), recv_case(alsoNever));
}

void locker() { heldByMain.Lock(); }

// Not one of the sixty, so it waits in another way.
void extra() { chan<int>{}.recv(); }

// How many goroutines have parked for that reason.
int parked(runtime::waitReason reason) {
  int n = 0;
  runtime::systemstack([&] {
    runtime::forEachG([&](runtime::g* gp) {
      if (runtime::readgstatus(gp) == runtime::_Gwaiting && gp->waitreason == reason) n++;
    });
  });
  return n;
}

void awaitParked(runtime::waitReason reason) {
  while (parked(reason) < kParkedEach) runtime::Gosched();
}

void mainmain() {
  auto never = make_chan<int>();
  auto alsoNever = make_chan<int>();
  heldByMain.Lock();
  for (int i = 0; i < kParkedEach; i++) {
    go(receiver, never);
    go(selector, never, alsoNever);
    go(locker);
  }
  awaitParked(runtime::waitReasonChanReceive);
  awaitParked(runtime::waitReasonSelect);
  awaitParked(runtime::waitReasonSyncMutexLock);
  for (int i = 0; i < kGoStatements; i++) go(extra);
  std::fprintf(stderr, "scenario: allgs never grew\n");
  std::exit(1);
}

}  // namespace

int main(int argc, char** argv) {
  chaos::Script script;
  // The first allocation under allglock is the one for the first goroutine, at boot; the second
  // must make room for the 65th.
  script.On(Point::mallocgc_begin).Holding("allglock").Times(1).Off();
  script.On(Point::mallocgc_begin).Holding("allglock").Throw("out of memory (injected)");
  script.Install();
  return Main(argc, argv, [] { mainmain(); });
}
