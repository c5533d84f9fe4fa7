// What every thread is doing as the events go by, and words for events.

#include <algorithm>
#include <cctype>

#include "chaos/events.h"

namespace gort::chaos {

void Lanes::Apply(const Event& event) {
  if (event.t < 0 || static_cast<std::size_t>(event.t) >= threads_.size()) return;
  Thread& thread = threads_[static_cast<std::size_t>(event.t)];
  switch (event.kind) {
    case Event::kThread:
      thread.exists = true;
      break;
    case Event::kRun:
      if (event.what == "exit" && turn_ >= 0 && turn_ != event.t)
        threads_[static_cast<std::size_t>(turn_)].exists = false;
      turn_ = event.t;
      thread.exists = true;
      thread.waits.clear();
      break;
    case Event::kG:
      thread.goroutine = event.number;
      break;
    case Event::kLock:
      thread.locks.push_back(event.what);
      thread.waits.clear();
      break;
    case Event::kUnlock: {
      const int holder = HolderOf(event.what);
      auto* held = &thread.locks;
      if (std::find(held->begin(), held->end(), event.what) == held->end()) {
        if (holder < 0) break;
        held = &threads_[static_cast<std::size_t>(holder)].locks;
      }
      held->erase(std::find(held->begin(), held->end(), event.what));
      break;
    }
    case Event::kWait:
      thread.waits = event.what;
      thread.since = event.step;
      break;
    case Event::kWake:
      if (event.other >= 0) threads_[static_cast<std::size_t>(event.other)].waits.clear();
      break;
    default:
      break;
  }
}

int Lanes::HolderOf(std::string_view lock) const {
  for (std::size_t t = 0; t < threads_.size(); t++)
    for (const std::string& held : threads_[t].locks)
      if (held == lock) return static_cast<int>(t);
  return -1;
}

std::string_view LockWanted(std::string_view waits) {
  constexpr std::string_view kPrefix = "lock ";
  return waits.starts_with(kPrefix) ? waits.substr(kPrefix.size()) : std::string_view();
}

std::string WaitText(const std::string& waits) {
  const std::string_view sleep = "sleep ";
  if (waits.starts_with(sleep)) return "sleeps " + waits.substr(sleep.size());
  return "waits for " + (waits == "note" ? "a note" : waits);
}

std::string FirstWords(const std::string& text) {
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    const std::string line = text.substr(at, end - at);
    if (std::any_of(line.begin(), line.end(), [](unsigned char c) { return std::isalnum(c); }))
      return line;
    at = end + 1;
  }
  return text.substr(0, text.find('\n'));
}

std::string EventText(const Run& run, const Event& event) {
  auto name = [&](int t) {
    return t < 0 ? std::string("nobody") : run.threads[static_cast<std::size_t>(t)];
  };
  const std::string in = event.function.empty() ? "" : " in " + event.function;
  switch (event.kind) {
    case Event::kThread:
      return "exists from here on";
    case Event::kRun:
      return "gets the turn" + (event.what.empty() ? "" : " (" + event.what + ")");
    case Event::kG:
      return event.number == 0 ? "runs no goroutine now (system stack)"
                               : "runs goroutine " + std::to_string(event.number);
    case Event::kPoint:
      return "passes the point " + event.what;
    case Event::kOp:
      return event.detail + (event.what.empty() ? "" : " " + event.what) + in;
    case Event::kLock:
      return "takes " + event.what;
    case Event::kUnlock:
      return "gives back " + event.what;
    case Event::kWait:
      return WaitText(event.what);
    case Event::kWake:
      return "wakes " + name(event.other);
    case Event::kSignal:
      if (event.detail == "sent")
        return "is sent " + event.what + (event.other < 0 ? "" : " by " + name(event.other));
      return event.what + " is delivered";
    case Event::kInject:
      return "injected: " + event.what + (event.detail.empty() ? "" : ", at " + event.detail);
    case Event::kSwitch:
      return "the turn goes to " + name(event.other) +
             (event.what.empty() ? "" : " (" + event.what + ")");
    case Event::kOut:
      return "writes: " + FirstWords(event.what);
  }
  return "";
}

}  // namespace gort::chaos
