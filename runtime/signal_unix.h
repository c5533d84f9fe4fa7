// Per-thread signal set-up, and what becomes of faults. Ports the part of signal_unix.go and
// os_linux.go that every M needs.
#pragma once

#include "runtime2.h"

namespace gort::runtime {

void initsig();        // installs the handlers of crash signals; once, before the second thread
void mpreinit(m* mp);  // allocates the signal stack; on the creating thread
void minit(m* mp);     // on the new thread: signal stack and mask
void unminit(m* mp);   // on the ending thread

}  // namespace gort::runtime
