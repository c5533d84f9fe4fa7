// A ragged barrier is asked for while a mark worker wants to scan the stack of the goroutine that
// asks.
//
// The main goroutine lets another start a collection, and waits until a mark worker has taken the
// job of scanning the main goroutine's stack. The script holds that worker just before it asks for
// the goroutine to stop, on its P, where it does nothing else meanwhile. The main goroutine then has
// every P run a function, by forEachP, as a tracer does. As soon as the barrier has asked all Ps the
// worker goes on. The barrier waits for the worker's P; that P comes to a safe point when the worker
// has scanned the stack; and that it can if the goroutine that waits for the barrier counts as
// stopped.

#include <cstdio>

#include "chaos/script.h"
#include "runtime/go.h"
#include "runtime/mgc.h"
#include "runtime/sema.h"

using namespace gort;
using chaos::Point;

namespace {

std::atomic<int> ran;
std::atomic<bool> collected;

// Some thread is about to stop gp.
bool wanted(const runtime::g* gp) {
  for (runtime::m* mp = runtime::allm; mp != nullptr; mp = mp->alllink)
    if (mp->waitinggoroutine == gp) return true;
  return false;
}

void mainmain() {
  chaos::WakeScript();
  go([] {
    runtime::GC();
    collected = true;
  });
  while (!wanted(runtime::getg())) runtime::Gosched();
  runtime::semacquire(&runtime::worldsema);
  runtime::forEachP(runtime::waitReasonFlushProcCaches, [](runtime::p*) { ran++; });
  runtime::semrelease(&runtime::worldsema);
  if (ran != runtime::GOMAXPROCS(0)) runtime::fatal("not every P has run the function");
  while (!collected) runtime::Gosched();
  std::fprintf(stderr, "scenario: every P has run the function\n");
}

}  // namespace

int main(int argc, char** argv) {
  chaos::Script script;
  // Goroutine 1 is main's.
  script.On(Point::suspendg_begin).Suspending(1).Times(1).Await(Point::foreachp_before_own);
  script.InstallAsleep();
  return Main(argc, argv, [] { mainmain(); });
}
