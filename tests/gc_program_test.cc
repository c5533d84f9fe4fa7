// The programs of gc_programs.cc under a collector that is always at work: in its usual way, with
// every marking checked by a second one, with the world stopped, with stacks that move at each call.
#include "tests/gc_programs.h"

using namespace gort;
using namespace gort::test;

namespace {

void runAll() {
  for (const GcProgram* p = kGcPrograms; p->name != nullptr; p++) p->run();
}

}  // namespace

GORT_TEST("as it comes") { runAll(); }

GORT_TEST("a collection at every 50th allocation, checked",
          Env{{"GODEBUG", "gcevery=50,gccheckmark=1"}}) {
  runAll();
}

GORT_TEST("freed objects are overwritten", Env{{"GODEBUG", "gcevery=20,clobberfree=1"}}) {
  runAll();
}

GORT_TEST("GOGC=1", Env{{"GOGC", "1"}, {"GODEBUG", "gccheckmark=1,clobberfree=1"}}) { runAll(); }

GORT_TEST("the world is stopped for marking", Env{{"GODEBUG", "gcstoptheworld=1,gcevery=100"}}) {
  runAll();
}

GORT_TEST("the world is stopped for marking and sweeping",
          Env{{"GODEBUG", "gcstoptheworld=2,gcevery=100"}}) {
  runAll();
}

GORT_TEST("stacks move at each call",
          Env{{"GODEBUG", "stackmoveall=1,stackpoison=1,gcevery=200"}}) {
  runAll();
}

GORT_TEST("one goroutine collects all the time", Env{{"GODEBUG", "clobberfree=1"}}) {
  auto* stop = make<std::atomic<bool>>(false);
  auto done = make_chan<bool>();
  go([=] {
    while (!stop->load()) runtime::GC();
    done.send(true);
  });
  runAll();
  stop->store(true);
  done.recv();
}
