#include "chaos/explore/requests.h"

#include <errno.h>
#include <signal.h>
#include <sys/syscall.h>

#include <algorithm>
#include <utility>

#include "chaos/explore/deviations.h"
#include "chaos/explore/events.h"
#include "chaos/explore/inject.h"
#include "chaos/explore/runstate.h"
#include "chaos/explore/steps.h"
#include "chaos/explore/verdicts.h"
#include "runtime/os_linux.h"
#include "runtime/proc.h"
#include "runtime/stubs.h"

namespace gort::chaos {

namespace {

using runtime::explore::Kind;
using runtime::explore::Request;

// What a stretch without steps counts as when its fuel is spent, in steps.
constexpr std::int64_t kSpentFuel = runtime::explore::kFuel / kAccesses;
// Threads that wait for each other and yield all the time fall into step, and each has its turn only where
// the others have stopped for theirs. So once a thread has yielded kYieldsAtOnce times, one in
// kYieldsToOneLate of its yields comes up to kLateSteps of its steps later.
constexpr std::uint32_t kYieldsAtOnce = 100;
constexpr std::uint32_t kYieldsToOneLate = 4;
constexpr std::uint64_t kLateSteps = 200;
// A program that is about to end yields so often first. What a thread that is held back would come upon is seen
// by nobody once the program has ended.
constexpr int kLastYields = 4;
// Between the explorer's frames and those of what a signal handler asks it: the kernel's frame lies
// elsewhere, on the signal stack.
constexpr std::size_t kNestedGap = 4096;

// ---- signals ----

// atStep: the thread is at a step and in no other request. A signal that asks for preemption comes when it leaves
// that, for it does something only where it interrupts a goroutine's own code.
void DeliverSignals(bool atStep) {
  Thread& self = Self();
  constexpr std::uint64_t kPreempt = 1ull << (SIGURG - 1);
  const std::uint64_t here = atStep ? ~kPreempt : ~0ull;
  while ((self.signals & here) != 0) {
    const int sig = __builtin_ctzll(self.signals & here) + 1;
    self.signals &= ~(1ull << (sig - 1));
    EventSignal(sig, "delivered");
    void* top = runtime::explore::gort_explore_stack;
    const auto below = reinterpret_cast<std::uintptr_t>(__builtin_frame_address(0)) - kNestedGap;
    runtime::explore::gort_explore_stack = reinterpret_cast<void*>(below & ~std::uintptr_t{63});
    Grant();
    runtime::rawsyscall(SYS_tgkill, runtime::rawsyscall(SYS_getpid), self.tid, sig);
    Settle();
    runtime::explore::gort_explore_stack = top;
  }
  if (self.signals == 0) return;
  self.signals = 0;
  EventSignal(SIGURG, "delivered");
  using runtime::explore::gort_explore_kill;
  gort_explore_kill[0] = static_cast<int>(runtime::rawsyscall(SYS_getpid));
  gort_explore_kill[1] = self.tid;
  gort_explore_kill[2] = SIGURG;
}

void Interrupt(int thread, int sig) {
  Thread& t = run.threads[thread];
  t.signals |= 1ull << (sig - 1);
  EventSignal(sig, "sent", thread);
  if (t.v.Waits()) MakeRunnable(thread);
}

// ---- requests ----

// The thread of that M; -1 if it has ended, or is yet to come.
int ThreadOfM(const void* m) {
  if (m == &runtime::m0) return 0;
  for (int i = 0; i < run.threadCount; i++)
    if (run.threads[i].v.m == m && run.threads[i].v.state != ThreadView::kEnded) return i;
  return -1;
}

int ThreadOfStack() {
  const auto at = reinterpret_cast<std::uintptr_t>(__builtin_frame_address(0));
  return static_cast<int>((at - reinterpret_cast<std::uintptr_t>(run.stacks)) / kStackSize);
}

// At most `wanted` of the threads that wait on that futex; says how many there were.
std::int64_t Wake(const void* futex, std::int64_t wanted) {
  Expire();
  std::int64_t woken = 0;
  while (woken < wanted) {
    int waiters[kMaxThreads];
    int n = 0;
    for (int i = 0; i < run.threadCount; i++)
      if (run.threads[i].v.state == ThreadView::kFutex && run.threads[i].v.futex == futex)
        waiters[n++] = i;
    if (n == 0) break;
    std::sort(waiters, waiters + n,
              [](int a, int b) { return run.threads[a].waitNumber < run.threads[b].waitNumber; });
    int chosen = 0;
    if (n > wanted - woken) {
      if (!run.config.replay)
        chosen = run.strategy->Wakes(n);
      else if (const Deviation* d = Take(Deviation::kWake); d != nullptr)
        chosen = d->what < static_cast<std::uint32_t>(n) ? static_cast<int>(d->what) : 0;
      if (chosen != 0) Record(Deviation::kWake, static_cast<std::uint32_t>(chosen), false);
    }
    MakeRunnable(waiters[chosen]);
    EventWake(waiters[chosen]);
    woken++;
  }
  if (woken == 0) return 0;
  Account(1);
  Decide(Reason::kWoken);
  return woken;
}

void SleepOn(const volatile void* futex, std::int64_t ns) {
  Account(1);
  Thread& self = Self();
  if (self.signals != 0) return;  // as if interrupted
  self.v.state = futex != nullptr ? ThreadView::kFutex : ThreadView::kSleeping;
  self.v.futex = futex;
  self.v.due = ns < 0 || ns > kNever - run.result->now ? kNever : run.result->now + ns;
  self.waitNumber = ++run.waitNumber;
  EventWait(futex, ns);
  WaitForTurn();
}

// Whether this yield comes later. Nothing but the thread and its yields so far decides that, so that a
// replay need not know.
bool Postpones() {
  Thread& self = Self();
  if (++self.yields <= kYieldsAtOnce || self.late != 0) return false;
  Sequence sequence(DeriveSeed(self.yields, static_cast<std::uint64_t>(run.current)));
  if (sequence.Below(kYieldsToOneLate) != 0) return false;
  self.late =
      self.v.steps + (1 + sequence.Below(kLateSteps)) * static_cast<std::uint64_t>(run.grain);
  return true;
}

void Step() {
  if (run.fuel == 0) {
    run.fuel = runtime::explore::kFuel;
    Account(kSpentFuel);
    LookForLivelock();
    Expire();
    Decide(Reason::kYield);
    return;
  }
  if (std::exchange(runtime::explore::gort_explore_arrived, false))
    AfterSteps(runtime::explore::SiteHash(run.site));
  else
    AfterSteps();
}

void Yield() {
  Account(1);
  Expire();
  if (Postpones()) return;
  Self().late = 0;
  Decide(Reason::kYield);
}

// To the first thread unless somebody decides otherwise. Other than in the kernel, one that blocks the
// signal keeps it until it does not.
void SignalProcess(int sig) {
  Account(1);
  int thread = 0;
  if (!run.config.replay)
    thread = static_cast<int>(run.injections.Below(static_cast<std::uint64_t>(run.threadCount)));
  else if (const Deviation* d = Take(Deviation::kSignal))
    thread = d->what < kMaxThreads ? static_cast<int>(d->what) : 0;
  if (thread >= run.threadCount || run.threads[thread].v.state == ThreadView::kEnded) thread = 0;
  if (thread != 0) Record(Deviation::kSignal, static_cast<std::uint32_t>(thread), false);
  Interrupt(thread, sig);
}

// The injection that is to happen at this point, 0: none.
std::uint32_t DrawInjection(Point point) {
  if (run.config.replay) {
    const Deviation* d = Take(Deviation::kInject);
    return d != nullptr ? d->what : 0;
  }
  if (point == Point::mallocgc_begin && ++run.allocations == run.failing)
    return static_cast<std::uint32_t>(Injection::kFailAllocation);
  if (run.config.inject > 0 && run.injections.Roll(run.config.inject))
    return 1 + static_cast<std::uint32_t>(run.injections.Below(kAnywhere));
  return 0;
}

std::uint32_t AtPoint(std::size_t number) {
  Account(1);
  std::uint32_t site = runtime::explore::kNoSite;
  if (run.contended && (!run.config.Focuses() || run.config.FocusesOn(number))) {
    run.result->focused++;
    if (run.focuses && run.patience != kNever) run.patience--;
    const auto hash = runtime::explore::SiteHash(number);
    if (run.focuses && run.sites.Has(hash)) site = hash;
  }
  AfterSteps(site);
  LookForIdle();
  const auto point = static_cast<Point>(number);
  const std::uint32_t injected = DrawInjection(point);
  if (injected != 0) Record(Deviation::kInject, injected, false);
  EventPoint(static_cast<int>(number), injected);
  for (int i = 0; point == Point::main_end && i < kLastYields; i++) {
    Account(1);  // what is decided is known by the step
    Expire();
    Decide(Reason::kYield);
  }
  return injected;
}

void FillRandom(unsigned char* to, std::int64_t bytes) {
  for (std::int64_t i = 0; i < bytes; i++)
    to[i] = static_cast<unsigned char>(run.numbers.Next() >> 32);
}

void Answer(Request* r) {
  void* addr = const_cast<void*>(r->addr);
  switch (r->kind) {
    case Kind::kLoad:
    case Kind::kStore:
    case Kind::kSwap:
    case Kind::kAdd:
    case Kind::kCas:
    case Kind::kRead:
    case Kind::kWrite:
      return Step();
    case Kind::kYield:
    case Kind::kPause:
      return Yield();
    case Kind::kFutexSleep:
      Account(1);
      AfterSteps();
      if (*static_cast<const volatile std::uint32_t*>(r->addr) == static_cast<std::uint32_t>(r->a))
        SleepOn(addr, r->b);
      return;
    case Kind::kFutexWake:
      Account(1);
      AfterSteps();
      r->result = Wake(addr, r->a);
      return;
    case Kind::kSleep:
      return SleepOn(nullptr, r->a);
    case Kind::kNanotime:
      r->result = run.result->now;
      return;
    case Kind::kWalltime:
      r->result = run.startOfTime + run.result->now;
      return;
    case Kind::kRandom:
      return FillRandom(static_cast<unsigned char*>(addr), r->a);
    case Kind::kNewThread:
      r->result = reinterpret_cast<std::int64_t>(NewThread(addr));
      return;
    case Kind::kNoThread:
      if (const int thread = ThreadOfM(addr); thread >= 0)
        run.threads[thread].v.state = ThreadView::kEnded;
      return;
    case Kind::kSignalThread:
      if (const int thread = ThreadOfM(addr); thread >= 0)
        Interrupt(thread, static_cast<int>(r->a));
      return;
    case Kind::kSignalProcess:
      return SignalProcess(static_cast<int>(r->a));
    case Kind::kPoint:
      r->result = AtPoint(static_cast<std::size_t>(r->b));
      return;
    case Kind::kLocked:
    case Kind::kUnlocked:
      return EventLock(r->addr, r->kind == Kind::kLocked);
    case Kind::kDaemon:
      Self().v.daemon = true;
      return;
    case Kind::kThreadStart:
    case Kind::kThreadExit:
    case Kind::count_:
      break;
  }
}

// A stretch without steps ends there. A loop that looks at the clock makes none: time stands still in it until its
// fuel is spent; and locks are told of in a replay alone.
bool EndsStretch(Kind kind) {
  return kind > Kind::kWrite && kind != Kind::kNanotime && kind != Kind::kWalltime &&
         kind != Kind::kLocked && kind != Kind::kUnlocked;
}

// The place at which this is a step, or a visit of a point; 0: neither.
std::uint64_t SiteOf(const Request& r) {
  if (r.kind == Kind::kPoint) return kPointSite | static_cast<std::uint64_t>(r.b);
  return r.kind <= Kind::kWrite ? static_cast<std::uint64_t>(r.a) : 0;
}

}  // namespace

void Explore(Request* r) {
  const int saved = errno;
  // gort_explore_call's frame, on the stack that was left.
  const std::uint64_t caller = *static_cast<const std::uint64_t*>(__builtin_frame_address(0));
  if (r->kind == Kind::kThreadStart) {
    const int thread = ThreadOfStack();
    AwaitTurn(thread);
    run.fuel = runtime::explore::kFuel;
    Self().tid = ThreadId();
  } else {
    Settle();
    run.site = SiteOf(*r);
    Self().v.fp = caller;
    Self().v.g = runtime::getg();
    if (EndsStretch(r->kind)) run.fuel = runtime::explore::kFuel;
    if (r->kind == Kind::kThreadExit) {
      Account(1);
      Self().v.state = ThreadView::kEnded;
      run.ending = Self().tid;
      WaitForTurn();
      return;
    }
    Answer(r);
  }
  if (Self().signals != 0) DeliverSignals(r->kind <= Kind::kWrite);
  Grant();
  errno = saved;
}

}  // namespace gort::chaos
