#include "chaos/actions.h"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>

#include "chaos/helper.h"
#include "chaos/spec.h"
#include "runtime/os_linux.h"
#include "runtime/proc.h"
#include "runtime/stack.h"
#include "runtime/stubs.h"

namespace gort::chaos {

constinit Dice dice;
std::atomic<std::uint32_t> requested;

namespace {

// The M that is starved, -1 for none, and until when. Two words: a thread that sees one of an older
// pair sleeps a little too long or not at all.
std::atomic<std::int64_t> starvedM{-1};
std::atomic<std::int64_t> starvedUntil;
std::atomic<std::int64_t> starvedFor;

thread_local bool calling;

runtime::m* MOf(std::int64_t id) {
  for (runtime::m* mp = runtime::allm; mp != nullptr; mp = mp->alllink)
    if (mp->id == id) return mp;
  return nullptr;
}

// One of the Ms that have a thread. Null if the drawn one has gone meanwhile.
runtime::m* DrawM() {
  std::uint64_t n = 0;
  for (runtime::m* mp = runtime::allm; mp != nullptr; mp = mp->alllink)
    if (mp->procid != 0) n++;
  if (n == 0) return nullptr;
  std::uint64_t drawn = dice.Below(n);
  for (runtime::m* mp = runtime::allm; mp != nullptr; mp = mp->alllink)
    if (mp->procid != 0 && drawn-- == 0) return mp;
  return nullptr;
}

}  // namespace

std::int64_t Nanotime() {
  timespec now;
  runtime::rawsyscall(SYS_clock_gettime, CLOCK_MONOTONIC, reinterpret_cast<long>(&now));
  return now.tv_sec * 1000000000 + now.tv_nsec;
}

void CallRuntime(void (*f)()) {
  calling = true;
  f();
  calling = false;
}

bool CallingRuntime() { return calling; }

const runtime::m* CurrentM() {
  runtime::g* gp = runtime::getg();
  return gp == nullptr ? nullptr : static_cast<runtime::m*>(gp->m);
}

runtime::g* MovableGoroutine(runtime::g* gp) {
  if (gp == nullptr || gp->pinned || gp->throwsplit) return nullptr;
  return runtime::readgstatus(gp) == runtime::_Grunning ? gp : nullptr;
}

// The switch back from the system stack takes the limit from g.stackguard0.
void MoveStack(runtime::g* gp) {
  if (gp = MovableGoroutine(gp); gp != nullptr) gp->stackguard0 = runtime::stackForceMove;
}

void Preempt(runtime::g* gp) {
  const runtime::m* self = CurrentM();
  // Who has no P does not hold up a change of allp, and must not read it.
  if (self == nullptr || self->p == nullptr) return;
  // A handler may have interrupted the sanitizer, which preemptone would call again.
  if (runtime::raceenabled && runtime::getg() == self->gsignal) return;
  const std::int32_t n = runtime::allp.len;
  if (n <= 0) return;
  runtime::p* pp =
      runtime::allp[static_cast<std::int32_t>(dice.Below(static_cast<std::uint64_t>(n)))];
  if (pp == nullptr) return;
  if (pp->m != self) {
    calling = true;
    runtime::preemptone(pp);
    calling = false;
  } else if (gp != nullptr && !gp->throwsplit && runtime::readgstatus(gp) == runtime::_Grunning) {
    gp->preempt = true;
    gp->stackguard0 = runtime::stackPreempt;
  }
}

void SendSignal(int sig, std::int64_t target) {
  const long pid = runtime::rawsyscall(SYS_getpid);
  if (target == Action::kProcess) {
    runtime::rawsyscall(SYS_kill, pid, sig);
    return;
  }
  long thread = runtime::gettid();
  if (target != Action::kThisThread) {
    const runtime::m* mp = target == Action::kAnyM ? DrawM() : MOf(target);
    // An M of a number may have no thread yet; any M will do if the drawn one has ended.
    if (target != Action::kAnyM && (mp == nullptr || mp->procid == 0)) return;
    if (mp != nullptr) thread = static_cast<long>(mp->procid);
  }
  runtime::rawsyscall(SYS_tgkill, pid, thread, sig);
}

void Starve(std::uint64_t draw, std::int64_t untilNanotime) {
  std::int64_t n = runtime::sched.mnext;
  if (n <= 0) return;
  starvedUntil = untilNanotime;
  starvedM = static_cast<std::int64_t>(draw % static_cast<std::uint64_t>(n));
}

void SleepIfStarved() {
  const std::int64_t id = starvedM;
  if (id < 0) return;
  const runtime::m* mp = CurrentM();
  if (mp == nullptr || mp->id != id) return;
  const std::int64_t until = starvedUntil;
  const std::int64_t begin = Nanotime();
  if (until > begin) {
    runtime::usleep(static_cast<std::uint32_t>((until - begin + 999) / 1000));
    starvedFor += Nanotime() - begin;
  }
  // Unless another one is starved by now.
  std::int64_t expected = id;
  if (starvedUntil == until) starvedM.compare_exchange_strong(expected, -1);
}

void Ask(Request request) {
  if (requested.fetch_or(RequestBit(request)) != 0) return;
  runtime::rawsyscall(SYS_futex, reinterpret_cast<long>(&requested), FUTEX_WAKE_PRIVATE, 1);
}

std::int64_t StarvedFor() { return starvedFor; }

}  // namespace gort::chaos
