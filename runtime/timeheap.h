// Inside the runtime's timers: states and the heap, shared by time.cc (operations on a timer) and
// timeheap.cc (operations on a P's heap). Invariants in time.cc.
#pragma once

#include "timer.h"

namespace gort::runtime {

enum timerStatus : std::uint32_t {
  timerNoStatus,         // new, or has fired
  timerWaiting,          // in a heap, will fire
  timerRunning,          // about to call f
  timerDeleted,          // in a heap, will not fire
  timerRemoving,         // being taken out of its heap
  timerRemoved,          // stopped, in no heap
  timerModifying,        // being changed by modtimer or deltimer
  timerModifiedEarlier,  // in a heap; nextwhen holds an earlier time
  timerModifiedLater,    // in a heap; nextwhen holds the same or a later time
  timerMoving,           // being put in its right place
};

// The structures do not fit each other. Programs can bring that about by using a timer from several
// goroutines or by freeing it, so this is a throw with a text that says what is damaged.
[[noreturn]] void badTimer();

// Ends a short state that this caller entered.
GORT_INLINE void leave(timer* t, timerStatus from, timerStatus to) {
  if (!t->status.CompareAndSwap(from, to)) badTimer();
}

// All of these: pp->timersLock must be held.

// Adds t, which must be on no heap, to pp's.
void doaddtimer(p* pp, timer* t);
// Takes the first timer off pp's heap.
void dodeltimer0(p* pp);
// Moves the first timer, whose when has grown, to its place.
void siftdownTimer0(p* pp);
void updateTimer0When(p* pp);
// Tidies the top of pp's heap, so that programs that make and stop many timers do not drag the
// stopped ones along.
void cleantimers(p* pp);

}  // namespace gort::runtime
