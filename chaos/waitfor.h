// Who waits for whom: the graph of threads, and its cycles. No runtime needed: the watcher fills it
// in, tests make their own.
//
// An M waits for one thing at a time: a lock, which another M holds; a goroutine that it wants to
// stop (suspendG), which another M runs; a P that has yet to pass a safe point (forEachP) or to stop
// (stopTheWorld), which another M runs; another M that has to make a system call; or, in a signal
// handler, the receiver of signals, which needs a P that another M has. So the graph is a set of chains, and a cycle is found by walking. (forEachP waits
// for several Ps, and for all of them: any one that cannot come will do.) A cycle is a deadlock for
// certain: each thing in it is given back by a thread in it or not at all.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace gort::chaos {

// The exit status of a process in which a deadlock was seen. The report is on its standard error,
// from kReportBegin to kReportEnd: the picture, an empty line, the description.
inline constexpr int kDeadlockSeen = 86;
inline constexpr char kReportBegin[] = "chaos: deadlock seen";
inline constexpr char kReportEnd[] = "chaos: end of the report";

struct StackFrame {
  std::string function;  // as in Go: runtime.tracebackothers
  std::string place;  // file:line, "" if unknown
  bool operator==(const StackFrame&) const = default;
};

// An M that cannot go on before another one has done something.
struct Waiter {
  enum Kind {
    kLock,  // asleep until a lock is free
    kGoroutine,  // in suspendG, spinning until a goroutine stops
    kP,  // in forEachP, until a P has passed a safe point
    kWorld,  // in stopTheWorld, until a P has stopped
    kThread,  // in doAllThreadsSyscall, until another M has made the call
    kReceiver,  // in a signal handler, until the receiver of signals has done something
  };
  Kind kind = kLock;
  std::int64_t m = 0;
  std::int64_t thread = 0;  // kernel thread id
  std::int64_t goroutine = 0;  // that it runs, 0 for none
  std::string wanted;  // name of the lock, "goroutine 7", "P 2"
  std::int64_t holder = -1;  // M that holds the lock or runs the goroutine or the P, -1 for none
  std::string because;  // kReceiver: why the receiver does not run, ending in the holder
  StackFrame takenIn;  // where the holder took the lock
  std::vector<StackFrame> stack;  // of this M, innermost first
};

// FindCycle returns the indices of waiters that wait for each other in a ring, in the order of
// waiting: the last waits for a lock of the first. Empty if there is none.
std::vector<std::size_t> FindCycle(const std::vector<Waiter>& waiters);

// OutsideLock is the innermost frame that is not part of the lock itself or of suspendG: the function
// that asked for it. Empty if there is none.
StackFrame OutsideLock(const std::vector<StackFrame>& stack);

// DescribeCycle says it in words, one paragraph for each thread, with its stack.
std::string DescribeCycle(const std::vector<Waiter>& cycle);

// DrawCycle draws it, threads and locks in turn, closed by a line at the right.
std::string DrawCycle(const std::vector<Waiter>& cycle);

}  // namespace gort::chaos
