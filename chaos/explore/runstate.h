// What the explorer knows of the run that goes on in this process.
//
// Invariants:
//  - All of it is protected by the turn (turn.h), and is there once: a process explores one run.
//  - It is no root of the collector (goroutine.lds), so that what the collector comes to see is the same
//    whether a run is explored or replayed.
//  - The explorer's functions are called from any place of the runtime, with any locks held. They allocate
//    nothing, and call nothing of the runtime but what makes a system call.
#pragma once

#include <cstddef>
#include <cstdint>

#include "chaos/explore/run.h"
#include "chaos/explore/turn.h"

namespace gort::chaos {

inline constexpr std::int64_t kNever = INT64_MAX;
inline constexpr std::size_t kStackSize = 256 << 10;  // of the explorer, for each thread

struct Thread {
  ThreadView v;
  std::uint32_t turn;  // futex: 1 when the turn has come
  int tid;  // 0 before the thread has run
  bool preempted;  // has lost the turn by a deviation, and has not had it since
  std::uint64_t signals;  // pending, bit sig - 1
  std::uint64_t lastTurn;  // number of its last turn
  std::uint64_t waitNumber;  // order of waiters of one futex
  std::uint64_t ready;  // runnable: result->contended when it became that, or lost the turn
  std::uint32_t yields;  // so far
  std::uint64_t late;  // v.steps at which its last yield gives the turn away; 0: nothing is owed
  std::uint32_t nextDeviation;  // replay: index of its first one not yet passed; config.count: none
};

struct RunState {
  // What does not change during a run.
  RunConfig config;
  RunRecord* result;
  Strategy* strategy;  // null in a replay
  Rule* rule;
  Sequence numbers{0};  // what the program gets as random
  Sequence injections{0};
  char* stacks;  // kMaxThreads of them
  std::int64_t startOfTime;  // ns since 1970 at virtual time 0
  std::int64_t nsPerStep;
  std::int64_t grain;  // config.Grain()
  bool focuses;  // the strategy is asked at some points only, and counts visits of those
  SiteChoice sites;  // the strategy's

  // Who there is (turn.cc, requests.cc).
  Thread threads[kMaxThreads];
  int threadCount;
  int current;  // who has the turn
  std::uint64_t site;  // at which it is (RunRecord::sites); 0: at none
  int ending;  // tid of a thread that has given up the turn for good and is perhaps still there; 0: none
  std::uint64_t turnNumber;
  std::uint64_t waitNumber;
  int daemonLeaps;  // leaps of time since somebody ran who is no daemon

  // Until when the explorer need not be asked (steps.cc).
  std::int64_t granted;  // the budget when it was last set
  std::int64_t fuel;  // gort_explore_fuel, while the explorer runs
  std::int64_t patience;  // contended steps until the strategy wants to be asked
  bool contended;  // more than one thread could go on when the budget was set

  // Threads that wait for each other (verdicts.cc).
  std::uint64_t nextRingLook;  // at result->steps
  std::uint64_t ring;  // at the last look
  int ringLooks;  // at which it was there

  // Allocations, one of which may fail (requests.cc).
  std::uint64_t allocations;  // so far
  std::uint64_t failing;  // number of the one that fails, 0: none
};

extern RunState run;

inline Thread& Self() { return run.threads[run.current]; }

// The runtime's own functions check the stack that they run on, so not even its simplest are called.
[[noreturn]] void End(int status);
void Say(const char* text, int n);  // on standard error
// The run cannot be explored.
[[noreturn]] void Broken(const char* why);
void* MapMemory(std::size_t bytes, const char* what);  // zero; it is there when it is touched
int ThreadId();

// A thread of that M, which is yet to be made, can run from now on: the top of the explorer's stack for it.
void* NewThread(const void* m);

}  // namespace gort::chaos
