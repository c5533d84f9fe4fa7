// Stacks are shrunk while a mark worker goes through the spans, and the heap grows by it: the array
// of all spans has to grow, is replaced, and the old one is freed.
//
// Goroutines with large stacks, little of which is still in use, are parked; as many objects are
// made as it takes until allspans is nearly full. Then a collection begins. The script holds the
// first mark worker that goes through the spans, just before it reads the first entry, until the
// array has been replaced. What replaces it is the shrinking of the parked stacks, each of which
// takes a new, smaller stack from the heap: done here by the main goroutine, on another P, as mark
// workers do it, and by these too.

#include <cstdio>
#include <cstdlib>

#include "chaos/script.h"
#include "runtime/go.h"
#include "runtime/mgc.h"
#include "runtime/mheap.h"
#include "runtime/stack.h"
#include "tests/history/stacks.h"

using namespace gort;
using chaos::Point;

namespace {

// Their stacks are so large that one which has been shrunk twice, here and by a mark worker, is still
// a span of its own; and that they are shrunk under ThreadSanitizer as well, where 128 KiB of every
// stack are kept free.
constexpr int kGoroutines = 80;
constexpr int kUsedKB = runtime::raceenabled ? 600 : 200;
// Room in allspans that is left for the shrunk stacks, and for what the collection itself makes.
constexpr runtime::uintptr kRoomLeft = 40;
constexpr std::int64_t kSpansOfOneJob = 512;  // as mgcroots.cc has it
constexpr runtime::uintptr kObject = 8192;

std::atomic<int> parked;
std::atomic<bool> collected;
runtime::g* parkedG[kGoroutines];

void parkWithLargeStack(int i, chan<int> never) {
  scenario::useStack(kUsedKB);
  parkedG[i] = runtime::getg();
  parked++;
  never.recv();
}

runtime::uintptr roomInAllspans() {
  runtime::uintptr room = 0;
  runtime::systemstack([&] {
    runtime::lock(&runtime::mheap_.lock);
    room = runtime::mheap_.allspans.cap - runtime::mheap_.allspans.len;
    runtime::unlock(&runtime::mheap_.lock);
  });
  return room;
}

void mainmain() {
  auto never = make_chan<int>();
  for (int i = 0; i < kGoroutines; i++) go(parkWithLargeStack, i, never);
  while (parked < kGoroutines) runtime::Gosched();
  while (roomInAllspans() > kRoomLeft) runtime::mallocgc(kObject, nullptr);

  chaos::WakeScript();
  go([] {
    runtime::GC();
    collected = true;
  });
  // Until the others have gone through all but the held worker's piece: what happens then happens to
  // that worker.
  while (chaos::VisitCount(Point::markroot_span) == 0 ||
         chaos::VisitCount(Point::markroot_span) <= runtime::work.nspan - kSpansOfOneJob)
    runtime::Gosched();
  for (int i = 0; i < kGoroutines; i++) scenario::shrink(parkedG[i]);
  if (chaos::VisitCount(Point::recordspan_grown) == 0) runtime::fatal("allspans never grew");
  while (!collected) runtime::Gosched();
  std::fprintf(stderr, "scenario: marked with the old array\n");
}

}  // namespace

int main(int argc, char** argv) {
  // One collection, when the scenario wants it: the sweep of an earlier one would keep the array.
  setenv("GOGC", "off", 1);
  chaos::Script script;
  script.On(Point::markroot_span).Visit(1).Await(Point::recordspan_grown);
  script.InstallAsleep();
  return Main(argc, argv, [] { mainmain(); });
}
