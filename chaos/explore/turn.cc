#include "chaos/explore/turn.h"

#include <errno.h>
#include <linux/futex.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <utility>

#include "chaos/explore/deadlock.h"
#include "chaos/explore/events.h"
#include "chaos/explore/idle.h"
#include "chaos/explore/inject.h"
#include "chaos/rings.h"
#include "chaos/waitfor.h"
#include "runtime/os_linux.h"
#include "runtime/stubs.h"

// No roots of the collector (goroutine.lds).
#pragma clang section bss = ".bss.noroots" data = ".data.noroots"

namespace gort::chaos {

namespace {

using runtime::explore::Kind;
using runtime::explore::Request;

constexpr std::int64_t kNever = INT64_MAX;
constexpr std::size_t kStackSize = 256 << 10;  // of the explorer, for each thread
// Leaps of time that woke only daemons, before it is certain that nobody else will ever run.
constexpr int kDaemonLeaps = 400;
// What a stretch without steps counts as when its fuel is spent, in steps.
constexpr std::int64_t kSpentFuel = runtime::explore::kFuel / kAccesses;
// A ring of threads that wait for each other is believed if it is the same at so many looks, with so many
// steps between two. Some of them spin; by then each has had the turn often.
constexpr int kRingLooks = 5;
constexpr std::uint64_t kRingLookEvery = 20'000;
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

struct Thread {
  ThreadView v;
  std::uint32_t turn;  // futex: 1 when the turn has come
  int tid;  // 0 before the thread has run
  bool preempted;  // has lost the turn by a deviation, and has not had it since
  std::uint64_t signals;  // pending, bit sig - 1
  std::uint64_t lastTurn;  // number of its last turn
  std::uint64_t waitNumber;  // order of waiters of one futex
  std::uint64_t ready;  // runnable: result->contended when it became that, or lost the turn
  std::uint32_t yields;  // so far
  std::uint64_t late;  // v.steps at which its last yield gives the turn away; 0: nothing is owed
  std::uint32_t nextDeviation;  // replay: index of its first one not yet passed; config.count: none
};

RunConfig config;
RunRecord* result;
Strategy* strategy;  // null in a replay
Rule* rule;
Thread threads[kMaxThreads];
int threadCount;
int current;
int ending;  // tid of a thread that has given up the turn for good and is perhaps still there; 0: none
char* stacks;

std::int64_t granted;  // the budget when it was last set
std::int64_t fuel;  // gort_explore_fuel, while the explorer runs
std::int64_t patience;  // contended steps until the strategy wants to be asked
std::int64_t nsPerStep;
std::int64_t startOfTime;
int daemonLeaps;
std::uint64_t nextRingLook;  // at result->steps
std::uint64_t ring;  // at the last look
int ringLooks;  // at which it was there
bool focuses;  // the strategy is asked at some points only, and counts visits of those
SiteChoice sites;  // the strategy's
// How much finer than usual a run's steps are: ordinary loads and stores are steps as well.
std::int64_t grain;
bool contended;  // more than one thread could go on when the budget was set
std::uint64_t turnNumber;
std::uint64_t waitNumber;
Sequence* numbers;  // what the program gets as random
Sequence* injections;
std::uint64_t allocations;  // so far
std::uint64_t failing;  // number of the one that fails, 0: none
// Replay, a number and a flag for each deviation. Every run has them, so that the program's mappings lie in
// a replay where they lay in the run; they are no variables, for those are roots of the collector.
std::uint32_t* following;  // index of the same thread's next deviation
bool* used;

// The runtime's own functions check the stack that they run on, so not even its simplest are called.
[[noreturn]] void End(int status) {
  for (;;) runtime::rawsyscall(SYS_exit_group, status);
}

void Say(const char* text, int n) {
  runtime::rawsyscall(SYS_write, STDERR_FILENO, reinterpret_cast<long>(text), n);
}

int ThreadId() { return static_cast<int>(runtime::rawsyscall(SYS_gettid)); }

[[noreturn]] void Broken(const char* why) {
  char line[300];
  const int n = std::snprintf(line, sizeof line, "explore: %s\n", why);
  Say(line, n);
  End(kExplorerBroken);
}

void Verdict(const char* outcome) {
  std::snprintf(result->outcome, sizeof result->outcome, "%s", outcome);
  EventEnd(outcome);
}

Thread& Self() { return threads[current]; }

void Hash(std::uint64_t value) {
  result->hash = (result->hash ^ value) * 0x100000001b3;
  result->hash ^= result->hash >> 29;
}

// ---- counting ----

void Account(std::int64_t steps) {
  Thread& self = Self();
  self.v.steps += static_cast<std::uint64_t>(steps);
  result->steps += static_cast<std::uint64_t>(steps);
  result->now += steps * nsPerStep;
  if (!contended) return;
  result->contended += static_cast<std::uint64_t>(steps);
  if (patience != kNever && !focuses) patience -= steps;
}

// Counts what the program has done since the budget was set.
void Settle() {
  const std::int64_t left = runtime::explore::gort_explore_budget;
  // What the explorer itself reads of the runtime is no step, and does not end a stretch without any.
  fuel = runtime::explore::gort_explore_fuel;
  runtime::explore::gort_explore_budget = kNever;
  runtime::explore::gort_explore_site = runtime::explore::kNoSite;
  runtime::explore::gort_explore_memorysite = runtime::explore::kNoSite;
  Account(granted - left);
}

void MakeRunnable(int thread) {
  Thread& t = threads[thread];
  t.v.state = ThreadView::kRunnable;
  t.v.due = kNever;
  t.ready = result->contended;
}

// Contended steps after which fairness asks for a switch; kNever if nobody waits for the turn.
std::int64_t Lenience() {
  std::uint64_t oldest = UINT64_MAX;
  for (int i = 0; i < threadCount; i++)
    if (i != current && threads[i].v.state == ThreadView::kRunnable)
      oldest = std::min(oldest, threads[i].ready);
  if (oldest == UINT64_MAX) return kNever;
  return static_cast<std::int64_t>(oldest) + kFairness * grain -
         static_cast<std::int64_t>(result->contended);
}

void Expire() {
  for (int i = 0; i < threadCount; i++) {
    ThreadView& v = threads[i].v;
    if ((v.state != ThreadView::kFutex && v.state != ThreadView::kSleeping) || v.due > result->now)
      continue;
    MakeRunnable(i);
  }
}

// The thread that is due first; -1 if nobody is.
int FirstSleeper() {
  int first = -1;
  for (int i = 0; i < threadCount; i++) {
    const ThreadView& v = threads[i].v;
    if (v.state != ThreadView::kFutex && v.state != ThreadView::kSleeping) continue;
    if (v.due != kNever && (first < 0 || v.due < threads[first].v.due)) first = i;
  }
  return first;
}

void Grant() {
  int runnable = 0;
  for (int i = 0; i < threadCount; i++) runnable += threads[i].v.state == ThreadView::kRunnable;
  contended = runnable > 1;
  std::int64_t budget =
      static_cast<std::int64_t>(config.limit - std::min(result->steps, config.limit));
  if (config.replay) {
    const std::uint32_t next = Self().nextDeviation;
    if (next < config.count)
      budget = std::min(budget,
                        static_cast<std::int64_t>(config.deviations[next].step - Self().v.steps));
  } else if (contended && patience != kNever && !focuses) {
    budget = std::min(budget, std::max<std::int64_t>(patience, 1));
  }
  if (config.choices && contended) budget = 1;
  if (Self().late != 0)
    budget = std::min(budget, static_cast<std::int64_t>(Self().late - Self().v.steps));
  budget = std::min(budget, Lenience());
  budget = std::min(
      budget, static_cast<std::int64_t>(nextRingLook - std::min(result->steps, nextRingLook)));
  if (const int sleeper = FirstSleeper(); sleeper >= 0)
    budget = std::min(budget, (threads[sleeper].v.due - result->now + nsPerStep - 1) / nsPerStep);
  granted = std::max<std::int64_t>(budget, 1);
  runtime::explore::gort_explore_budget = granted;
  runtime::explore::gort_explore_fuel = fuel;
  if (focuses || !contended) return;
  runtime::explore::gort_explore_site = sites.site;
  if (grain > 1) runtime::explore::gort_explore_memorysite = sites.site;
}

// ---- deviations ----

void Record(Deviation::Kind kind, std::uint32_t what, bool preemption) {
  if (result->count == kMaxDeviations) {
    result->overflow = true;
    return;
  }
  result->deviations[result->count++] = {Self().v.steps, what, static_cast<std::uint8_t>(current),
                                         kind, preemption};
}

void Diverge(const char* how, const Deviation& d) {
  result->missed++;
  if (result->diverged[0] == 0)
    std::snprintf(result->diverged, sizeof result->diverged, "thread %d at its step %llu: %s",
                  d.thread, static_cast<unsigned long long>(d.step), how);
  if (!config.strict) return;
  char line[400];
  const int n = std::snprintf(line, sizeof line, "explore: the replay has left its trace: %s\n",
                              result->diverged);
  Say(line, n);
  End(kDiverged);
}

// Replay: the deviation of that kind at this very step, null if there is none.
const Deviation* Take(Deviation::Kind kind) {
  Thread& self = Self();
  while (self.nextDeviation < config.count) {
    const Deviation& d = config.deviations[self.nextDeviation];
    if (d.step >= self.v.steps) break;
    if (!used[self.nextDeviation]) Diverge("nothing was to be decided there", d);
    self.nextDeviation = following[self.nextDeviation];
  }
  for (std::uint32_t i = self.nextDeviation; i < config.count; i = following[i]) {
    const Deviation& d = config.deviations[i];
    if (d.step != self.v.steps) break;
    if (d.kind != kind || used[i]) continue;
    used[i] = true;
    return &d;
  }
  return nullptr;
}

// Replay: something is to be done at this step, or was to be done before it.
bool DeviatesHere() {
  const std::uint32_t next = Self().nextDeviation;
  return next < config.count && config.deviations[next].step <= Self().v.steps;
}

// ---- the turn ----

void FutexWait(std::uint32_t* word) {
  runtime::rawsyscall(SYS_futex, reinterpret_cast<long>(word), FUTEX_WAIT_PRIVATE, 0, 0);
}

// Until the calling thread, number `thread`, has the turn.
void AwaitTurn(int thread) {
  std::uint32_t* word = &threads[thread].turn;
  while (__atomic_load_n(word, __ATOMIC_ACQUIRE) == 0) FutexWait(word);
  __atomic_store_n(word, 0, __ATOMIC_RELAXED);
  if (ending == 0) return;
  // What the C library does at the end of a thread must not come between our steps.
  const long pid = runtime::rawsyscall(SYS_getpid);
  while (runtime::rawsyscall(SYS_tgkill, pid, ending, 0) != -ESRCH)
    runtime::rawsyscall(SYS_sched_yield);
  ending = 0;
}

void Hand(int next) {
  std::uint32_t* word = &threads[next].turn;
  __atomic_store_n(word, 1, __ATOMIC_RELEASE);
  runtime::rawsyscall(SYS_futex, reinterpret_cast<long>(word), FUTEX_WAKE_PRIVATE, 1);
}

// The turn goes to `next`; returns when the calling thread has it again.
void SwitchTo(int next, Reason reason) {
  const int self = current;
  if (!threads[next].v.daemon) daemonLeaps = 0;
  if (next == self) return;
  threads[self].lastTurn = ++turnNumber;
  threads[self].ready = result->contended;
  threads[self].late = 0;
  result->switches++;
  current = next;
  threads[next].preempted = false;
  EventTurn(next, reason, threads[self].v.state == ThreadView::kEnded);
  Hand(next);
  if (threads[self].v.state == ThreadView::kEnded) return;
  AwaitTurn(self);
}

// a has waited for the turn for longer than b, which may be -1 for nobody.
bool LongerReady(int a, int b) {
  if (b < 0 || threads[a].ready != threads[b].ready)
    return b < 0 || threads[a].ready < threads[b].ready;
  return threads[a].lastTurn < threads[b].lastTurn;
}

void Look(Situation* s, Reason reason) {
  s->reason = reason;
  s->current = current;
  s->n = 0;
  s->longest = s->next = -1;
  s->contended = result->contended;
  s->asked = focuses ? result->focused : result->contended;
  s->sleeper = false;
  for (int i = 0; i < threadCount; i++) {
    const Thread& t = threads[i];
    if (t.v.state != ThreadView::kRunnable) {
      s->sleeper |= t.v.state != ThreadView::kEnded && t.v.due != kNever;
      continue;
    }
    s->runnable[s->n++] = i;
    if (i == current) continue;
    if (LongerReady(i, s->longest)) s->longest = i;
    if (!t.preempted && LongerReady(i, s->next)) s->next = i;
  }
  if (s->next < 0) s->next = s->longest;
}

// Time goes on to when the next sleeper is due.
void Leap() {
  const int sleeper = FirstSleeper();
  if (sleeper < 0) return;
  result->now = std::max(result->now, threads[sleeper].v.due);
  Expire();
}

// What a longer sequence of deviations than this run's could do here.
void NoteChoice(const Situation& s, int byDefault) {
  const bool preemption = s.reason == Reason::kStep || s.reason == Reason::kWoken;
  if (result->count != config.count || (!preemption && s.reason != Reason::kWait)) return;
  if (result->choiceCount == kMaxChoices) {
    result->choiceOverflow = true;
    return;
  }
  if (threadCount > 64) Broken("more than 64 threads: too many for the strategy bounded");
  std::uint64_t others = 0;
  for (int i = 0; i < s.n; i++)
    if (s.runnable[i] != byDefault) others |= 1ull << s.runnable[i];
  result->choices[result->choiceCount++] = {Self().v.steps, others,
                                            static_cast<std::uint8_t>(current), preemption};
}

// The program leaves a P idle.
void LookForIdle() {
  if (!WorkWaits()) return;
  Verdict("idle");
  constexpr char kLine[] =
      "explore: a goroutine waits for a processor while a P is idle and nobody looks for work:\n";
  Say(kLine, sizeof kLine - 1);
  DescribeIdle();
  End(kIdleSeen);
}

// Somebody has to go on: says who, hands him the turn, and comes back when this thread has it again.
void Decide(Reason reason) {
  LookForIdle();
  static Situation s;
  Look(&s, reason);
  if (s.sleeper) {
    const bool leaps = config.replay ? Take(Deviation::kLeap) != nullptr : strategy->Leaps();
    if (leaps) {
      Record(Deviation::kLeap, 0, false);
      Leap();
      Look(&s, reason);
    }
  }
  int next = s.n > 0 ? s.runnable[0] : current;
  if (s.n > 1) {
    result->decisions++;
    const int byDefault = rule->Default(s);
    if (config.choices) NoteChoice(s, byDefault);
    if (config.replay) {
      next = byDefault;
      if (const Deviation* d = Take(Deviation::kSwitch)) {
        if (s.CanGoOn(static_cast<int>(d->what)))
          next = static_cast<int>(d->what);
        else
          Diverge("the thread that should go on cannot", *d);
      }
    } else {
      next = strategy->Choose(s);
      if (patience <= 0) patience = strategy->Patience();
    }
    Hash(Self().v.steps << 20 ^ static_cast<std::uint64_t>(current) << 10 ^
         static_cast<std::uint64_t>(next));
    if (next != byDefault) {
      const bool preemption = reason == Reason::kStep || reason == Reason::kWoken;
      Record(Deviation::kSwitch, static_cast<std::uint32_t>(next), preemption);
      EventSwitch(next, reason != Reason::kWait);
      Self().preempted = preemption;
      if (preemption) rule->Preempted(current);
    }
  }
  SwitchTo(next, reason);
}

[[noreturn]] void Livelock(const char* why) {
  Verdict("livelock");
  char line[200];
  const int n =
      std::snprintf(line, sizeof line, "explore: livelock: %llu steps, %s; what the threads do:\n",
                    static_cast<unsigned long long>(result->steps), why);
  Say(line, n);
  DescribeLivelock();
  End(kLivelockSeen);
}

void LookForRing() {
  nextRingLook = result->steps + kRingLookEvery * static_cast<std::uint64_t>(grain);
  const std::uint64_t now = RingNow();
  ringLooks = now != 0 && now == ring ? ringLooks + 1 : 0;
  ring = now;
  if (ringLooks == kRingLooks) Livelock("and threads that wait for each other");
}

// One step of the program, or a stretch of them, has been accounted for: does anybody want to decide?
// site: the hash of where the last one was, if that is one of the strategy's sites.
void AfterSteps(std::uint32_t site = runtime::explore::kNoSite) {
  if (result->steps >= config.limit) Livelock("and no end");
  if (result->steps >= nextRingLook) LookForRing();
  int runnable = 0;
  for (int i = 0; i < threadCount; i++) runnable += threads[i].v.state == ThreadView::kRunnable;
  Expire();
  int now = 0;
  for (int i = 0; i < threadCount; i++) now += threads[i].v.state == ThreadView::kRunnable;
  const bool woken = now > runnable;
  if (Lenience() <= 0) {
    Decide(Reason::kFairness);
  } else if (Self().late != 0 && Self().late <= Self().v.steps) {
    Self().late = 0;
    Decide(Reason::kYield);
  } else if (woken) {
    Decide(Reason::kWoken);
  } else if (config.replay ? DeviatesHere() || (config.choices && contended)
                           : contended && (patience <= 0 || (site != runtime::explore::kNoSite &&
                                                             strategy->Arrived(site)))) {
    Decide(Reason::kStep);
  }
}

// Nobody can run.
void LookForLateTimer() {
  const std::int64_t due = LateTimer();
  if (due == 0) return;
  Verdict("late");
  char line[200];
  const std::int64_t us = (due - result->now) / 1000;
  const int n = std::snprintf(line, sizeof line,
                              "explore: a timer %s %lld us%s, and nobody but sysmon will look:\n",
                              us > 0 ? "is due in" : "was due",
                              static_cast<long long>(us > 0 ? us : -us), us > 0 ? "" : " ago");
  Say(line, n);
  DescribeIdle();
  End(kLateSeen);
}

// The calling thread cannot go on. Hands the turn to one who can; returns when it is runnable and has
// the turn.
void WaitForTurn() {
  Expire();
  for (;;) {
    bool runnable = false;
    for (int i = 0; i < threadCount; i++) runnable |= threads[i].v.state == ThreadView::kRunnable;
    if (runnable) break;
    const int sleeper = FirstSleeper();
    if (sleeper < 0 || daemonLeaps >= kDaemonLeaps) {
      Verdict("deadlock");
      DescribeDeadlock();
      End(kDeadlockSeen);
    }
    bool onlyDaemons = true;
    for (int i = 0; i < threadCount; i++) {
      const ThreadView& v = threads[i].v;
      if (v.state != ThreadView::kEnded && v.due != kNever && !v.daemon) onlyDaemons = false;
    }
    if (onlyDaemons) daemonLeaps++;
    LookForLateTimer();
    Leap();
  }
  Decide(Reason::kWait);
}

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
  Thread& t = threads[thread];
  t.signals |= 1ull << (sig - 1);
  EventSignal(sig, "sent", thread);
  if (t.v.state != ThreadView::kFutex && t.v.state != ThreadView::kSleeping) return;
  MakeRunnable(thread);
}

// ---- requests ----

int ThreadOfM(const volatile void* m) {
  for (int i = 0; i < threadCount; i++)
    if (threads[i].v.m == m && threads[i].v.state != ThreadView::kEnded) return i;
  return 0;  // m0
}

void NewThread(Request* r) {
  if (threadCount == kMaxThreads) Broken("more than 256 threads");
  const int thread = threadCount++;
  threads[thread] = {};
  threads[thread].v.m = const_cast<const void*>(r->addr);
  threads[thread].v.due = kNever;
  threads[thread].lastTurn = turnNumber;
  threads[thread].ready = result->contended;
  threads[thread].nextDeviation = static_cast<std::uint32_t>(config.count);
  for (std::uint32_t i = 0; i < config.count; i++) {
    if (config.deviations[i].thread != thread) continue;
    threads[thread].nextDeviation = i;
    break;
  }
  rule->Created(thread);
  if (strategy != nullptr) strategy->Created(thread);
  result->threads = static_cast<std::uint32_t>(threadCount);
  EventThread(thread);
  r->result = reinterpret_cast<std::int64_t>(
      stacks + (static_cast<std::size_t>(thread) + 1) * kStackSize - 64);
}

int ThreadOfStack() {
  const auto at = reinterpret_cast<std::uintptr_t>(__builtin_frame_address(0));
  return static_cast<int>((at - reinterpret_cast<std::uintptr_t>(stacks)) / kStackSize);
}

void Wake(Request* r) {
  Expire();
  const auto wanted = static_cast<std::int64_t>(r->a);
  std::int64_t woken = 0;
  while (woken < wanted) {
    int waiters[kMaxThreads];
    int n = 0;
    for (int i = 0; i < threadCount; i++)
      if (threads[i].v.state == ThreadView::kFutex && threads[i].v.futex == r->addr)
        waiters[n++] = i;
    if (n == 0) break;
    std::sort(waiters, waiters + n,
              [](int a, int b) { return threads[a].waitNumber < threads[b].waitNumber; });
    int chosen = 0;
    if (n > wanted - woken) {
      if (!config.replay)
        chosen = strategy->Wakes(n);
      else if (const Deviation* d = Take(Deviation::kWake); d != nullptr)
        chosen = d->what < static_cast<std::uint32_t>(n) ? static_cast<int>(d->what) : 0;
      if (chosen != 0) Record(Deviation::kWake, static_cast<std::uint32_t>(chosen), false);
    }
    MakeRunnable(waiters[chosen]);
    EventWake(waiters[chosen]);
    woken++;
  }
  r->result = woken;
  if (woken == 0) return;
  Account(1);
  Decide(Reason::kWoken);
}

void SleepOn(const volatile void* futex, std::int64_t ns) {
  Account(1);
  Thread& self = Self();
  if (self.signals != 0) return;  // as if interrupted
  self.v.state = futex != nullptr ? ThreadView::kFutex : ThreadView::kSleeping;
  self.v.futex = futex;
  self.v.due = ns < 0 || ns > kNever - result->now ? kNever : result->now + ns;
  self.waitNumber = ++waitNumber;
  EventWait(futex, ns);
  WaitForTurn();
}

// Whether this yield comes later. Nothing but the thread and its yields so far decides that, so that a
// replay need not know.
bool Postpones() {
  Thread& self = Self();
  if (++self.yields <= kYieldsAtOnce || self.late != 0) return false;
  Sequence sequence(DeriveSeed(self.yields, static_cast<std::uint64_t>(current)));
  if (sequence.Below(kYieldsToOneLate) != 0) return false;
  self.late = self.v.steps + (1 + sequence.Below(kLateSteps)) * static_cast<std::uint64_t>(grain);
  return true;
}

void Answer(Request* r) {
  switch (r->kind) {
    case Kind::kLoad:
    case Kind::kStore:
    case Kind::kSwap:
    case Kind::kAdd:
    case Kind::kCas:
    case Kind::kRead:
    case Kind::kWrite:
      if (fuel == 0) {
        fuel = runtime::explore::kFuel;
        Account(kSpentFuel);
        if (result->steps >= config.limit) Livelock("and no end");
        Expire();
        Decide(Reason::kYield);
        return;
      }
      if (std::exchange(runtime::explore::gort_explore_arrived, false))
        AfterSteps(runtime::explore::SiteHash(static_cast<std::uintptr_t>(r->a)));
      else
        AfterSteps();
      return;
    case Kind::kYield:
    case Kind::kPause: {
      Account(1);
      Expire();
      if (Postpones()) return;
      Self().late = 0;
      Decide(Reason::kYield);
      return;
    }
    case Kind::kFutexSleep:
      Account(1);
      AfterSteps();
      if (*static_cast<const volatile std::uint32_t*>(r->addr) != static_cast<std::uint32_t>(r->a))
        return;
      SleepOn(r->addr, r->b);
      return;
    case Kind::kFutexWake:
      Account(1);
      AfterSteps();
      Wake(r);
      return;
    case Kind::kSleep:
      SleepOn(nullptr, r->a);
      return;
    case Kind::kNanotime:
      r->result = result->now;
      return;
    case Kind::kWalltime:
      r->result = startOfTime + result->now;
      return;
    case Kind::kRandom: {
      auto* to = static_cast<unsigned char*>(const_cast<void*>(r->addr));
      for (std::int64_t i = 0; i < r->a; i++)
        to[i] = static_cast<unsigned char>(numbers->Next() >> 32);
      return;
    }
    case Kind::kNewThread:
      NewThread(r);
      return;
    case Kind::kSignalThread:
      Interrupt(ThreadOfM(r->addr), static_cast<int>(r->a));
      return;
    case Kind::kSignalProcess: {
      Account(1);
      // The first thread unless somebody decides otherwise. Other than in the kernel, one that blocks the
      // signal keeps it until it does not.
      int thread = 0;
      if (config.replay) {
        if (const Deviation* d = Take(Deviation::kSignal)) thread = static_cast<int>(d->what);
      } else {
        thread = static_cast<int>(injections->Below(static_cast<std::uint64_t>(threadCount)));
      }
      if (thread >= threadCount || threads[thread].v.state == ThreadView::kEnded) thread = 0;
      if (thread != 0) Record(Deviation::kSignal, static_cast<std::uint32_t>(thread), false);
      Interrupt(thread, static_cast<int>(r->a));
      return;
    }
    case Kind::kPoint: {
      Account(1);
      std::uint32_t site = runtime::explore::kNoSite;
      if (contended && (!config.Focuses() || config.FocusesOn(static_cast<std::size_t>(r->b)))) {
        result->focused++;
        if (focuses && patience != kNever) patience--;
        const auto hash = runtime::explore::SiteHash(static_cast<std::uintptr_t>(r->b));
        if (focuses && sites.Has(hash)) site = hash;
      }
      AfterSteps(site);
      LookForIdle();
      std::uint32_t chosen = 0;
      if (config.replay) {
        if (const Deviation* d = Take(Deviation::kInject)) chosen = d->what;
      } else if (r->b == static_cast<std::int64_t>(Point::mallocgc_begin) &&
                 ++allocations == failing) {
        chosen = static_cast<std::uint32_t>(Injection::kFailAllocation);
      } else if (config.inject > 0 && injections->Roll(config.inject)) {
        chosen = 1 + static_cast<std::uint32_t>(injections->Below(kAnywhere));
      }
      if (chosen != 0) Record(Deviation::kInject, chosen, false);
      EventPoint(static_cast<int>(r->b), chosen);
      if (r->b == static_cast<std::int64_t>(Point::main_end))
        for (int i = 0; i < kLastYields; i++) {
          Account(1);  // what is decided is known by the step
          Expire();
          Decide(Reason::kYield);
        }
      r->result = chosen;
      return;
    }
    case Kind::kLocked:
    case Kind::kUnlocked:
      EventLock(r->addr, r->kind == Kind::kLocked);
      return;
    case Kind::kDaemon:
      Self().v.daemon = true;
      return;
    case Kind::kThreadStart:
    case Kind::kThreadExit:
    case Kind::count_:
      break;
  }
}

void Explore(Request* r) {
  const int saved = errno;
  // gort_explore_call's frame, on the stack that was left.
  const std::uint64_t caller = *static_cast<const std::uint64_t*>(__builtin_frame_address(0));
  if (r->kind == Kind::kThreadStart) {
    const int thread = ThreadOfStack();
    AwaitTurn(thread);
    fuel = runtime::explore::kFuel;
    Self().tid = ThreadId();
  } else {
    Settle();
    Self().v.fp = caller;
    Self().v.g = runtime::getg();
    if (r->kind > Kind::kWrite) fuel = runtime::explore::kFuel;
    if (r->kind == Kind::kThreadExit) {
      Account(1);
      Self().v.state = ThreadView::kEnded;
      ending = Self().tid;
      WaitForTurn();
      return;
    }
    Answer(r);
  }
  if (Self().signals != 0) DeliverSignals(r->kind <= Kind::kWrite);
  Grant();
  errno = saved;
}

}  // namespace

int ThreadCount() { return threadCount; }
const ThreadView& ViewThread(int thread) { return threads[thread].v; }
int CurrentThread() { return current; }
std::uint64_t TotalSteps() { return result->steps; }
std::int64_t VirtualNow() { return result->now; }

void BeginRun(const RunConfig& c, RunRecord* r) {
  config = c;
  result = r;
  static Sequence numbersOfRun(0), injectionsOfRun(0);
  numbersOfRun = Sequence(DeriveSeed(c.seed, 1));
  injectionsOfRun = Sequence(DeriveSeed(c.seed, 2));
  numbers = &numbersOfRun;
  injections = &injectionsOfRun;
  allocations = 0;
  failing = 0;
  grain = c.Grain();
  nextRingLook = kRingLookEvery * static_cast<std::uint64_t>(grain);
  ring = 0;
  ringLooks = 0;
  if (c.inject > 0 && injections->Roll(0.25))
    failing = 1 + injections->Below(2ull << injections->Below(10));
  Sequence pace(DeriveSeed(c.seed, 3));
  constexpr std::int64_t kPaces[] = {20, 100, 500, 2000};
  nsPerStep = kPaces[pace.Below(std::size(kPaces))] / grain;
  // A year and a day that depend on the seed, so that no program relies on one.
  startOfTime = (1600000000 + static_cast<std::int64_t>(pace.Below(300000000))) * 1000000000;
  result->now = 1 + static_cast<std::int64_t>(pace.Below(1000000000));
  rule = MakeRule(c.strategy, DeriveSeed(c.seed, 4));
  focuses = !c.replay && (c.Focuses() || c.strategy.where == StrategyChoice::kPoints);
  runtime::explore::gort_explore_sitefactor =
      static_cast<std::uint32_t>(Sequence(DeriveSeed(c.seed, 5)).Next()) | 1;
  strategy = c.replay ? nullptr : MakeStrategy(c.strategy, DeriveSeed(c.seed, 4), c.k, focuses);
  sites = c.replay ? kNoSites : strategy->Sites();
  patience = c.replay ? kNever : strategy->Patience();
  constexpr std::size_t kBytes = kMaxDeviations * (sizeof *following + sizeof *used);
  void* memory = mmap(nullptr, kBytes, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) Broken("no memory for the trace");
  following = static_cast<std::uint32_t*>(memory);
  used = reinterpret_cast<bool*>(following + kMaxDeviations);
  if (c.replay) {
    std::uint32_t last[kMaxThreads];
    std::fill(std::begin(last), std::end(last), static_cast<std::uint32_t>(c.count));
    for (std::size_t i = c.count; i-- > 0;) {
      following[i] = last[c.deviations[i].thread];
      last[c.deviations[i].thread] = static_cast<std::uint32_t>(i);
    }
  }
  if (stacks == nullptr) {
    void* room = mmap(nullptr, kMaxThreads * kStackSize, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (room == MAP_FAILED) Broken("no memory for the explorer's stacks");
    stacks = static_cast<char*>(room);
  }
  threadCount = 0;
  current = 0;
  Request first{Kind::kNewThread, nullptr, 0, 0, 0};
  NewThread(&first);
  threads[0].tid = ThreadId();
  runtime::explore::gort_explore_stack = reinterpret_cast<void*>(first.result);
  runtime::explore::gort_explore_memory = grain > 1 ? 1 : 0;
  runtime::explore::gort_explore_sitemask = sites.mask;
  runtime::explore::gort_explorer = Explore;
  fuel = runtime::explore::kFuel;
  Grant();
}

}  // namespace gort::chaos
