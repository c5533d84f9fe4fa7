// A thread that is parked is sent a signal, after the receiver of signals was told to make the call,
// and before it is woken to make the call itself. In the handler it waits for the receiver, the
// receiver for the world, and who has stopped the world for this thread.
#include "tests/history/7e97e4e8ccdb/allthreads.h"

using namespace gort;
using namespace gort::history;

namespace {

runtime::atomic::Pointer<runtime::m> parked;

// On the thread that has stopped the world. Returns when the other one is in its handler.
GORT_SIGNALSAFE void signalParked() {
  runtime::m* mp = parked.Load();
  runtime::rawsyscall(SYS_tgkill, runtime::rawsyscall(SYS_getpid), static_cast<long>(mp->procid),
                      SIGHUP);
  while (chaos::VisitCount(Point::sigsend_begin) == 0) runtime::osyield();
}

}  // namespace

int main(int argc, char** argv) {
  chaos::Script script;
  script.On(Point::allthreads_receiver_told).Times(1).Call(signalParked);
  script.InstallAsleep();
  return Main(argc, argv, [] {
    go([] {
      runtime::LockOSThread();
      parked.Store(runtime::getg()->m);
      select();
    });
    listen();
    // Its goroutine blocks for ever; so does its thread.
    while (parked.Load() == nullptr || !parked.Load()->blocked) runtime::Gosched();
    callAndListen();
  });
}
