// The thread that has stopped the world is sent a signal, after it has told the receiver of signals to
// make the call too. In the handler it waits for the receiver, and the receiver for the world.
#include "tests/history/7e97e4e8ccdb/allthreads.h"

using namespace gort;
using namespace gort::history;

int main(int argc, char** argv) {
  chaos::Script script;
  script.On(Point::allthreads_receiver_told).Times(1).Signal(SIGHUP);
  script.InstallAsleep();
  return Main(argc, argv, [] {
    listen();
    callAndListen();
  });
}
