// Programs for the test of storms: each behaves until a storm moves its stack, or counts.

#include <unistd.h>

#include <string_view>

#include "runtime/go.h"
#include "runtime/point.h"
#include "runtime/proc.h"

using namespace gort;

namespace {

GORT_NOINLINE runtime::uintptr stackNow() { return runtime::getg()->stack.lo; }

// True if the stack was moved while the goroutine was at a point.
bool moved() {
  const runtime::uintptr before = stackNow();
  POINT(timer_fired_unlocked);
  return stackNow() != before;
}

void calm() { moved(); }

void panics() {
  if (moved()) panic("moved by the storm");
}

void exits() {
  if (moved()) runtime::exit(3);
}

void hangs() {
  if (moved()) runtime::cgocall([] { pause(); });
}

// Leaves the address of a stack in the heap, as a fault may that was survived.
struct Holder {
  int* p = nullptr;
};
ptr<Holder> kept;
GORT_NOINLINE void keep(int* p) { kept->p = p; }

void damages() {
  int local = 1;
  kept = make<Holder>();
  keep(&local);
}

void always() { panic("in any weather"); }

// Comes to one point ten thousand times.
void counts() {
  for (int i = 0; i < 10000; i++) POINT(timer_fired_unlocked);
}

// Comes to points for three seconds, in system calls of its own.
void busy() {
  const time::Time begin = time::Now();
  while (time::Since(begin) < time::Second * 3) POINT(timer_fired_unlocked);
}

struct {
  std::string_view name;
  void (*run)();
} const kProbes[] = {
    {"calm", calm},     {"panics", panics}, {"exits", exits}, {"hangs", hangs},
    {"always", always}, {"counts", counts}, {"busy", busy},   {"damages", damages},
};

}  // namespace

int main(int argc, char** argv) {
  for (const auto& probe : kProbes)
    if (argc > 1 && probe.name == argv[1]) return Main(argc, argv, [&] { probe.run(); });
  return 1;
}
