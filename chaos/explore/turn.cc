#include "chaos/explore/turn.h"

#include <errno.h>
#include <linux/futex.h>
#include <sys/syscall.h>

#include "chaos/explore/deviations.h"
#include "chaos/explore/events.h"
#include "chaos/explore/runstate.h"
#include "chaos/explore/steps.h"
#include "chaos/explore/verdicts.h"
#include "runtime/os_linux.h"

// No roots of the collector (goroutine.lds).
#pragma clang section bss = ".bss.noroots" data = ".data.noroots"

namespace gort::chaos {

namespace {

// Leaps of time that woke only daemons, before it is certain that nobody else will ever run.
constexpr int kDaemonLeaps = 400;

void Hash(std::uint64_t value) {
  std::uint64_t& hash = run.result->hash;
  hash = (hash ^ value) * 0x100000001b3;
  hash ^= hash >> 29;
}

void FutexWait(std::uint32_t* word) {
  runtime::rawsyscall(SYS_futex, reinterpret_cast<long>(word), FUTEX_WAIT_PRIVATE, 0, 0);
}

void Hand(int next) {
  std::uint32_t* word = &run.threads[next].turn;
  __atomic_store_n(word, 1, __ATOMIC_RELEASE);
  runtime::rawsyscall(SYS_futex, reinterpret_cast<long>(word), FUTEX_WAKE_PRIVATE, 1);
}

// The turn goes to `next`; returns when the calling thread has it again.
void SwitchTo(int next, Reason reason) {
  const int self = run.current;
  if (!run.threads[next].v.daemon) run.daemonLeaps = 0;
  if (next == self) return;
  run.threads[self].lastTurn = ++run.turnNumber;
  run.threads[self].ready = run.result->contended;
  run.threads[self].late = 0;
  run.result->switches++;
  run.current = next;
  run.threads[next].preempted = false;
  EventTurn(next, reason, run.threads[self].v.state == ThreadView::kEnded);
  Hand(next);
  if (run.threads[self].v.state == ThreadView::kEnded) return;
  AwaitTurn(self);
}

// a has waited for the turn for longer than b, which may be -1 for nobody.
bool LongerReady(int a, int b) {
  if (b < 0 || run.threads[a].ready != run.threads[b].ready)
    return b < 0 || run.threads[a].ready < run.threads[b].ready;
  return run.threads[a].lastTurn < run.threads[b].lastTurn;
}

void Look(Situation* s, Reason reason) {
  s->reason = reason;
  s->current = run.current;
  s->n = 0;
  s->longest = s->next = -1;
  s->contended = run.result->contended;
  s->asked = run.focuses ? run.result->focused : run.result->contended;
  s->sleeper = false;
  for (int i = 0; i < run.threadCount; i++) {
    const Thread& t = run.threads[i];
    if (t.v.state != ThreadView::kRunnable) {
      s->sleeper |= t.v.state != ThreadView::kEnded && t.v.due != kNever;
      continue;
    }
    s->runnable[s->n++] = i;
    if (i == run.current) continue;
    if (LongerReady(i, s->longest)) s->longest = i;
    if (!t.preempted && LongerReady(i, s->next)) s->next = i;
  }
  if (s->next < 0) s->next = s->longest;
}

// The current thread could go on, and would.
bool Preempts(Reason reason) { return reason == Reason::kStep || reason == Reason::kWoken; }

// What a longer sequence of deviations than this run's could do here.
void NoteChoice(const Situation& s, int byDefault) {
  const bool preemption = Preempts(s.reason);
  if (run.result->count != run.config.count || (!preemption && s.reason != Reason::kWait)) return;
  if (run.result->choiceCount == kMaxChoices) {
    run.result->choiceOverflow = true;
    return;
  }
  if (run.threadCount > 64) Broken("more than 64 threads: too many for the strategy bounded");
  std::uint64_t others = 0;
  for (int i = 0; i < s.n; i++)
    if (s.runnable[i] != byDefault) others |= 1ull << s.runnable[i];
  run.result->choices[run.result->choiceCount++] = {
      Self().v.steps, others, static_cast<std::uint8_t>(run.current), preemption};
}

// The thread that goes on, one of s.runnable.
int Choose(const Situation& s, int byDefault) {
  if (!run.config.replay) {
    const int next = run.strategy->Choose(s);
    if (run.patience <= 0) run.patience = run.strategy->Patience();
    return next;
  }
  const Deviation* d = Take(Deviation::kSwitch);
  if (d == nullptr) return byDefault;
  if (s.CanGoOn(static_cast<int>(d->what))) return static_cast<int>(d->what);
  Diverge("the thread that should go on cannot", *d);
  return byDefault;
}

// Nothing has happened at this step: whether the strategy, or the trace, wants to decide there all the same.
bool StepMatters(std::uint32_t site) {
  if (run.config.replay) return DeviatesHere() || (run.config.choices && run.contended);
  if (!run.contended) return false;
  return run.patience <= 0 || (site != runtime::explore::kNoSite && run.strategy->Arrived(site));
}

// Of those that sleep until a time.
bool OnlyDaemonsSleep() {
  for (int i = 0; i < run.threadCount; i++) {
    const ThreadView& v = run.threads[i].v;
    if (v.state != ThreadView::kEnded && v.due != kNever && !v.daemon) return false;
  }
  return true;
}

}  // namespace

void AwaitTurn(int thread) {
  std::uint32_t* word = &run.threads[thread].turn;
  while (__atomic_load_n(word, __ATOMIC_ACQUIRE) == 0) FutexWait(word);
  __atomic_store_n(word, 0, __ATOMIC_RELAXED);
  if (run.ending == 0) return;
  // What the C library does at the end of a thread must not come between our steps.
  const long pid = runtime::rawsyscall(SYS_getpid);
  while (runtime::rawsyscall(SYS_tgkill, pid, run.ending, 0) != -ESRCH)
    runtime::rawsyscall(SYS_sched_yield);
  run.ending = 0;
}

void Decide(Reason reason) {
  // A replay comes here at a step only where the run has left the default: what is seen elsewhere would not be
  // seen again.
  if (reason != Reason::kStep) LookForIdle();
  static Situation s;
  Look(&s, reason);
  if (s.sleeper &&
      (run.config.replay ? Take(Deviation::kLeap) != nullptr : run.strategy->Leaps())) {
    Record(Deviation::kLeap, 0, false);
    Leap();
    Look(&s, reason);
  }
  if (s.n == 0) return SwitchTo(run.current, reason);
  if (s.n == 1) return SwitchTo(s.runnable[0], reason);
  run.result->decisions++;
  const int byDefault = run.rule->Default(s);
  if (run.config.choices) NoteChoice(s, byDefault);
  const int next = Choose(s, byDefault);
  Hash(Self().v.steps << 20 ^ static_cast<std::uint64_t>(run.current) << 10 ^
       static_cast<std::uint64_t>(next));
  if (next != byDefault) {
    const bool preemption = Preempts(reason);
    Record(Deviation::kSwitch, static_cast<std::uint32_t>(next), preemption);
    EventSwitch(next, reason != Reason::kWait);
    Self().preempted = preemption;
    if (preemption) run.rule->Preempted(run.current);
    if (preemption && run.site != 0)
      run.result->sites[run.result->preemptionsAtSites++ % kSitesKept] = run.site;
    if (reason == Reason::kStep) LookForIdle();
  }
  SwitchTo(next, reason);
}

void AfterSteps(std::uint32_t site) {
  LookForLivelock();
  const int before = Runnable();
  Expire();
  const bool woken = Runnable() > before;
  if (Lenience() <= 0) {
    Decide(Reason::kFairness);
  } else if (Self().late != 0 && Self().late <= Self().v.steps) {
    Self().late = 0;
    Decide(Reason::kYield);
  } else if (woken) {
    Decide(Reason::kWoken);
  } else if (StepMatters(site)) {
    Decide(Reason::kStep);
  }
}

void WaitForTurn() {
  Expire();
  while (Runnable() == 0) {
    if (FirstSleeper() < 0 || run.daemonLeaps >= kDaemonLeaps) Deadlock();
    if (OnlyDaemonsSleep()) run.daemonLeaps++;
    LookForLateTimer();
    Leap();
  }
  Decide(Reason::kWait);
}

}  // namespace gort::chaos
