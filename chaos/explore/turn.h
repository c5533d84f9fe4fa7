// The turnstile: which thread has the turn, and what the others wait for.
//
// Invariants:
//  - One thread has the turn. Only it runs code of the program, of the runtime and of this file; the
//    others sleep in the kernel, each on a word of its own. So nothing here needs a lock, and every
//    field is protected by the turn.
//  - The turn is handed over by stores and system calls that ThreadSanitizer does not see: it is no
//    happens-before edge, and what is a race without the explorer is one with it.
//  - A thread that does not run is runnable, waits on a futex (perhaps until a time), sleeps until a
//    time, or has ended.
//  - Time stands still but for steps, each of which takes a fixed time, and for leaps: when nobody can
//    run, to when the first sleeper is due.
//  - A signal comes to a thread when it next gets the turn, by a real tgkill of itself: the kernel
//    calls the runtime's handler on the signal stack, and the handler's own steps are steps as well. If
//    it asks for preemption and the thread is at a step, the kill is the step's last act, and the handler
//    finds the thread where the step was called from; otherwise it finds it in the explorer.
#pragma once

#include <cstdint>

#include "chaos/explore/run.h"
#include "runtime/explore.h"

namespace gort::chaos {

struct ThreadView {
  enum State : std::uint8_t { kRunnable, kFutex, kSleeping, kEnded };
  State state;
  bool daemon;
  const void* m;  // its runtime::m; null for the first thread
  const void* g;  // its current runtime::g when it last asked the explorer
  const volatile void* futex;  // kFutex
  std::int64_t due;  // virtual ns, INT64_MAX: never
  std::uint64_t steps;
  std::uint64_t fp;  // the frame in which it last asked the explorer, on its own stack

  // For somebody, or until a time.
  bool Waits() const { return state == kFutex || state == kSleeping; }
};

// Of the current thread, which has made its step or request; each comes back when it has the turn again.
// Somebody has to go on: says who, and hands him the turn.
void Decide(Reason reason);
// Steps have been accounted for: does anybody want to decide? site: the hash of where the last one was, if
// that is one of the strategy's sites.
void AfterSteps(std::uint32_t site = runtime::explore::kNoSite);
// It cannot go on until it is runnable again; or has ended, then this comes back at once.
void WaitForTurn();
// Of thread number `thread`, which calls it before it has ever had the turn.
void AwaitTurn(int thread);

int ThreadCount();
const ThreadView& ViewThread(int thread);
int CurrentThread();
std::uint64_t TotalSteps();
std::int64_t VirtualNow();

}  // namespace gort::chaos
