// A script: what is to happen at which points, installed before the runtime boots. For scenarios of
// known bugs, which want one interleaving, every time.
//
//   int main(int argc, char** argv) {
//     gort::chaos::Script script;
//     script.On(Point::mallocgc_begin).Holding("allglock").Visit(2).Throw("out of memory");
//     script.HappensAfter(Point::park_m_before_unlockf, Point::selectgo_locked);
//     script.Install();
//     return gort::Main(argc, argv, [] { ... });
//   }
//
// Invariants:
//  - Install is called once in a process, before Main, on the main thread. It takes what the
//    environment says as well (listens.h): rules, a storm, a fault.
//  - What was installed is never changed; what counts visits and firings is atomic. Nothing that
//    happens at a point allocates or takes a lock of the runtime.
//  - All of this is code without instrumentation, so that it gives TSan no happens-before edge:
//    what was a race without the script is one with it.
//  - After a throw has been injected, points are recorded but nothing is injected any more: the
//    dump runs undisturbed.
#pragma once

#include <string_view>
#include <vector>

#include "chaos/spec.h"

namespace gort::chaos {

class Script {
 public:
  // One term under construction. Conditions and limits first; the action ends it.
  class Builder {
   public:
    // This thread holds the lock (a name of chaos/locks.h).
    Builder& Holding(std::string_view lock);
    // The last point that this thread came to before this one is p.
    Builder& After(Point p);
    // This thread is about to stop goroutine goid, in suspendG.
    Builder& Suspending(std::int64_t goid);
    // Any thread's number-th time here, counted from 1.
    Builder& Visit(std::int64_t number);
    // At most n times.
    Builder& Times(std::int64_t n);

    // Gives up with «fatal error: text», on this thread, with the locks that it holds.
    void Throw(std::string_view text);
    void Delay(std::int64_t microseconds);
    void Yield();
    // Waits until another thread has come to p, at any time since the start.
    void HoldUntil(Point p);
    // Waits until another thread comes to p after this one came here.
    void Await(Point p);
    // The stack of the goroutine that runs on this thread is moved by the next function that it
    // enters, as if there were no room for it.
    void MoveStack();
    // Signal sig comes to this thread: at once, unless it is blocked there.
    void Signal(int sig);
    // Calls fn, on a system stack. TSan must not see what it does: GORT_SIGNALSAFE.
    void Call(void (*fn)());
    // Nothing; terms added later are not looked at.
    void Off();

   private:
    friend class Script;
    Builder(Script* script, Point p) : script_(script), point_(p) {}
    void Finish(Action action);
    Script* script_;
    Point point_;
    Term term_;
  };

  // On begins a term for p; it is tried after those that p has already.
  Builder On(Point p) { return Builder(this, p); }

  // HappensAfter makes a thread that comes to `later` wait until another has come to `earlier`.
  Script& HappensAfter(Point later, Point earlier);

  // Add takes rules in the grammar of chaos/spec.h. A mistake in them ends the process with status
  // 2 and a message that says where.
  Script& Add(std::string_view spec);

  // Install adds the rules of CHAOS, sets the runtime's hook and starts the watcher, which ends the
  // process with kDeadlockSeen when threads wait for each other's locks (chaos/watcher.h).
  void Install();

  // InstallAsleep does the same, but nothing is injected or counted before WakeScript: the runtime
  // comes to many points while it boots.
  void InstallAsleep();

 private:
  std::vector<Rule> rules_;
};

// WakeScript begins with what InstallAsleep has put off. At any time, on any thread, once.
void WakeScript();

// One thread's coming to a point.
struct PointVisit {
  std::int64_t m;  // id of the M, -1 for a thread without one
  Point point;
};

// LastVisits returns the newest visits of all threads, oldest first, at most n. May be called from
// any thread at any time; a visit that is just being recorded may be missing.
std::vector<PointVisit> LastVisits(int n);

// VisitCount is how often any thread has come to p while the script was awake. Who has seen a visit
// counted comes to his next point after that visit, as Await has it.
std::int64_t VisitCount(Point p);

}  // namespace gort::chaos
