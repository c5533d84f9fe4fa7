// Who waits for whom: the graph of threads and locks, and its cycles. No runtime needed: the
// watcher fills it in, tests make their own.
//
// Each M waits for one lock at most, and each lock has one holder at most, so that the graph is a
// set of chains and a cycle is found by walking. A cycle of threads that are all asleep is a
// deadlock for certain: each lock in it is given back by a thread in it or not at all.
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

// An M that is asleep because it wants a lock.
struct Waiter {
  std::int64_t m = 0;
  std::int64_t thread = 0;  // kernel thread id
  std::int64_t goroutine = 0;  // that it runs, 0 for none
  std::string lock;  // name of the lock
  std::uint64_t lockAddress = 0;
  std::int64_t holder = -1;  // M that holds the lock, -1 if nobody known does
  StackFrame takenIn;  // where the holder took it
  std::vector<StackFrame> stack;  // of this M, innermost first
};

// FindCycle returns the indices of waiters that wait for each other in a ring, in the order of
// waiting: the last waits for a lock of the first. Empty if there is none.
std::vector<std::size_t> FindCycle(const std::vector<Waiter>& waiters);

// OutsideLock is the innermost frame that is not part of the lock itself: the function that asked
// for it. Empty if there is none.
StackFrame OutsideLock(const std::vector<StackFrame>& stack);

// DescribeCycle says it in words, one paragraph for each thread, with its stack.
std::string DescribeCycle(const std::vector<Waiter>& cycle);

// DrawCycle draws it, threads and locks in turn, closed by a line at the right.
std::string DrawCycle(const std::vector<Waiter>& cycle);

}  // namespace gort::chaos
