// What a script does, shown one behaviour at a time; script_test.sh says what each must print. The
// program comes to points of its own accord: which ones does not matter.

#include <cstdio>
#include <string_view>

#include "chaos/script.h"
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

struct {
  const char* name;
  void (*run)();
} const kProbes[] = {
    {"visits", visits},       {"after", after},       {"happensafter", happensafter},
    {"crossed", crossed},     {"patient", patient},   {"holding", holding},
    {"barrier", barrier},     {"stubborn", stubborn}, {"await", await_},
    {"movestack", movestack}, {"asleep", asleep},
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
