#include "chaos/fold.h"

#include <algorithm>
#include <cstdint>
#include <map>
#include <string>

namespace gort::chaos {

namespace {

// Weights, the heaviest first.
enum Weight : int {
  kAnchor,     // critical switches, injections
  kLoose,      // what is held or waited for at the end, the last event of each thread
  kNear,       // a few events around an anchor, and the last ones of the run
  kTold,       // signals, output, threads, other switches
  kTurn,       // turns, waits, wakes
  kHold,       // locks, goroutines
  kPassed,     // points
  kOperation,  // atomic operations
  kWeights,
};

constexpr std::size_t kAround = 5;  // events on each side of an anchor
constexpr std::size_t kLast = 10;   // events at the end of the run
constexpr std::size_t kDull = 8;    // as many operations of one thread in a row are folded
constexpr std::size_t kSmallestFold = 3;

int OwnWeight(const Event& event) {
  switch (event.kind) {
    case Event::kInject:
      return kAnchor;
    case Event::kSwitch:
      return event.critical ? kAnchor : kTold;
    case Event::kThread:
    case Event::kSignal:
    case Event::kOut:
      return kTold;
    case Event::kRun:
    case Event::kWait:
    case Event::kWake:
      return kTurn;
    case Event::kG:
    case Event::kLock:
    case Event::kUnlock:
      return kHold;
    case Event::kPoint:
      return kPassed;
    case Event::kOp:
      return kOperation;
  }
  return kOperation;
}

// Raises the weight of the events whose effect lasts to the end of the run.
void WeighLoose(const Run& run, std::vector<int>* weights) {
  Lanes lanes(run);
  std::map<std::string, std::size_t> taken;
  std::vector<std::size_t> waits(run.threads.size());
  std::vector<std::size_t> lastOf(run.threads.size(), SIZE_MAX);
  for (std::size_t i = 0; i < run.events.size(); i++) {
    const Event& event = run.events[i];
    lanes.Apply(event);
    if (event.t < 0) continue;
    const auto t = static_cast<std::size_t>(event.t);
    lastOf[t] = i;
    if (event.kind == Event::kLock) taken[event.what] = i;
    if (event.kind == Event::kWait) waits[t] = i;
  }
  auto raise = [&](std::size_t i) { (*weights)[i] = std::min<int>((*weights)[i], kLoose); };
  for (std::size_t t = 0; t < run.threads.size(); t++) {
    if (lastOf[t] != SIZE_MAX) raise(lastOf[t]);
    const Lanes::Thread& thread = lanes.threads()[t];
    if (!thread.waits.empty()) raise(waits[t]);
    for (const std::string& lock : thread.locks)
      if (const auto at = taken.find(lock); at != taken.end()) raise(at->second);
  }
}

void WeighNear(std::vector<int>* weights) {
  const std::size_t n = weights->size();
  std::vector<std::size_t> anchors;
  for (std::size_t i = 0; i < n; i++)
    if ((*weights)[i] == kAnchor) anchors.push_back(i);
  auto raise = [&](std::size_t from, std::size_t to) {
    for (std::size_t i = from; i < std::min(to, n); i++)
      (*weights)[i] = std::min<int>((*weights)[i], kNear);
  };
  for (const std::size_t anchor : anchors)
    raise(anchor - std::min(anchor, kAround), anchor + kAround + 1);
  raise(n - std::min(n, kLast), n);
}

// How many events lie between each event and the nearest one of the heaviest class or the end.
std::vector<std::size_t> Distances(const std::vector<int>& weights) {
  const std::size_t n = weights.size();
  std::vector<std::size_t> distance(n);
  std::size_t behind = n;
  for (std::size_t i = 0; i < n; i++) {
    behind = weights[i] == kAnchor ? 0 : behind + 1;
    distance[i] = behind;
  }
  std::size_t ahead = 0;
  for (std::size_t i = n; i-- > 0;) {
    ahead = weights[i] == kAnchor ? 0 : ahead + 1;
    distance[i] = std::min(distance[i], ahead);
  }
  return distance;
}

// Operations in a row on one thread, far from all else, are not worth their room.
void FoldDull(const Run& run, const std::vector<int>& weights, std::vector<bool>* shown) {
  for (std::size_t first = 0; first < run.events.size();) {
    std::size_t last = first;
    while (last < run.events.size() && weights[last] == kOperation &&
           run.events[last].t == run.events[first].t)
      last++;
    if (last - first >= kDull)
      std::fill(shown->begin() + static_cast<std::ptrdiff_t>(first) + 1,
                shown->begin() + static_cast<std::ptrdiff_t>(last) - 1, false);
    first = std::max(last, first + 1);
  }
}

}  // namespace

std::vector<bool> ShownEvents(const Run& run, std::size_t budget) {
  const std::size_t n = run.events.size();
  std::vector<int> weights(n);
  std::transform(run.events.begin(), run.events.end(), weights.begin(), OwnWeight);
  WeighLoose(run, &weights);
  WeighNear(&weights);
  std::vector<bool> shown(n, false);

  std::vector<std::size_t> classes[kWeights];
  for (std::size_t i = 0; i < n; i++) classes[weights[i]].push_back(i);
  std::vector<std::size_t> distance;
  std::size_t left = budget;
  for (int weight = kAnchor; weight < kWeights; weight++) {
    std::vector<std::size_t>& events = classes[weight];
    const bool fits = events.size() <= left;
    if (!fits && weight != kAnchor) {
      if (distance.empty()) distance = Distances(weights);
      std::nth_element(events.begin(), events.begin() + static_cast<std::ptrdiff_t>(left),
                       events.end(), [&](std::size_t a, std::size_t b) {
                         return distance[a] != distance[b] ? distance[a] < distance[b] : a < b;
                       });
      events.resize(left);
    }
    for (const std::size_t i : events) shown[i] = true;
    if (!fits) break;
    left -= events.size();
  }
  FoldDull(run, weights, &shown);
  for (const Stretch& stretch : Stretches(shown))
    if (stretch.folded && stretch.last - stretch.first < kSmallestFold)
      std::fill(shown.begin() + static_cast<std::ptrdiff_t>(stretch.first),
                shown.begin() + static_cast<std::ptrdiff_t>(stretch.last), true);
  return shown;
}

std::vector<Stretch> Stretches(const std::vector<bool>& shown) {
  std::vector<Stretch> stretches;
  for (std::size_t i = 0; i < shown.size(); i++) {
    if (!shown[i] && !stretches.empty() && stretches.back().folded) {
      stretches.back().last = i + 1;
    } else {
      stretches.push_back({i, i + 1, !shown[i]});
    }
  }
  return stretches;
}

std::vector<bool> RunsOfSwitches(const Run& run) {
  std::vector<bool> same(run.events.size(), false);
  auto matches = [&](std::size_t at, std::size_t i) {
    const Event& event = run.events[i];
    return event.kind == Event::kRun && event.t == run.events[at].other &&
           event.step - run.events[at].step <= 1 && run.events[at].step - event.step <= 1;
  };
  for (std::size_t i = 0; i < run.events.size(); i++) {
    if (run.events[i].kind != Event::kSwitch) continue;
    if (i + 1 < run.events.size() && matches(i, i + 1)) {
      same[i + 1] = true;
    } else if (i > 0 && matches(i, i - 1)) {
      same[i - 1] = true;
    }
  }
  return same;
}

}  // namespace gort::chaos
