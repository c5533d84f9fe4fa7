// A thread is sent a signal while it holds the lock of its own mFixup, about to make the call. In the
// handler it has to make the call before it can wait for the receiver, and wants that lock.
#include "tests/history/7e97e4e8ccdb/allthreads.h"

using namespace gort;
using namespace gort::history;

int main(int argc, char** argv) {
  chaos::Script script;
  script.On(Point::mdofixup_locked).Times(1).Signal(SIGHUP);
  script.InstallAsleep();
  return Main(argc, argv, [] {
    listen();
    callAndListen();
  });
}
