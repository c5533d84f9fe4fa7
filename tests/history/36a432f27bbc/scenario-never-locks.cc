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

// So that there is something to shrink, under ThreadSanitizer as well, where 128 KiB of every stack
// are kept free.
constexpr int kUsedKB = runtime::raceenabled ? 600 : 20;

std::string_view theCase;
chan<long> c, never;
std::atomic<runtime::g*> ownerG;
std::atomic<int> running;

void check(const char* who, long got) {
  if (got == kValue) return;
  std::fprintf(stderr, "scenario: %s should have 0x%lx and has 0x%lx\n", who, kValue, got);
  runtime::fatal("the value was lost");
}

// Uses about kb KiB of stack.
GORT_NOINLINE void useStack(int kb) {
  volatile char b[1024];
  b[0] = static_cast<char>(kb);
  if (kb > 1) useStack(kb - 1);
  b[1] = b[0];
}

bool ownerSends() { return theCase == "send" || theCase == "select-send"; }

void owner() {
  useStack(kUsedKB);
  ownerG = runtime::getg();
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
  running--;
}

// Comes to the channel when the stack is being moved.
void partner() {
  running++;
  while (chaos::VisitCount(Point::copystack_after_sudogs) == 0) runtime::Gosched();
  if (ownerSends())
    check("the receiver", c.recv());
  else
    c.send(kValue);
  running--;
}

// The owner is queued on c. Who is seen on a queue under the lock has parked for good.
bool ownerQueued() {
  runtime::hchan* ch = c.raw();
  runtime::lock(&ch->lock);
  const bool queued = (ownerSends() ? ch->sendq : ch->recvq).first.LoadRelaxed() != nullptr;
  runtime::unlock(&ch->lock);
  return queued;
}

// On g0, with the caller's goroutine out of _Grunning, like a mark worker.
void shrink(runtime::g* gp) {
  runtime::g* self = runtime::getg();
  runtime::systemstack([self, gp] {
    // As soon as the goroutine counts as waiting its own stack may be moved, closure and all.
    runtime::g* caller = self;
    runtime::g* owner = gp;
    runtime::casGToWaiting(caller, runtime::_Grunning, runtime::waitReasonGCMarkTermination);
    const runtime::suspendGState state = runtime::suspendG(owner);
    runtime::shrinkstack(owner);
    runtime::resumeG(state);
    runtime::casgstatus(caller, runtime::_Gwaiting, runtime::_Grunning);
  });
}

void mainmain() {
  c = make_chan<long>();
  never = make_chan<long>();
  running = 1;
  go(owner);
  go(partner);
  while (running < 2 || !ownerQueued()) runtime::Gosched();
  chaos::WakeScript();
  shrink(ownerG);
  if (chaos::VisitCount(Point::copystack_after_sudogs) == 0)
    runtime::fatal("the stack did not move");
  while (running > 0) runtime::Gosched();
  std::fprintf(stderr, "scenario: the value arrived\n");
}

}  // namespace

int main(int argc, char** argv) {
  theCase = argc > 1 ? argv[1] : "receive";
  // What has not been written yet in a new stack is 0xfd.
  setenv("GODEBUG", "stackpoison=1", 1);
  chaos::Script script;
  script.On(Point::copystack_after_sudogs).Visit(1).Await(Point::chan_handed_over);
  script.InstallAsleep();
  return Main(argc, argv, [] { mainmain(); });
}
