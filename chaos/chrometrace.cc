#include "chaos/chrometrace.h"

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <utility>

#include "chaos/markup.h"
#include "chaos/story.h"

namespace gort::chaos {

namespace {

using nlohmann::json;

constexpr int kProcess = 1;

class Writer {
 public:
  explicit Writer(const Run& run) : run_(run), lanes_(run) {}

  std::string Write() {
    NameTracks();
    for (const Event& event : run_.events) Take(event);
    const std::int64_t end =
        std::max(run_.steps, run_.events.empty() ? 0 : run_.events.back().step);
    EndTurn(end);
    for (std::size_t t = 0; t < run_.threads.size(); t++) EndWait(static_cast<int>(t), end);
    for (const auto& [hold, id] : holds_) Lock("e", hold.first, hold.second, id, end);
    if (run_.ended)
      Instant(0, end, "g", "end", "end: " + run_.outcome, {{"detail", Clean(run_.detail)}});
    return text_ + "\n]\n";
  }

 private:
  void Add(const json& event) {
    text_ +=
        (text_ == "[" ? "\n" : ",\n") + event.dump(-1, ' ', false, json::error_handler_t::replace);
  }
  json Base(const char* phase, int t, std::int64_t step, const char* category,
            const std::string& name) const {
    return {{"ph", phase}, {"pid", kProcess}, {"tid", t + 1},
            {"ts", step},  {"cat", category}, {"name", Clean(name)}};
  }
  void Instant(int t, std::int64_t step, const char* scope, const char* category,
               const std::string& name, const json& arguments) {
    json event = Base("i", t, step, category, name);
    event["s"] = scope;
    event["args"] = arguments;
    Add(event);
  }
  void Slice(int t, std::int64_t from, std::int64_t to, const char* category,
             const std::string& name, const json& arguments) {
    json event = Base("X", t, from, category, name);
    event["dur"] = to - from;
    event["args"] = arguments;
    Add(event);
  }
  void Lock(const char* phase, int t, const std::string& lock, int id, std::int64_t step) {
    json event = Base(phase, t, step, "lock", Name(t) + " holds " + lock);
    event["id"] = id;
    Add(event);
  }
  std::string Name(int t) const { return run_.threads[static_cast<std::size_t>(t)]; }

  void NameTracks() {
    auto meta = [&](const char* what, int t, const json& arguments) {
      json event = Base("M", t, 0, "__metadata", what);
      event["args"] = arguments;
      Add(event);
    };
    meta("process_name", -1,
         {{"name", Clean(ShownProgram(run_) + " (seed " + run_.seed + ", 1 step = 1 us)")}});
    for (std::size_t t = 0; t < run_.threads.size(); t++) {
      meta("thread_name", static_cast<int>(t), {{"name", Clean(run_.threads[t])}});
      meta("thread_sort_index", static_cast<int>(t), {{"sort_index", t}});
    }
  }

  void EndTurn(std::int64_t step) {
    const int t = lanes_.turn();
    if (t < 0) return;
    const std::int64_t g = lanes_.thread(t).goroutine;
    json arguments = {{"why", Clean(why_)}};
    if (now_ >= 0) arguments["virtual_ns"] = now_;
    Slice(t, turnSince_, step, "turn", g == 0 ? "system stack" : "goroutine " + std::to_string(g),
          arguments);
  }
  void EndWait(int t, std::int64_t step) {
    const Lanes::Thread& thread = lanes_.thread(t);
    // It goes on having the turn until another thread gets it, so the wait begins only then.
    if (!thread.waits.empty() && lanes_.turn() != t)
      Slice(t, std::max(thread.since, leftAt_[t]), step, "wait", "waits for " + thread.waits,
            json::object());
  }

  void Take(const Event& event) {
    const int t = event.t;
    const std::int64_t step = event.step;
    switch (event.kind) {
      case Event::kRun:
        EndTurn(step);
        if (lanes_.turn() != t) EndWait(t, step);
        if (lanes_.turn() >= 0) leftAt_[lanes_.turn()] = step;
        turnSince_ = step;
        why_ = event.what;
        now_ = event.now;
        if (const auto woken = waking_.find(t); woken != waking_.end()) {
          // Both ends are written now: a wake-up after which the thread never ran has no arrow.
          Add(woken->second);
          json arrow = Base("f", t, step, "wake", "wake");
          arrow["bp"] = "e";
          arrow["id"] = woken->second["id"];
          Add(arrow);
          waking_.erase(woken);
        }
        break;
      case Event::kG:
        if (lanes_.turn() != t || lanes_.thread(t).goroutine == event.number) break;
        EndTurn(step);
        turnSince_ = step;
        break;
      case Event::kPoint:
        Instant(t, step, "t", "point", event.what, json::object());
        break;
      case Event::kOp:
        Instant(t, step, "t", "op", EventText(run_, event), {{"fn", Clean(event.function)}});
        break;
      case Event::kLock:
        Lock("b", t, event.what, ++ids_, step);
        holds_[{t, event.what}] = ids_;
        break;
      case Event::kUnlock: {
        const int holder = lanes_.HolderOf(event.what);
        auto held = holds_.find({t, event.what});
        if (held == holds_.end()) held = holds_.find({holder, event.what});
        if (held == holds_.end()) break;
        Lock("e", held->first.first, event.what, held->second, step);
        holds_.erase(held);
        break;
      }
      case Event::kWake: {
        Instant(t, step, "t", "wake", EventText(run_, event), json::object());
        if (event.other < 0) break;
        EndWait(event.other, step);
        json arrow = Base("s", t, step, "wake", "wake");
        arrow["id"] = ++ids_;
        waking_.try_emplace(event.other, arrow);
        break;
      }
      case Event::kSignal:
        Instant(t, step, "t", "signal", event.what + " " + event.detail, json::object());
        break;
      case Event::kInject:
        Instant(t, step, "p", "inject", event.what, {{"point", Clean(event.detail)}});
        break;
      case Event::kSwitch:
        if (event.critical) {
          critical_++;
          Instant(std::max(t, 0), step, "g", "critical",
                  "critical switch " + std::to_string(critical_) + ": " + EventText(run_, event),
                  StacksOf(event));
        }
        break;
      case Event::kOut:
        Instant(std::max(t, 0), step, "t", "stderr", event.what, json::object());
        break;
      case Event::kThread:
      case Event::kWait:
        break;
    }
    lanes_.Apply(event);
  }

  json StacksOf(const Event& event) const {
    json arguments = json::object();
    if (event.stacks < 0) return arguments;
    const Stacks& stacks = run_.stacks[static_cast<std::size_t>(event.stacks)];
    for (const auto& [key, frames] :
         {std::pair("stack_from", &stacks.from), std::pair("stack_to", &stacks.to)}) {
      std::string text;
      for (const std::string& frame : *frames) text += Clean(frame) + "\n";
      arguments[key] = text;
    }
    return arguments;
  }

  const Run& run_;
  Lanes lanes_;
  std::string text_ = "[";
  std::int64_t turnSince_ = 0;
  std::int64_t now_ = -1;
  std::string why_;
  std::map<int, std::int64_t> leftAt_;  // when a thread's last turn ended
  std::map<std::pair<int, std::string>, int> holds_;  // thread and lock: id of the open slice
  std::map<int, json> waking_;  // the beginning of the arrow that will end in a thread's next turn
  int ids_ = 0;
  int critical_ = 0;
};

}  // namespace

std::string ChromeTrace(const Run& run) { return Writer(run).Write(); }

}  // namespace gort::chaos
