// A goroutine's stack is moved while the goroutine holds the locks of its channels: it is about to
// park in a send, a receive or a select (the argument says in which), has queued itself, and the next
// function that it enters finds no room on the stack.
//
// The script takes the room away. With the fix the copy leaves the locks alone, because g says that
// its sudogs' channels are not unlocked; the value arrives on the new stack. If a copy locks the
// channels of all sudogs there are, the thread waits for locks that it holds itself.

#include <cstdio>
#include <string_view>

#include "chaos/script.h"
#include "runtime/chan.h"
#include "runtime/go.h"
#include "runtime/stack.h"

using namespace gort;
using chaos::Point;

namespace {

constexpr long kValue = 0x600d600d600d600d;
constexpr long kNothing = 0x5151515151515151;

std::string_view theCase;
chan<long> c, never;
std::atomic<bool> done;

void check(const char* who, long got) {
  if (got == kValue) return;
  std::fprintf(stderr, "scenario: %s should have 0x%lx and has 0x%lx\n", who, kValue, got);
  runtime::fatal("the value was lost");
}

bool ownerSends() { return theCase == "send" || theCase == "select-send"; }

void owner() {
  const runtime::uintptr before = runtime::getg()->stack.lo;
  long v = kNothing, w = kNothing;
  if (theCase == "send") {
    c.send(kValue);
  } else if (theCase == "receive") {
    select(recv_case(c, v));
  } else if (theCase == "select-send") {
    select(recv_case(never, w), send_case(c, kValue));
  } else {
    select(send_case(never, w), recv_case(c, v));
  }
  if (!ownerSends()) check("the receiver", v);
  if (runtime::getg()->stack.lo == before) runtime::fatal("the stack was not moved");
  done = true;
}

// Who is seen on a queue under the lock has parked for good.
bool ownerQueued() {
  runtime::hchan* ch = c.raw();
  runtime::lock(&ch->lock);
  const bool queued = (ownerSends() ? ch->sendq : ch->recvq).first.LoadRelaxed() != nullptr;
  runtime::unlock(&ch->lock);
  return queued;
}

void mainmain() {
  c = make_chan<long>();
  never = make_chan<long>();
  chaos::WakeScript();
  go(owner);
  while (!ownerQueued()) runtime::Gosched();
  if (ownerSends())
    check("the receiver", c.recv());
  else
    c.send(kValue);
  while (!done) runtime::Gosched();
  std::fprintf(stderr, "scenario: the value arrived\n");
}

}  // namespace

int main(int argc, char** argv) {
  theCase = argc > 1 ? argv[1] : "receive";
  chaos::Script script;
  script.On(Point::chan_queued).MoveStack();
  script.On(Point::selectgo_queued).MoveStack();
  script.InstallAsleep();
  return Main(argc, argv, [] { mainmain(); });
}
