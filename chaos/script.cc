#include "chaos/script.h"

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

#include "chaos/actions.h"
#include "chaos/faultpoint.h"
#include "chaos/helper.h"
#include "chaos/listens.h"
#include "chaos/locks.h"
#include "chaos/storm.h"
#include "chaos/visits.h"
#include "chaos/watcher.h"
#include "runtime/os_linux.h"
#include "runtime/panic_throw.h"
#include "runtime/proc.h"
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

// Constant-initialised: Install may be called before this file's objects are made.
constinit std::vector<ArmedRule> armedRules[kPointCount];  // constant after Install
constinit std::vector<Rule> installed;  // the same

std::atomic<bool> asleep;
std::atomic<bool> thrown;

bool helperWanted;  // constant after Install

thread_local Point lastPoint = Point::count_;

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

// One thread's coming to a point, and what comes of it.
struct Visit {
  Point point;
  bool fails;  // of POINT_FAILS
};

// What happens at the point `here`, on its number-th visit; gp is the goroutine that came there, or
// on whose behalf a system stack is used, null for none.
void Do(const Action& action, Visit* here, std::uint64_t number, runtime::g* gp) {
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
      HoldUntil(here->point, action.point, [&] { return AnotherThreadWasAt(action.point); });
      return;
    case Action::kAwait:
      // Later visits are other threads': this one waits here.
      HoldUntil(here->point, action.point, [&] { return NewestVisit(action.point) > number; });
      return;
    case Action::kMoveStack:
      MoveStack(gp);
      return;
    case Action::kSignal:
      SendSignal(static_cast<int>(action.number), action.target);
      return;
    case Action::kStarve:
      Starve(dice.Next(), Nanotime() + action.number * 1000);
      return;
    case Action::kPreempt:
      Preempt(gp);
      return;
    case Action::kAsk:
      Ask(action.request);
      return;
    case Action::kFail:
      here->fails = true;
      return;
    case Action::kCall:
      action.fn();
      return;
  }
}

// What a rule's terms, the storm and the fault make of a visit.
void Inject(Visit* here, runtime::g* gp, std::uint64_t number, std::int64_t visit, Point before) {
  SleepIfStarved();
  for (const ArmedRule& rule : armedRules[static_cast<int>(here->point)]) {
    for (const ArmedTerm& armed : rule) {
      if (thrown) return;
      if (!ConditionsHold(armed, before, visit) || !dice.Roll(armed.term->probability) ||
          !TakeFiring(armed.left))
        continue;
      Do(armed.term->action, here, number, gp);
      break;
    }
  }
  AtStormPoint(here->point, gp);
  if (StormFails(here->point)) here->fails = true;
}

// On a system stack.
void AtPoint(void* arg) {
  auto* here = static_cast<Visit*>(arg);
  const Point p = here->point;
  runtime::g* gp = nullptr;
  // On a goroutine, or on behalf of one: null while the M schedules.
  if (const runtime::m* mp = CurrentM(); mp != nullptr) gp = mp->curg;
  const std::uint64_t number = RecordVisit(p);
  if (CallingRuntime()) return;
  if (p == Point::main_begin && helperWanted)
    CallRuntime([] { StartHelper(StormHelperOptions()); });
  if (bool throws = false; AtFault(p, &throws)) {
    if (throws) {
      thrown = true;
      runtime::throw_(kFaultThrow);
    }
    here->fails = true;
  }
  if (asleep) return;
  const std::int64_t visit = CountVisit(p);
  const Point before = lastPoint;
  lastPoint = p;
  if (thrown) return;
  Inject(here, gp, number, visit, before);
}

// The runtime's hooks. They are called through a pointer, so the linker has seen to no stack for
// them: they need next to none, and everything else happens on the system stack.
bool VisitPoint(Point p) {
  Visit visit{p, false};
  runtime::gort_systemstack(AtPoint, &visit);
  return visit.fails;
}

void Hook(Point p) {
  // On the goroutine itself, which may block and grow its stack.
  if (p == Point::main_end && FaultInstalled()) CheckHeapAndStacks();
  VisitPoint(p);
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

// What CHAOS_STORM, CHAOS_FAULT and CHAOS_VISITS say.
void InstallFromEnvironment() {
  if (const char* text = Variable(kStormVariable); text != nullptr) {
    auto parsed = ParseStorm(text);
    if (const auto* error = std::get_if<SpecError>(&parsed)) {
      std::fprintf(stderr, "chaos: environment variable CHAOS_STORM, %s",
                   ShowSpecError(text, *error).c_str());
      std::exit(2);
    }
    InstallStorm(std::get<StormKnobs>(parsed));
  }
  if (const char* text = Variable(kFaultVariable); text != nullptr) {
    if (!InstallFault(text))
      Refuse("environment variable CHAOS_FAULT: expected as in throw:17:once");
  }
  if (const char* path = Variable(kVisitsVariable); path != nullptr && !ShareVisits(path))
    Refuse(("environment variable CHAOS_VISITS: " + std::string(path) + ": " + std::strerror(errno))
               .c_str());
}

}  // namespace

const char* Variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr || *value == 0 ? nullptr : value;
}

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
  Finish({.kind = Action::kThrow, .text = std::string(text)});
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
  InstallFromEnvironment();
  installed = rules_;
  if (const char* spec = Variable(kSpecVariable); spec != nullptr)
    AddSpec(spec, "environment variable CHAOS", &installed);
  if (const char* seed = std::getenv("CHAOS_SEED"); seed != nullptr)
    dice.Seed(std::strtoull(seed, nullptr, 10));
  helperWanted = StormInstalled();
  for (const Rule& rule : installed) {
    for (Point p : rule.points) {
      ArmedRule armed;
      for (const Term& term : rule.terms) {
        armed.push_back(Arm(term));
        if (term.action.kind == Action::kAsk) helperWanted = true;
      }
      armedRules[static_cast<int>(p)].push_back(std::move(armed));
    }
  }
  StartWatcher();
  runtime::pointHook = Hook;
  runtime::pointFailsHook = VisitPoint;
}

void Script::InstallAsleep() {
  asleep = true;
  Install();
}

void WakeScript() { asleep = false; }

}  // namespace gort::chaos
