// A stack is moved while its owner is blocked on a channel, and the partner comes to that channel in
// the middle of the move. The argument says what the owner is blocked in.
//
// The owner has used much stack and is parked deep in its own: room for the value, or the value, is
// in there. The main goroutine shrinks that stack as the collector does (suspendG, shrinkstack,
// resumeG, on g0). The script holds it at the place where the sudogs point to the new stack already
// and most of the stack is not yet copied, until the partner, on another P, has handed over the
// value and let go of the channel. With the channels' locks taken before that place, the partner
// finds the value in its place, or puts it where it stays. Without, it reads from a stack that
// nobody has written yet, or what it writes is overwritten by the copy.

#include <cstdio>
#include <cstdlib>

#include "chaos/script.h"
#include "runtime/go.h"
#include "tests/history/36a432f27bbc/channel.h"
#include "tests/history/stacks.h"

using namespace gort;
using chaos::Point;

namespace {

// So that there is something to shrink, under ThreadSanitizer as well, where 128 KiB of every stack
// are kept free.
constexpr int kUsedKB = runtime::raceenabled ? 600 : 20;

std::atomic<runtime::g*> ownerG;
std::atomic<int> running;

void owner() {
  scenario::useStack(kUsedKB);
  ownerG = runtime::getg();
  scenario::ownerOperates();
  running--;
}

// Comes to the channel when the stack is being moved.
void partner() {
  running++;
  while (chaos::VisitCount(Point::copystack_after_sudogs) == 0) runtime::Gosched();
  scenario::partnerOperates();
  running--;
}

void mainmain() {
  scenario::c = make_chan<long>();
  scenario::never = make_chan<long>();
  running = 1;
  go(owner);
  go(partner);
  while (running < 2 || !scenario::ownerQueued()) runtime::Gosched();
  chaos::WakeScript();
  scenario::shrink(ownerG);
  if (chaos::VisitCount(Point::copystack_after_sudogs) == 0)
    runtime::fatal("the stack did not move");
  while (running > 0) runtime::Gosched();
  std::fprintf(stderr, "scenario: the value arrived\n");
}

}  // namespace

int main(int argc, char** argv) {
  scenario::theCase = argc > 1 ? argv[1] : "receive";
  // What has not been written yet in a new stack is 0xfd.
  setenv("GODEBUG", "stackpoison=1", 1);
  chaos::Script script;
  script.On(Point::copystack_after_sudogs).Visit(1).Await(Point::chan_handed_over);
  script.InstallAsleep();
  return Main(argc, argv, [] { mainmain(); });
}
