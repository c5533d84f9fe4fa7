// A goroutine's stack is moved while the goroutine holds the locks of its channels: it is about to
// park in a send, a receive or a select (the argument says in which), has queued itself, and the next
// function that it enters finds no room on the stack.
//
// The script takes the room away. With the fix the copy leaves the locks alone, because g says that
// its sudogs' channels are not unlocked; the value arrives on the new stack. If a copy locks the
// channels of all sudogs there are, the thread waits for locks that it holds itself.

#include <cstdio>

#include "chaos/script.h"
#include "runtime/go.h"
#include "tests/history/36a432f27bbc/channel.h"

using namespace gort;
using chaos::Point;

namespace {

std::atomic<bool> done;

void owner() {
  const runtime::uintptr before = runtime::getg()->stack.lo;
  scenario::ownerOperates();
  if (runtime::getg()->stack.lo == before) runtime::fatal("the stack was not moved");
  done = true;
}

void mainmain() {
  scenario::c = make_chan<long>();
  scenario::never = make_chan<long>();
  chaos::WakeScript();
  go(owner);
  while (!scenario::ownerQueued()) runtime::Gosched();
  scenario::partnerOperates();
  while (!done) runtime::Gosched();
  std::fprintf(stderr, "scenario: the value arrived\n");
}

}  // namespace

int main(int argc, char** argv) {
  scenario::theCase = argc > 1 ? argv[1] : "receive";
  chaos::Script script;
  script.On(Point::chan_queued).MoveStack();
  script.On(Point::selectgo_queued).MoveStack();
  script.InstallAsleep();
  return Main(argc, argv, [] { mainmain(); });
}
