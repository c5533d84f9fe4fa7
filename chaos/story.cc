#include "chaos/story.h"

#include <algorithm>
#include <map>

namespace gort::chaos {

namespace {

constexpr std::size_t kMostDeeds = 4;       // of one turn that are told
constexpr std::size_t kMostInjections = 8;  // that are told one by one
constexpr std::size_t kMostSwitches = 12;
constexpr std::size_t kMostWaiting = 8;

const std::string& Name(const Run& run, int t) { return run.threads[static_cast<std::size_t>(t)]; }

std::string List(const std::vector<std::string>& parts) {
  std::string text;
  for (std::size_t i = 0; i < parts.size(); i++)
    text += (i == 0 ? "" : i + 1 == parts.size() ? " and " : ", ") + parts[i];
  return text;
}

// What a thread does of its own accord; the explorer's doings are not told of.
bool IsDeed(const Event& event) {
  switch (event.kind) {
    case Event::kPoint:
    case Event::kOp:
    case Event::kLock:
    case Event::kUnlock:
    case Event::kWait:
    case Event::kWake:
      return true;
    default:
      return false;
  }
}

std::string Past(const Run& run, const Event& event) {
  switch (event.kind) {
    case Event::kPoint:
      return "passed " + event.what;
    case Event::kOp:
      return "made a " + event.detail + (event.what.empty() ? "" : " on " + event.what) +
             (event.function.empty() ? "" : " in " + event.function);
    case Event::kLock:
      return "took " + event.what;
    case Event::kUnlock:
      return "gave back " + event.what;
    case Event::kWait:
      return event.what.starts_with("sleep ") ? "went to " + event.what
                                              : "began to wait" + WaitText(event.what).substr(5);
    case Event::kWake:
      return "woke " + (event.other < 0 ? std::string("nobody") : Name(run, event.other));
    default:
      return EventText(run, event);
  }
}

std::string Holding(const Lanes::Thread& thread) {
  return thread.locks.empty() ? "" : ", which held " + List(thread.locks) + ",";
}

// What thread t did from event i on, until another one got the turn.
std::string Deeds(const Run& run, std::size_t i, int t) {
  std::vector<const Event*> deeds;
  for (; i < run.events.size(); i++) {
    const Event& event = run.events[i];
    if ((event.kind == Event::kRun && event.t != t) || event.kind == Event::kSwitch) break;
    if (event.t == t && IsDeed(event)) deeds.push_back(&event);
  }
  // Operations and points are told only where there is room for them.
  for (const Event::Kind dull : {Event::kOp, Event::kPoint})
    while (deeds.size() > kMostDeeds) {
      const auto at =
          std::find_if(deeds.begin(), deeds.end(), [&](const Event* e) { return e->kind == dull; });
      if (at == deeds.end()) break;
      deeds.erase(at);
    }
  const std::size_t more = deeds.size() - std::min(deeds.size(), kMostDeeds);
  deeds.resize(deeds.size() - more);
  std::vector<std::string> texts;
  texts.reserve(deeds.size() + 1);
  for (const Event* event : deeds) texts.push_back(Past(run, *event));
  if (more > 0) texts.push_back("did " + std::to_string(more) + " things more");
  return List(texts);
}

std::string TellSwitch(const Run& run, std::size_t i, const Lanes& before) {
  const Event& event = run.events[i];
  const Event* last = nullptr;
  const Event* next = nullptr;
  for (std::size_t k = i; k-- > 0 && last == nullptr;)
    if (run.events[k].t == event.t && IsDeed(run.events[k])) last = &run.events[k];
  for (std::size_t k = i + 1; k < run.events.size() && next == nullptr; k++)
    if (run.events[k].t == event.t && IsDeed(run.events[k])) next = &run.events[k];

  std::string text = "At step " + std::to_string(event.step) + " ";
  if (event.t < 0) {
    text += "the turn";
  } else {
    text +=
        ThreadAndGoroutine(run, before, event.t) + Holding(before.thread(event.t)) + " was stopped";
    if (event.stacks >= 0 && !run.stacks[static_cast<std::size_t>(event.stacks)].from.empty())
      text += " in " + run.stacks[static_cast<std::size_t>(event.stacks)].from.front();
    if (last != nullptr) text += ", after it " + Past(run, *last);
    if (next != nullptr) {
      text += (last == nullptr ? ", before it " : " and before it ") + Past(run, *next);
    } else {
      text += ", and did nothing more";
    }
    text += "; the turn";
  }
  text += " went to " + ThreadAndGoroutine(run, before, event.other);
  const std::string deeds = Deeds(run, i + 1, event.other);
  return text + (deeds.empty() ? "." : ", which " + deeds + ".");
}

std::string TellInjection(const Run& run, const Event& event, const Lanes& before) {
  return "At step " + std::to_string(event.step) + " " + event.what + " was injected into " +
         ThreadAndGoroutine(run, before, event.t) + Holding(before.thread(event.t)) +
         (event.detail.empty() ? "" : " at " + event.detail) + ".";
}

std::string TellWaiting(const Run& run, const Lanes& end,
                        const std::map<std::string, std::int64_t>& taken) {
  std::vector<std::string> parts;
  std::size_t waiting = 0;
  for (std::size_t t = 0; t < run.threads.size(); t++) {
    const Lanes::Thread& thread = end.threads()[t];
    if (thread.waits.empty()) continue;
    if (++waiting > kMostWaiting) continue;
    const std::string_view lock = LockWanted(thread.waits);
    std::string text = ThreadAndGoroutine(run, end, static_cast<int>(t)) + " ";
    text += lock.empty() ? WaitText(thread.waits) : "waits for " + std::string(lock);
    if (const int holder = end.HolderOf(lock); !lock.empty() && holder >= 0) {
      text += holder == static_cast<int>(t) ? ", which it holds itself"
                                            : ", which " + Name(run, holder) + " holds";
      if (const auto at = taken.find(std::string(lock)); at != taken.end())
        text += " since step " + std::to_string(at->second);
    }
    parts.push_back(text);
  }
  if (waiting > kMostWaiting)
    parts.push_back(std::to_string(waiting - kMostWaiting) + " more threads wait as well");
  if (parts.empty()) return "";
  std::string text = "Now ";
  for (std::size_t i = 0; i < parts.size(); i++) text += (i == 0 ? "" : "; ") + parts[i];
  return text + ".";
}

std::string TellEnd(const Run& run) {
  if (!run.ended) return "How it ended is not known: the file breaks off here.";
  std::string text = "It ended at step " + std::to_string(run.steps) + ": " + run.outcome;
  if (!run.detail.empty()) text += ", " + run.detail;
  return text + ".";
}

// What it said of itself when it gave up.
std::string TellFatal(const Run& run) {
  for (const Event& event : run.events) {
    if (event.kind != Event::kOut) continue;
    for (const char* start : {"fatal error: ", "panic: "}) {
      const std::size_t at = event.what.find(start);
      if (at != std::string::npos)
        return "It wrote «" + event.what.substr(at, event.what.find('\n', at) - at) + "».";
    }
  }
  return "";
}

}  // namespace

std::string ThreadAndGoroutine(const Run& run, const Lanes& lanes, int t) {
  const std::int64_t g = lanes.thread(t).goroutine;
  return Name(run, t) + (g == 0 ? "" : " (goroutine " + std::to_string(g) + ")");
}

std::vector<std::size_t> CriticalSwitches(const Run& run) {
  std::vector<std::size_t> found;
  for (std::size_t i = 0; i < run.events.size(); i++)
    if (run.events[i].kind == Event::kSwitch && run.events[i].critical) found.push_back(i);
  return found;
}

std::vector<Sentence> Story(const Run& run) {
  std::vector<Sentence> story;
  Lanes lanes(run);
  std::map<std::string, std::int64_t> taken;
  int critical = 0;
  std::size_t injections = 0;
  for (std::size_t i = 0; i < run.events.size(); i++) {
    const Event& event = run.events[i];
    if (event.kind == Event::kSwitch && event.critical && ++critical <= int{kMostSwitches})
      story.push_back({TellSwitch(run, i, lanes), critical});
    if (event.kind == Event::kInject && ++injections <= kMostInjections)
      story.push_back({TellInjection(run, event, lanes), 0});
    if (event.kind == Event::kLock) taken[event.what] = event.step;
    lanes.Apply(event);
  }
  auto tell = [&](const std::string& text) {
    if (!text.empty()) story.push_back({text, 0});
  };
  if (critical > int{kMostSwitches})
    tell("There were " + std::to_string(critical) + " such switches in all; they stand below.");
  if (injections > kMostInjections)
    tell("There were " + std::to_string(injections) + " injections in all.");
  tell(TellFatal(run));
  // That somebody waits means something only where nobody can go on.
  if (!run.ended || run.outcome.find("lock") != std::string::npos || !run.ring.empty())
    tell(TellWaiting(run, lanes, taken));
  tell(TellEnd(run));
  return story;
}

std::vector<RingEdge> RingOf(const Run& run) {
  if (!run.ring.empty()) return run.ring;
  Lanes lanes(run);
  for (const Event& event : run.events) lanes.Apply(event);
  const int n = static_cast<int>(run.threads.size());
  // Everybody waits for one lock at most, so a walk comes back to where it began or ends.
  for (int start = 0; start < n; start++) {
    std::vector<RingEdge> ring;
    int t = start;
    do {
      const std::string_view lock = LockWanted(lanes.thread(t).waits);
      const int holder = lock.empty() ? -1 : lanes.HolderOf(lock);
      if (holder < 0) break;
      ring.push_back({ThreadAndGoroutine(run, lanes, t),
                      "waits for lock " + std::string(lock) + ", held by",
                      ThreadAndGoroutine(run, lanes, holder)});
      t = holder;
      if (t == start) return ring;
    } while (static_cast<int>(ring.size()) <= n);
  }
  return {};
}

}  // namespace gort::chaos
