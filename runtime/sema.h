// Sleep and wake-up for goroutines, for the contended paths of package sync. Ports sema.go; the
// spinning helpers come from the end of proc.go.
//
// A semaphore is one word. semacquire waits until it is positive and takes one; semrelease adds one
// and wakes a waiter, if any. Every sleep is paired with one wake-up, also when the wake-up comes
// first. What a goroutine wrote before semrelease, the one that semrelease let go reads.
//
// A semaphore that is waited on is remembered by its address, so it must not lie in a stack that
// moves: semacquire1 refuses to block on one inside the caller's own stack.
#pragma once

#include "runtime2.h"

namespace gort::runtime {

void semacquire(atomic::Uint32* addr);
// Profiles that a wait goes into.
using semaProfileFlags = std::uint8_t;
inline constexpr semaProfileFlags semaBlockProfile = 1 << 0;
inline constexpr semaProfileFlags semaMutexProfile = 1 << 1;
// lifo: queue in front of the other waiters. reason stands in tracebacks. skipframes: number of
// frames that traces leave out, counted from the caller.
void semacquire1(atomic::Uint32* addr, bool lifo, semaProfileFlags profile, int skipframes,
                 waitReason reason);
void semrelease(atomic::Uint32* addr);
// handoff: give the unit to the first waiter directly and run it now, in this time slice.
void semrelease1(atomic::Uint32* addr, bool handoff, int skipframes);
// Takes a unit if there is one.
bool cansemacquire(atomic::Uint32* addr);

// Package sync's names for them.
void sync_runtime_Semacquire(atomic::Uint32* addr);
void sync_runtime_SemacquireMutex(atomic::Uint32* addr, bool lifo, int skipframes);
void sync_runtime_SemacquireRWMutexR(atomic::Uint32* addr, bool lifo, int skipframes);
void sync_runtime_SemacquireRWMutex(atomic::Uint32* addr, bool lifo, int skipframes);
void sync_runtime_Semrelease(atomic::Uint32* addr, bool handoff, int skipframes);

// A list of goroutines that wait for a notification, in the order of the tickets they drew.
struct notifyList {
  // Ticket of the next waiter; drawn without the lock.
  atomic::Uint32 wait;
  // Ticket of the next waiter to be notified; written under lock, read without. Both counters wrap
  // around; they are compared by their distance, which stays far below 2^31.
  atomic::Uint32 notify;
  mutex lock;
  // Parked waiters, linked through next; protected by lock.
  sudog* head = nullptr;
  sudog* tail = nullptr;
};

// Draws a ticket, which the caller must then wait for.
std::uint32_t notifyListAdd(notifyList* l);
// Waits until ticket t is notified; returns at once if it has been since notifyListAdd.
void notifyListWait(notifyList* l, std::uint32_t t);
void notifyListNotifyAll(notifyList* l);
void notifyListNotifyOne(notifyList* l);

// Whether ticket a comes before b.
constexpr bool less(std::uint32_t a, std::uint32_t b) {
  return static_cast<std::int32_t>(a - b) < 0;
}

// Whether spinning for the i-th time makes sense: few times, only if another P is at work, and only
// if this P has nothing else to run.
bool sync_runtime_canSpin(int i);
void sync_runtime_doSpin();

// Ends the program if the object lies in the running goroutine's own, movable stack, where no other
// goroutine may look for it. what: «sync: ...», the message.
void checkNotOnStack(const void* obj, const char* what);

// Pins the goroutine to its P, disabling preemption, and returns the P's id.
int procPin();
void procUnpin();

// Called with the world stopped at the start of each collection; null until package sync needs it.
extern void (*poolcleanup)();
void sync_runtime_registerPoolCleanup(void (*f)());

}  // namespace gort::runtime
