// Where an idle M waits for the next timer. Ports the part of netpoll.go and netpoll_epoll.go that
// is left when there are no file descriptors to poll.
//
// Go's poller sleeps in epoll_wait, which counts in milliseconds and is broken by a byte written to
// a pipe. Here it sleeps on a futex, which counts in nanoseconds and is broken by a store.
//
// Invariants:
//  - At most one M waits: who may is decided by swapping sched.lastpoll with 0. Another M may poll
//    with delay 0 at any time, which does not take a break away from the sleeper.
//  - netpollWakeSig is 1 from a netpollBreak until a waiting netpoll has returned for it. It is the
//    futex word, so a break that comes before the sleep keeps the sleeper awake, and more breaks
//    while it is 1 cost nothing.
//  - What was written before netpollBreak is seen after the netpoll that it broke.
#pragma once

#include "runtime2.h"

namespace gort::runtime {

bool netpollinited();
// Called before the first timer is put on a heap; idle Ms wait in netpoll from then on.
// timersLock of some P may be held.
void netpollGenericInit();
// Waits until netpollBreak, at most delay nanoseconds if positive, not at all if 0, for ever if
// negative. A positive delay may end early. Returns the goroutines to run: none in this port.
// Runs on g0, without a P if it waits.
gList netpoll(std::int64_t delay);
// Makes the M that waits in netpoll, or the next to come there, return.
void netpollBreak();
// Whether some goroutine waits for I/O: never in this port.
bool netpollAnyWaiters();

}  // namespace gort::runtime
