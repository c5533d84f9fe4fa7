#include "chaos/script.h"

#include <sys/syscall.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "chaos/locks.h"
#include "chaos/watcher.h"
#include "runtime/os_linux.h"
#include "runtime/panic_throw.h"
#include "runtime/proc.h"
#include "runtime/stack.h"
#include "runtime/stubs.h"

#if !GORT_POINTS
#error "a script needs a runtime with points: gort_binary(..., points = True)"
#endif

namespace gort::chaos {

namespace {

// A term ready for use at a point. Constant after Install, but for left.
struct ArmedTerm {
  const Term* term;
  std::vector<const runtime::mutex*> locks;  // of the conditions kHolding, in their order
  std::atomic<std::int64_t>* left;           // firings left; null: no limit
};
using ArmedRule = std::vector<ArmedTerm>;

struct PointState {
  std::vector<ArmedRule> rules;  // constant after Install
  std::atomic<std::int64_t> visits;
  // The first thread that came here, and whether there was another one; thread ids are never 0.
  std::atomic<std::int32_t> first;
  std::atomic<bool> several;
  std::atomic<std::uint64_t> newest;  // number of the newest visit, 0 for none
};

PointState points[kPointCount];
std::vector<Rule> installed;  // constant after Install

std::atomic<bool> asleep;
std::atomic<bool> thrown;
std::atomic<std::uint64_t> dice{1};

// The newest visits. An entry is its number, counted from 1, the M and the point in one word, so
// that a reader sees all of one visit or none.
constexpr std::uint64_t kRing = 1024;
std::atomic<std::uint64_t> ring[kRing];
std::atomic<std::uint64_t> recorded;

thread_local Point lastPoint = Point::count_;

std::uint64_t Pack(std::uint64_t number, std::int64_t m, Point p) {
  return number << 32 | (static_cast<std::uint64_t>(m) & 0xffff) << 16 |
         static_cast<std::uint64_t>(p);
}

const runtime::m* CurrentM() {
  runtime::g* gp = runtime::getg();
  return gp == nullptr ? nullptr : static_cast<runtime::m*>(gp->m);
}

// Returns the visit's number.
std::uint64_t Record(Point p) {
  const runtime::m* mp = CurrentM();
  const std::uint64_t number = recorded.fetch_add(1) + 1;
  ring[number % kRing].store(Pack(number & 0xffffffff, mp == nullptr ? -1 : mp->id, p));

  PointState& state = points[static_cast<int>(p)];
  const std::int32_t self = runtime::gettid();
  std::int32_t first = 0;
  if (!state.first.compare_exchange_strong(first, self) && first != self) state.several = true;
  std::uint64_t newest = state.newest;
  while (newest < number && !state.newest.compare_exchange_weak(newest, number)) continue;
  return number;
}

bool AnotherThreadWasAt(Point p, std::int32_t self) {
  const PointState& state = points[static_cast<int>(p)];
  const std::int32_t first = state.first;
  return state.several || (first != 0 && first != self);
}

// Waits until `come` says that another thread has come to p.
template <class F>
void HoldUntil(Point here, Point p, F come) {
  constexpr int kPause = 100;  // microseconds between two looks
  constexpr int kComplainAfter = 50000;  // looks, 5 seconds
  for (int looks = 0; !come(); looks++) {
    runtime::usleep(kPause);
    if (looks != kComplainAfter) continue;
    char line[200];
    const int n = std::snprintf(line, sizeof line,
                                "chaos: thread %d has been held at %s for 5 s: no other thread has "
                                "come to %s\n",
                                runtime::gettid(), PointName(here), PointName(p));
    runtime::write(2, line, static_cast<runtime::uintptr>(n));
  }
}

// The next prologue of the goroutine moves its stack: the switch back from the system stack takes
// the limit from g.stackguard0.
void MoveStack(runtime::g* gp) {
  if (gp != nullptr) gp->stackguard0 = runtime::stackForceMove;
}

// True with the probability. Every throw takes the next number of one sequence.
bool Roll(double probability) {
  if (probability >= 1) return true;
  std::uint64_t z = dice.fetch_add(0x9e3779b97f4a7c15);
  z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
  z = (z ^ z >> 27) * 0x94d049bb133111eb;
  z ^= z >> 31;
  return static_cast<double>(z >> 11) * 0x1p-53 < probability;
}

// The goroutine that this thread wants to stop, 0 for none.
std::int64_t SuspendingGoid() {
  const runtime::m* mp = CurrentM();
  if (mp == nullptr) return 0;
  const runtime::g* gp = mp->waitinggoroutine;
  return gp == nullptr ? 0 : static_cast<std::int64_t>(gp->goid);
}

bool ConditionsHold(const ArmedTerm& armed, Point before, std::int64_t visit) {
  std::size_t lock = 0;
  for (const Condition& condition : armed.term->conditions) {
    switch (condition.kind) {
      case Condition::kHolding: {
        const runtime::m* mp = CurrentM();
        if (mp == nullptr || armed.locks[lock++]->owner != mp) return false;
        break;
      }
      case Condition::kAfter:
        if (before != condition.point) return false;
        break;
      case Condition::kSuspending:
        if (SuspendingGoid() != condition.number) return false;
        break;
      case Condition::kVisit:
        if (visit != condition.number) return false;
        break;
    }
  }
  return true;
}

// Takes one of the firings that are left, if there is a limit.
bool TakeFiring(std::atomic<std::int64_t>* left) {
  if (left == nullptr) return true;
  std::int64_t n = *left;
  while (n > 0)
    if (left->compare_exchange_weak(n, n - 1)) return true;
  return false;
}

// What happens at the point `here`, on its number-th visit, to the goroutine gp; null on a system
// stack.
void Do(const Action& action, Point here, std::uint64_t number, runtime::g* gp) {
  switch (action.kind) {
    case Action::kOff:
      return;
    case Action::kThrow:
      if (thrown.exchange(true)) return;
      runtime::throw_(action.text.c_str());
    case Action::kDelay:
      runtime::usleep(static_cast<std::uint32_t>(action.number));
      return;
    case Action::kYield:
      runtime::osyield();
      return;
    case Action::kPrint:
      runtime::write(2, action.text.data(), action.text.size());
      runtime::write(2, "\n", 1);
      return;
    case Action::kHold:
      HoldUntil(here, action.point,
                [&, self = runtime::gettid()] { return AnotherThreadWasAt(action.point, self); });
      return;
    case Action::kAwait:
      // Later visits are other threads': this one waits here.
      HoldUntil(here, action.point,
                [&] { return points[static_cast<int>(action.point)].newest > number; });
      return;
    case Action::kMoveStack:
      MoveStack(gp);
      return;
    case Action::kSignal:
      runtime::rawsyscall(SYS_tgkill, runtime::rawsyscall(SYS_getpid), runtime::gettid(),
                          action.number);
      return;
    case Action::kCall:
      action.fn();
      return;
  }
}

// On a system stack. The argument is the point, and kOnGoroutine if the thread came from the stack
// of a goroutine.
constexpr std::uintptr_t kOnGoroutine = 1 << 16;

void AtPoint(void* arg) {
  const auto word = reinterpret_cast<std::uintptr_t>(arg);
  const Point p = static_cast<Point>(word & (kOnGoroutine - 1));
  runtime::g* gp = nullptr;
  if ((word & kOnGoroutine) != 0) gp = CurrentM()->curg;
  PointState& state = points[static_cast<int>(p)];
  // Recorded before it is counted: who has seen the count comes to his points later than this.
  const std::uint64_t number = Record(p);
  if (asleep) return;
  const std::int64_t visit = state.visits.fetch_add(1) + 1;
  const Point before = lastPoint;
  lastPoint = p;
  for (const ArmedRule& rule : state.rules) {
    for (const ArmedTerm& armed : rule) {
      if (thrown) return;
      if (!ConditionsHold(armed, before, visit) || !Roll(armed.term->probability) ||
          !TakeFiring(armed.left))
        continue;
      Do(armed.term->action, p, number, gp);
      break;
    }
  }
}

// The runtime's hook. It is called through a pointer, so the linker has seen to no stack for it: it
// needs next to none, and everything else happens on the system stack.
void Hook(Point p) {
  std::uintptr_t word = static_cast<std::uintptr_t>(p);
  runtime::g* gp = runtime::getg();
  if (gp != nullptr && gp != gp->m->g0 && gp != gp->m->gsignal) word |= kOnGoroutine;
  runtime::gort_systemstack(AtPoint, reinterpret_cast<void*>(word));
}

ArmedTerm Arm(const Term& term) {
  ArmedTerm armed{&term, {}, nullptr};
  for (const Condition& condition : term.conditions)
    if (condition.kind == Condition::kHolding) armed.locks.push_back(LockByName(condition.lock));
  // Lives as long as the process, like the rules.
  if (term.count >= 0) armed.left = new std::atomic<std::int64_t>(term.count);
  return armed;
}

[[noreturn]] void Refuse(const char* message) {
  std::fprintf(stderr, "chaos: %s\n", message);
  std::exit(2);
}

void AddSpec(std::string_view spec, const char* where, std::vector<Rule>* rules) {
  auto parsed = ParseSpec(spec);
  if (const auto* error = std::get_if<SpecError>(&parsed)) {
    std::fprintf(stderr, "chaos: %s, %s", where, ShowSpecError(spec, *error).c_str());
    std::exit(2);
  }
  for (Rule& rule : std::get<std::vector<Rule>>(parsed)) rules->push_back(std::move(rule));
}

}  // namespace

Script::Builder& Script::Builder::Holding(std::string_view lock) {
  if (!IsLockName(lock)) Refuse(("unknown lock " + std::string(lock)).c_str());
  term_.conditions.push_back({Condition::kHolding, std::string(lock), {}, 0});
  return *this;
}

Script::Builder& Script::Builder::After(Point p) {
  term_.conditions.push_back({Condition::kAfter, {}, p, 0});
  return *this;
}

Script::Builder& Script::Builder::Visit(std::int64_t number) {
  term_.conditions.push_back({Condition::kVisit, {}, {}, number});
  return *this;
}

Script::Builder& Script::Builder::Suspending(std::int64_t goid) {
  term_.conditions.push_back({Condition::kSuspending, {}, {}, goid});
  return *this;
}

Script::Builder& Script::Builder::Times(std::int64_t n) {
  term_.count = n;
  return *this;
}

void Script::Builder::Finish(Action action) {
  term_.action = std::move(action);
  // One rule for each point that On names, so that its terms exclude each other in their order.
  for (Rule& rule : script_->rules_) {
    if (rule.points != std::vector<Point>{point_}) continue;
    rule.terms.push_back(std::move(term_));
    return;
  }
  script_->rules_.push_back({{point_}, {std::move(term_)}});
}

void Script::Builder::Throw(std::string_view text) {
  Finish({Action::kThrow, std::string(text), 0, {}});
}
void Script::Builder::Delay(std::int64_t microseconds) {
  Finish({Action::kDelay, {}, microseconds, {}});
}
void Script::Builder::Yield() { Finish({Action::kYield, {}, 0, {}}); }
void Script::Builder::HoldUntil(Point p) { Finish({Action::kHold, {}, 0, p}); }
void Script::Builder::Await(Point p) { Finish({Action::kAwait, {}, 0, p}); }
void Script::Builder::MoveStack() { Finish({Action::kMoveStack, {}, 0, {}}); }
void Script::Builder::Signal(int sig) { Finish({Action::kSignal, {}, sig, {}}); }
void Script::Builder::Call(void (*fn)()) { Finish({Action::kCall, {}, 0, {}, fn}); }
void Script::Builder::Off() { Finish({Action::kOff, {}, 0, {}}); }

Script& Script::HappensAfter(Point later, Point earlier) {
  Term term;
  term.action = {Action::kHold, {}, 0, earlier};
  rules_.push_back({{later}, {std::move(term)}});
  return *this;
}

Script& Script::Add(std::string_view spec) {
  AddSpec(spec, "the script", &rules_);
  return *this;
}

void Script::Install() {
  if (runtime::pointHook != nullptr) Refuse("a script is installed already");
  if (CurrentM() != nullptr) Refuse("a script is installed before Main, not after");
  installed = rules_;
  if (const char* spec = std::getenv("CHAOS"); spec != nullptr && *spec != 0)
    AddSpec(spec, "environment variable CHAOS", &installed);
  if (const char* seed = std::getenv("CHAOS_SEED"); seed != nullptr)
    dice = std::strtoull(seed, nullptr, 10);
  for (const Rule& rule : installed) {
    for (Point p : rule.points) {
      ArmedRule armed;
      for (const Term& term : rule.terms) armed.push_back(Arm(term));
      points[static_cast<int>(p)].rules.push_back(std::move(armed));
    }
  }
  StartWatcher();
  runtime::pointHook = Hook;
}

void Script::InstallAsleep() {
  asleep = true;
  Install();
}

void WakeScript() { asleep = false; }

std::vector<PointVisit> LastVisits(int n) {
  std::vector<PointVisit> visits;
  const std::uint64_t newest = recorded;
  const std::uint64_t wanted = std::min<std::uint64_t>(static_cast<std::uint64_t>(n), kRing / 2);
  for (std::uint64_t i = newest > wanted ? newest - wanted + 1 : 1; i <= newest; i++) {
    const std::uint64_t word = ring[i % kRing];
    if (word >> 32 != (i & 0xffffffff)) continue;
    visits.push_back(
        {static_cast<std::int16_t>(word >> 16 & 0xffff), static_cast<Point>(word & 0xffff)});
  }
  return visits;
}

std::int64_t VisitCount(Point p) { return points[static_cast<int>(p)].visits; }

}  // namespace gort::chaos
