// The programs of gc_programs.cc for as long as asked, in random order, with random settings of the
// collector, many at once in one process; nothing may be lost, and in the end the heap must be back
// where it was. GORT_SOAK_SECONDS says for how long (5; the target //tests:gc_soak asks for 600).
#include <random>

#include "tests/gc_programs.h"
#include "tests/soak.h"

using namespace gort;
using namespace gort::test;

namespace {

namespace rt = gort::runtime;

int programs() {
  int n = 0;
  while (kGcPrograms[n].name != nullptr) n++;
  return n;
}

std::uint64_t heapAlloc() {
  auto* m = make<rt::MemStats>();
  rt::ReadMemStats(m);
  return m->HeapAlloc;
}

// Two cycles: what a finalizer or a pool keeps for one is gone with the second.
std::uint64_t collected() {
  for (int i = 0; i < 3; i++) rt::GC();
  return heapAlloc();
}

// Goes over the words below that calls have left.
[[gnu::noinline]] void clearStack() {
  volatile char frame[4000];
  for (std::size_t i = 0; i < sizeof frame; i++) frame[i] = 0;
}

constexpr const char* kFewestPercent = runtime::raceenabled ? "20" : "1";

void soakRound() {
  std::mt19937 random(soakSeed);
  const int n = programs();
  // Those that use globals of their own may not run beside themselves: one goroutine for each program
  // kind, each with some runs.
  kGcPrograms[0].run();
  std::uint64_t floor = collected();
  auto done = make_chan<bool>();
  for (int i = 0; i < n; i++)
    go([i, done, runs = 1 + random() % 3] {
      for (std::uint32_t k = 0; k < runs; k++) kGcPrograms[i].run();
      done.send(true);
    });
  for (std::uint32_t k = random() % 4; k > 0; k--) rt::GC();
  for (int i = 0; i < n; i++) done.recv();
  clearStack();
  std::uint64_t after = collected();
  // What stale words on stacks keep is a matter of luck, and small beside what was allocated.
  CHECK_GO(after < floor + (1 << 20));
}

Env settings(std::mt19937* random) {
  std::string debug =
      "gccheckmark=" + pick(random, {"0", "1", "1"}) + ",clobberfree=" + pick(random, {"0", "1"});
#if GORT_TSAN
  // A cycle takes ten times as long there.
  debug += ",gcevery=" + pick(random, {"0", "1000", "5000"});
#else
  debug += ",gcevery=" + pick(random, {"0", "20", "100", "1000"});
#endif
  debug += ",stackmoveall=" + pick(random, {"0", "0", "1"});
  debug += ",stackpoison=" + pick(random, {"0", "1"});
  debug += ",gcshrinkstackoff=" + pick(random, {"0", "0", "1"});
  debug += ",gcstoptheworld=" + pick(random, {"0", "0", "0", "0", "1", "2"});
  return {{"GODEBUG", debug},
          {"GOGC", pick(random, {kFewestPercent, "50", "100", "400", "off"})},
          {"GOMAXPROCS", pick(random, {"1", "2", "4", "8"})}};
}

}  // namespace

TEST_CASE("soak") { soak("GORT_SOAK_SECONDS", settings, soakRound); }
