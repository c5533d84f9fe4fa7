#include "chaos/storm.h"

#include <pthread.h>
#include <signal.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "chaos/actions.h"
#include "chaos/watcher.h"
#include "runtime/os_linux.h"
#include "runtime/panic_throw.h"

namespace gort::chaos {

namespace {

// Constant after InstallStorm, which may be called before this file's objects are made.
bool installed;
constinit StormKnobs knobs;
constinit Sites sites;

// Between main's begin and its end.
std::atomic<bool> blowing;
std::atomic<std::int64_t> began;  // nanotime
std::atomic<std::uint64_t> interval;  // number of the newest one that has been looked at, from 1

std::atomic<std::int64_t> visited, signalsSent;
std::atomic<std::int64_t> fired[kStormActionCount];
std::atomic<std::int64_t> starvedIntervals;

bool Blowing() { return blowing && !runtime::panickingNow(); }

void BeginInterval() {
  const std::int64_t length = knobs.intervalMicros * 1000;
  const std::int64_t start = began;
  const std::int64_t now = Nanotime();
  const auto number = static_cast<std::uint64_t>((now - start) / length) + 1;
  std::uint64_t newest = interval;
  if (number <= newest || !interval.compare_exchange_strong(newest, number)) return;
  const Starvation s = StarvationIn(knobs, number);
  if (!s.active) return;
  starvedIntervals++;
  Starve(s.draw, start + static_cast<std::int64_t>(number) * length);
}

void Fire(StormAction action, runtime::g* gp) {
  fired[static_cast<int>(action)]++;
  switch (action) {
    case StormAction::kYield:
      runtime::osyield();
      return;
    case StormAction::kDelay:
      runtime::usleep(static_cast<std::uint32_t>(DrawDelay(knobs, &dice)));
      return;
    case StormAction::kPreempt:
      Preempt(gp);
      return;
    case StormAction::kMoveStack:
      MoveStack(gp);
      return;
    case StormAction::kShrink:
      Ask(Request::kShrink);
      return;
    case StormAction::kCollect:
      Ask(Request::kCollect);
      return;
    case StormAction::kStopWorld:
      Ask(Request::kStopWorld);
      return;
    case StormAction::kBarrier:
      Ask(Request::kBarrier);
      return;
    case StormAction::kRetake:
      Ask(Request::kRetake);
      return;
    case StormAction::kCount:
      return;
  }
}

// One line, without the C library's streams.
void Report() {
  char line[600];
  const double seconds = static_cast<double>(Nanotime() - began) / 1e9;
  int n = std::snprintf(line, sizeof line, "chaos: storm: %.3f s, %lld visits", seconds,
                        static_cast<long long>(visited));
  auto add = [&](const char* name, std::int64_t count) {
    n += std::snprintf(line + n, sizeof line - static_cast<std::size_t>(n), ", %s %lld", name,
                       static_cast<long long>(count));
  };
  for (int i = 0; i < kStormActionCount; i++)
    add(StormActionName(static_cast<StormAction>(i)).data(), fired[i]);
  add("signals", signalsSent);
  add("intervals", static_cast<std::int64_t>(interval.load()));
  add("starved", starvedIntervals);
  add("us asleep starved", StarvedFor() / 1000);
  for (int r = 0; r < static_cast<int>(Request::kCount); r++)
    n += std::snprintf(line + n, sizeof line - static_cast<std::size_t>(n), "%s%lld",
                       r == 0 ? ", granted " : "/",
                       static_cast<long long>(Granted(static_cast<Request>(r))));
  line[n++] = '\n';
  runtime::write(2, line, static_cast<runtime::uintptr>(n));
}

// Sends signals at the knobs' rate. A thread that the runtime does not know. Each is due at a time
// of its own, so that the rate holds however late the thread is woken.
void* SendSignals(void*) {
  const IgnoredByTsan ignored;
  // Before the helper is ready SIGHUP ends the program.
  while (!Blowing() || !HelperReady()) runtime::usleep(100);
  Dice drawn(MixName(knobs.seed, "signals"));
  std::int64_t due = Nanotime();
  while (Blowing()) {
    const NextSignal next = DrawSignal(knobs, &drawn);
    due += next.waitMicros * 1000;
    for (std::int64_t left; (left = due - Nanotime()) > 0 && Blowing();)
      runtime::usleep(static_cast<std::uint32_t>(std::min<std::int64_t>(left / 1000 + 1, 10000)));
    if (!Blowing()) break;
    SendSignal(next.signal, next.toProcess ? Action::kProcess : Action::kAnyM);
    signalsSent++;
  }
  return nullptr;
}

}  // namespace

void InstallStorm(const StormKnobs& k) {
  installed = true;
  knobs = k;
  sites = PlanSites(k);
  dice.Seed(Mix(k.seed));
  if (k.signals > 0) StartThread(SendSignals);
}

bool StormInstalled() { return installed; }

void AtStormPoint(Point p, runtime::g* gp) {
  if (!installed) return;
  if (p == Point::main_begin) {
    began = Nanotime();
    blowing = true;
  }
  if (p == Point::main_end && blowing.exchange(false) && knobs.report) Report();
  if (!Blowing()) return;
  visited++;
  if (knobs.starve > 0) BeginInterval();
  const Site& site = sites[static_cast<std::size_t>(p)];
  if (site.active && dice.Roll(knobs.fires)) Fire(site.action, gp);
}

bool StormFails(Point p) {
  return installed && CanFail(p) && Blowing() && knobs.enomem > 0 && dice.Roll(knobs.enomem);
}

HelperOptions StormHelperOptions() {
  HelperOptions o;
  o.pauseMicros = installed ? knobs.pauseMicros : 0;
  o.catchHangup = installed && knobs.signals > 0 &&
                  std::find(knobs.kinds.begin(), knobs.kinds.end(), SIGHUP) != knobs.kinds.end();
  return o;
}

}  // namespace gort::chaos
