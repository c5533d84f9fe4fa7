// Signals on their way from handlers to goroutines. Ports sigqueue.go.
//
// sigsend, in a handler, puts a signal into sig.mask; signal_recv, on one goroutine, takes it out.
// sig.state says who waits for whom:
//  - sigIdle: nobody;
//  - sigReceiving: the receiver is asleep in sig.note, or about to be: the sender that sets it back
//    to sigIdle wakes it;
//  - sigSending: something was put in while nobody waited: the receiver looks at once;
//  - sigFixup: doAllThreadsSyscall has woken the receiver, so that its thread makes the call. Senders
//    wait for sigIdle, which needs the receiver's thread only, neither a P nor a goroutine; and on that
//    thread they put it themselves.
//
// Invariants:
//  - Every transition is a compare-and-swap by the one who makes it, or, out of sigFixup, a store of
//    the receiver.
//  - A set bit of mask is followed by a transition that makes the receiver look. So several
//    deliveries of one signal may arrive as one, none is lost.
//  - delivering counts the senders that are inside sigsend, from before they look at wanted.
//  - Nothing that a handler calls here takes a lock, allocates, or is seen by TSan.
#pragma once

#include "runtime2.h"

namespace gort::runtime {

// From a handler, or elsewhere. False if nobody wants s.
bool sigsend(std::uint32_t s);
// Blocks until there is a signal, and returns it. One goroutine at a time.
std::uint32_t signal_recv();
// Returns once the signals that were on their way have reached the receiver, and it waits for more.
void signalWaitUntilIdle();

// By os::signal, one at a time.
void signal_enable(std::uint32_t s);
void signal_disable(std::uint32_t s);
void signal_ignore(std::uint32_t s);

void sigInitIgnored(std::uint32_t s);  // the process began with s ignored
bool signal_ignored(std::uint32_t s);

// The goroutine that signal_recv answers. Set by itself; handlers take any recent value, which is right
// on the thread that it runs on.
extern atomic::Racy<struct g*> sigreceiver;

// World stopped: wakes the thread of signal_recv's goroutine, if it sleeps there.
void sigRecvPrepareForFixup();

}  // namespace gort::runtime
