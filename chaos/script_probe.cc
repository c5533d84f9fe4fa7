// What a script does, shown one behaviour at a time; script_test.sh says what each must print. The
// program comes to points of its own accord: which ones does not matter.

#include <sys/syscall.h>
#include <unistd.h>

#include <cstdio>
#include <string>
#include <string_view>

#include "chaos/actions.h"
#include "chaos/helper.h"
#include "chaos/script.h"
#include "chaos/watcher.h"
#include "runtime/go.h"

using namespace gort;
using chaos::Point;

namespace {

std::atomic<int> stage;

void await(int n) {
  while (stage < n) runtime::Gosched();
}

// Conditions, counts and dice of what CHAOS says, over 1000 visits.
void visits() {
  for (int i = 0; i < 1000; i++) POINT(timer_fired_unlocked);
  println("visits", chaos::VisitCount(Point::timer_fired_unlocked));
}

void after() {
  POINT(timer_fired_unlocked);
  POINT(retake_before_cas);
  POINT(timer_fired_unlocked);
  POINT(startm_before_newm);
  POINT(timer_fired_unlocked);
}

// A goroutine comes to its point long before another comes to its own, and goes on after it.
void held(const char* how) {
  auto done = make_chan<bool>();
  go([=] {
    stage = 1;
    POINT(timer_fired_unlocked);
    println(stage == 3 ? how : "NOT held");
    done.send(true);
  });
  await(1);
  for (int i = 0; i < 1000; i++) runtime::Gosched();
  stage = 3;
  POINT(retake_before_cas);
  done.recv();
}

void happensafter() { held("held until the other had come"); }

// The other has been at its point before, which does not count.
void await_() {
  POINT(retake_before_cas);
  held("held until the other came again");
}

GORT_NOINLINE runtime::uintptr stackNow() { return runtime::getg()->stack.lo; }

void movestack() {
  const runtime::uintptr before = stackNow();
  POINT(timer_fired_unlocked);
  println(stackNow() != before ? "moved" : "NOT moved");
}

void asleep() {
  POINT(timer_fired_unlocked);
  chaos::WakeScript();
  POINT(timer_fired_unlocked);
  println("visits", chaos::VisitCount(Point::timer_fired_unlocked));
}

runtime::mutex lockA, lockB;

// Each thread has one lock and wants the other's.
void crossed() {
  go([] {
    runtime::systemstack([] {
      runtime::lock(&lockB);
      stage = 1;
      while (stage < 2) runtime::osyield();
      runtime::lock(&lockA);
    });
  });
  runtime::systemstack([] { runtime::lock(&lockA); });
  while (stage < 1) runtime::systemstack([] { runtime::osyield(); });
  stage = 2;
  runtime::systemstack([] { runtime::lock(&lockB); });
}

// Somebody waits for a lock for a long time, and gets it.
void patient() {
  auto done = make_chan<bool>();
  runtime::systemstack([] { runtime::lock(&lockA); });
  go([done] {
    runtime::systemstack([] {
      stage = 1;
      runtime::lock(&lockA);
      runtime::unlock(&lockA);
    });
    done.send(true);
  });
  while (stage < 1) runtime::systemstack([] { runtime::osyield(); });
  runtime::systemstack([] {
    runtime::usleep(300000);
    runtime::unlock(&lockA);
  });
  done.recv();
  println("got the lock in the end");
}

// Runs f on the system stack with the goroutine out of _Grunning, like a mark worker.
template <class F>
void preemptible(F f) {
  runtime::g* self = runtime::getg();
  runtime::systemstack([&] {
    F g = f;  // not from the stack once it may be moved
    runtime::casGToWaiting(self, runtime::_Grunning, runtime::waitReasonGCMarkTermination);
    g();
    runtime::casgstatus(self, runtime::_Gwaiting, runtime::_Grunning);
  });
}

bool wantedBySomebody(const runtime::g* gp) {
  for (runtime::m* mp = runtime::allm; mp != nullptr; mp = mp->alllink)
    if (mp->waitinggoroutine == gp) return true;
  return false;
}

// A goroutine asks all Ps to pass a safe point, and does not let itself be stopped meanwhile; on one
// of the Ps somebody waits to stop that goroutine.
void barrier() {
  runtime::g* gp = runtime::getg();
  go([gp] { preemptible([gp] { runtime::resumeG(runtime::suspendG(gp)); }); });
  runtime::systemstack([gp] {
    while (!wantedBySomebody(gp)) runtime::osyield();
    runtime::forEachPInternal([](runtime::p*) {});
  });
}

// Somebody waits for a goroutine to stop for a long time, and it does.
void stubborn() {
  runtime::g* gp = runtime::getg();
  auto done = make_chan<bool>();
  go([gp, done] {
    preemptible([gp] { runtime::resumeG(runtime::suspendG(gp)); });
    done.send(true);
  });
  runtime::systemstack([gp] {
    while (!wantedBySomebody(gp)) runtime::osyield();
    runtime::usleep(800000);
  });
  done.recv();
  println("stopped in the end");
}

void holding() {
  POINT(timer_fired_unlocked);
  runtime::systemstack([] {
    runtime::lock(&runtime::sched.lock);
    POINT(timer_fired_unlocked);
    runtime::unlock(&runtime::sched.lock);
  });
  POINT(timer_fired_unlocked);
}

// Waits until what was asked for at a point has been done.
void awaitGranted(chaos::Request r) {
  while (chaos::Granted(r) == 0) runtime::Gosched();
}

void collected() {
  runtime::debug::GCStats before, after;
  runtime::debug::ReadGCStats(&before);
  POINT(timer_fired_unlocked);
  awaitGranted(chaos::Request::kCollect);
  runtime::debug::ReadGCStats(&after);
  println(after.NumGC > before.NumGC ? "collected" : "NOT collected");
}

void stopped() {
  POINT(timer_fired_unlocked);
  awaitGranted(chaos::Request::kStopWorld);
  println("stopped and started");
}

void passed() {
  POINT(timer_fired_unlocked);
  awaitGranted(chaos::Request::kBarrier);
  println("all have passed");
}

// A P is taken from a goroutine in a system call, which then comes back as if nothing had been.
void retaken() {
  auto done = make_chan<int>();
  for (int i = 0; i < 4; i++)
    go([=] {
      runtime::cgocall([] { runtime::usleep(20000); });
      done.send(1);
    });
  time::Sleep(time::Millisecond * 2);
  POINT(timer_fired_unlocked);
  awaitGranted(chaos::Request::kRetake);
  for (int i = 0; i < 4; i++) done.recv();
  println("all have come back");
}

// Out of ThreadSanitizer's sight, as the request for the move is, which orders the move behind this.
__attribute__((disable_sanitizer_instrumentation)) GORT_NOINLINE runtime::uintptr stackOf(
    const runtime::g* gp) {
  return gp->stack.lo;
}

// The stack of a goroutine that is parked, with an element of a channel on it.
void shrunk() {
  auto c = make_chan<int>();
  auto who = make_chan<runtime::g*>();
  auto done = make_chan<bool>();
  go([=] {
    who.send(runtime::getg());
    done.send(c.recv() == 42);
  });
  runtime::g* gp = who.recv();
  while (runtime::readgstatus(gp) != runtime::_Gwaiting || gp->parkingOnChan.Load())
    runtime::Gosched();
  const runtime::uintptr before = stackOf(gp);
  POINT(timer_fired_unlocked);
  awaitGranted(chaos::Request::kShrink);
  println(stackOf(gp) != before ? "moved while parked" : "NOT moved");
  c.send(42);
  println(done.recv() ? "and well" : "NOT well");
}

// With one P: somebody else gets it although nobody waits for him.
void preempted() {
  auto done = make_chan<bool>(1);
  go([=] {
    stage = 1;
    done.send(true);
  });
  // The first time it may be its own turn again.
  for (int i = 0; i < 3 && stage == 0; i++) {
    POINT(timer_fired_unlocked);
    stackNow();
  }
  println(stage == 1 ? "preempted" : "NOT preempted");
  done.recv();
}

void signalled() {
  auto c = make_chan<os::Signal>(4);
  os::signal::Notify(c, SIGUSR1);
  POINT(timer_fired_unlocked);
  println(c.recv() == SIGUSR1 ? "a signal came" : "NOT that signal");
}

void starved() {
  while (chaos::StarvedFor() == 0) POINT(timer_fired_unlocked);
  println("starved");
}

// Every function that it enters moves its stack.
GORT_NOINLINE int sum(int n) {
  volatile int here = n;
  return n == 0 ? 0 : sum(n - 1) + here;
}
// A preemption request takes the place of the request for the next move. So it begins anew if anything has
// been scheduled meanwhile.
void alwaysmoved() {
  for (;;) {
    const std::int64_t scheduled = chaos::VisitCount(Point::execute_before_running);
    POINT(timer_fired_unlocked);
    const std::int64_t before = chaos::VisitCount(Point::newstack_moved);
    const int result = sum(200);
    const std::int64_t moves = chaos::VisitCount(Point::newstack_moved) - before;
    if (moves <= 200 && chaos::VisitCount(Point::execute_before_running) != scheduled) continue;
    println("sum", result);
    println("moves", moves > 200 ? "many" : "FEW");
    return;
  }
}

std::atomic<int> strangersThread;

// A thread that the runtime does not know, as the one that sends a storm's signals is, ends before the program.
void stranger() {
  chaos::StartThread([](void*) -> void* {
    const chaos::IgnoredByTsan ignored;
    strangersThread = static_cast<int>(::syscall(SYS_gettid));
    return nullptr;
  });
  while (strangersThread == 0) runtime::Gosched();
  runtime::cgocall([] {
    const std::string task = "/proc/self/task/" + std::to_string(strangersThread);
    while (access(task.c_str(), F_OK) == 0) runtime::osyield();
  });
  println("the stranger has gone");
}

struct {
  const char* name;
  void (*run)();
} const kProbes[] = {
    {"collected", collected}, {"stopped", stopped},   {"passed", passed},
    {"retaken", retaken},     {"shrunk", shrunk},     {"preempted", preempted},
    {"signalled", signalled}, {"starved", starved},   {"alwaysmoved", alwaysmoved},
    {"visits", visits},       {"after", after},       {"happensafter", happensafter},
    {"crossed", crossed},     {"patient", patient},   {"holding", holding},
    {"barrier", barrier},     {"stubborn", stubborn}, {"await", await_},
    {"movestack", movestack}, {"asleep", asleep},     {"stranger", stranger},
};

}  // namespace

int main(int argc, char** argv) {
  const std::string_view name = argc > 1 ? argv[1] : "";
  chaos::Script script;
  if (name == "happensafter")
    script.HappensAfter(Point::timer_fired_unlocked, Point::retake_before_cas);
  if (name == "asleep")
    script.InstallAsleep();
  else
    script.Install();
  for (const auto& probe : kProbes)
    if (name == probe.name) return Main(argc, argv, [&] { probe.run(); });
  std::fprintf(stderr, "no such probe\n");
  return 1;
}
