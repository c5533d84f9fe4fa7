// What the scenarios share: a goroutine that has asked for SIGHUP, a system call that every thread
// makes, and a signal in the middle of it.
#pragma once

#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include <cstdio>

#include "chaos/script.h"
#include "runtime/go.h"
#include "runtime/os_linux.h"
#include "runtime/proc.h"
#include "runtime/sigqueue.h"

namespace gort::history {

using chaos::Point;

inline chan<os::Signal> hangups;

// From here on SIGHUP goes to hangups, and the receiver of signals is asleep.
inline void listen() {
  hangups = make_chan<os::Signal>(1);
  os::signal::Notify(hangups, SIGHUP);
  runtime::signalWaitUntilIdle();
}

// Makes a harmless call on every thread, then takes the signal that came meanwhile.
inline void callAndListen() {
  chaos::WakeScript();
  if (syscall::AllThreadsSyscall(SYS_prctl, PR_SET_KEEPCAPS, 1) != 0)
    runtime::fatal("prctl failed");
  if (hangups.recv() != SIGHUP) runtime::fatal("not SIGHUP");
  std::fprintf(stderr, "scenario: every thread has made the call, and the signal came\n");
}

}  // namespace gort::history
