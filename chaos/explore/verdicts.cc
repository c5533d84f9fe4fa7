#include "chaos/explore/verdicts.h"

#include <cstdio>

#include "chaos/explore/deadlock.h"
#include "chaos/explore/events.h"
#include "chaos/explore/idle.h"
#include "chaos/explore/runstate.h"
#include "chaos/rings.h"
#include "chaos/waitfor.h"

namespace gort::chaos {

namespace {

// A ring of threads that wait for each other is believed if it is the same at so many looks, with so many
// steps between two. Some of them spin; by then each has had the turn often.
constexpr int kRingLooks = 5;
constexpr std::uint64_t kRingLookEvery = 20'000;

void Verdict(const char* outcome) {
  std::snprintf(run.result->outcome, sizeof run.result->outcome, "%s", outcome);
  EventEnd(outcome);
}

[[noreturn]] void Livelock(const char* why) {
  Verdict("livelock");
  char line[200];
  const int n =
      std::snprintf(line, sizeof line, "explore: livelock: %llu steps, %s; what the threads do:\n",
                    static_cast<unsigned long long>(run.result->steps), why);
  Say(line, n);
  DescribeLivelock();
  End(kLivelockSeen);
}

std::uint64_t NextRingLook() {
  return run.result->steps + kRingLookEvery * static_cast<std::uint64_t>(run.grain);
}

void LookForRing() {
  run.nextRingLook = NextRingLook();
  const std::uint64_t now = RingNow();
  run.ringLooks = now != 0 && now == run.ring ? run.ringLooks + 1 : 0;
  run.ring = now;
  if (run.ringLooks == kRingLooks) Livelock("and threads that wait for each other");
}

}  // namespace

void BeginLooking() {
  run.nextRingLook = NextRingLook();
  run.ring = 0;
  run.ringLooks = 0;
}

void Deadlock() {
  Verdict("deadlock");
  DescribeDeadlock();
  End(kDeadlockSeen);
}

void LookForLivelock() {
  if (run.result->steps >= run.config.limit) Livelock("and no end");
  if (run.result->steps >= run.nextRingLook) LookForRing();
}

void LookForIdle() {
  if (!WorkWaits()) return;
  Verdict("idle");
  constexpr char kLine[] =
      "explore: a goroutine waits for a processor while a P is idle and nobody looks for work:\n";
  Say(kLine, sizeof kLine - 1);
  DescribeIdle();
  End(kIdleSeen);
}

void LookForLateTimer() {
  const std::int64_t due = LateTimer();
  if (due == 0) return;
  Verdict("late");
  char line[200];
  const std::int64_t us = (due - run.result->now) / 1000;
  const int n = std::snprintf(line, sizeof line,
                              "explore: a timer %s %lld us%s, and nobody but sysmon will look:\n",
                              us > 0 ? "is due in" : "was due",
                              static_cast<long long>(us > 0 ? us : -us), us > 0 ? "" : " ago");
  Say(line, n);
  DescribeIdle();
  End(kLateSeen);
}

}  // namespace gort::chaos
