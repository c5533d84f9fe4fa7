// The thread that stopped the world has a signal waiting, which it takes when it unblocks its signals
// at the end. It has the only P; in the handler it waits for the receiver of signals, and the receiver
// for a P.
#include "tests/history/7e97e4e8ccdb/allthreads.h"

using namespace gort;
using namespace gort::history;

int main(int argc, char** argv) {
  chaos::Script script;
  script.On(Point::allthreads_receiver_told).Times(1).Signal(SIGHUP);
  script.InstallAsleep();
  return Main(argc, argv, [] {
    runtime::GOMAXPROCS(1);
    listen();
    callAndListen();
  });
}
