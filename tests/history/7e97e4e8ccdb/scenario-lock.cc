// A thread is sent a signal while it holds the lock of its own mFixup, about to make the call. In the
// handler it has to make the call before it can wait for the receiver, and wants that lock.
#include "tests/history/7e97e4e8ccdb/allthreads.h"

using namespace gort;
using namespace gort::history;

namespace {

// The call has begun, and no thread has been sent the signal yet.
runtime::atomic::Bool armed;

GORT_SIGNALSAFE void arm() { armed.Store(true); }

// Without the fix threads come by with nothing to do, too, before the call and after it.
GORT_SIGNALSAFE void signalMyself() {
  if (!armed.Swap(false)) return;
  runtime::rawsyscall(SYS_tgkill, runtime::rawsyscall(SYS_getpid), runtime::gettid(), SIGHUP);
}

}  // namespace

int main(int argc, char** argv) {
  chaos::Script script;
  script.On(Point::allthreads_receiver_told).Times(1).Call(arm);
  script.On(Point::mdofixup_locked).Call(signalMyself);
  script.InstallAsleep();
  return Main(argc, argv, [] {
    listen();
    callAndListen();
  });
}
