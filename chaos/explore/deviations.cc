#include "chaos/explore/deviations.h"

#include <algorithm>
#include <cstdio>

#include "chaos/explore/runstate.h"

#pragma clang section bss = ".bss.noroots" data = ".data.noroots"

namespace gort::chaos {

namespace {

// Replay, for each deviation: the index of the same thread's next one, and whether it was made. Every run has
// room for them, so that the program's mappings lie in a replay where they lay in the run.
std::uint32_t* following;
bool* used;
std::uint32_t first[kMaxThreads];

}  // namespace

void PrepareReplay() {
  constexpr std::size_t kBytes = kMaxDeviations * (sizeof *following + sizeof *used);
  following = static_cast<std::uint32_t*>(MapMemory(kBytes, "the trace"));
  used = reinterpret_cast<bool*>(following + kMaxDeviations);
  std::fill(std::begin(first), std::end(first), static_cast<std::uint32_t>(run.config.count));
  if (!run.config.replay) return;
  for (std::size_t i = run.config.count; i-- > 0;) {
    std::uint32_t& next = first[run.config.deviations[i].thread];
    following[i] = next;
    next = static_cast<std::uint32_t>(i);
  }
}

std::uint32_t FirstDeviation(int thread) { return first[thread]; }

void Record(Deviation::Kind kind, std::uint32_t what, bool preemption) {
  RunRecord* r = run.result;
  if (r->count == kMaxDeviations) {
    r->overflow = true;
    return;
  }
  r->deviations[r->count++] = {Self().v.steps, what, static_cast<std::uint8_t>(run.current), kind,
                               preemption};
}

void Diverge(const char* how, const Deviation& d) {
  RunRecord* r = run.result;
  r->missed++;
  if (r->diverged[0] == 0)
    std::snprintf(r->diverged, sizeof r->diverged, "thread %d at its step %llu: %s", d.thread,
                  static_cast<unsigned long long>(d.step), how);
  if (!run.config.strict) return;
  char line[400];
  const int n =
      std::snprintf(line, sizeof line, "explore: the replay has left its trace: %s\n", r->diverged);
  Say(line, n);
  End(kDiverged);
}

const Deviation* Take(Deviation::Kind kind) {
  Thread& self = Self();
  while (self.nextDeviation < run.config.count) {
    const Deviation& d = run.config.deviations[self.nextDeviation];
    if (d.step >= self.v.steps) break;
    if (!used[self.nextDeviation]) Diverge("nothing was to be decided there", d);
    self.nextDeviation = following[self.nextDeviation];
  }
  for (std::uint32_t i = self.nextDeviation; i < run.config.count; i = following[i]) {
    const Deviation& d = run.config.deviations[i];
    if (d.step != self.v.steps) break;
    if (d.kind != kind || used[i]) continue;
    used[i] = true;
    return &d;
  }
  return nullptr;
}

bool DeviatesHere() {
  const std::uint32_t next = Self().nextDeviation;
  return next < run.config.count && run.config.deviations[next].step <= Self().v.steps;
}

}  // namespace gort::chaos
