// What page_model.js gets to know of a run.

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>

#include "chaos/fold.h"
#include "chaos/markup.h"
#include "chaos/page.h"
#include "chaos/story.h"

namespace gort::chaos {

namespace {

using nlohmann::json;

// Numbers that page_model.js knows too.
constexpr int kNoRow = 32;
constexpr int kSkipped = 13;
constexpr std::size_t kLongestText = 2000;

class Strings {
 public:
  std::size_t Of(const std::string& text) {
    const auto [at, isNew] = index_.try_emplace(text, list_.size());
    if (isNew) list_.push_back(Clean(text.substr(0, kLongestText)));
    return at->second;
  }
  const std::vector<std::string>& list() const { return list_; }

 private:
  std::map<std::string, std::size_t> index_{{"", 0}};
  std::vector<std::string> list_{""};
};

std::string EventAsJson(const Event& event, std::int64_t step, bool noRow, int critical,
                        Strings* strings) {
  std::int64_t fields[] = {
      event.kind + (noRow ? kNoRow : 0),
      event.step - step,
      event.t + 1,
      event.other + 1,
      event.kind == Event::kRun ? event.now : event.number,
      static_cast<std::int64_t>(strings->Of(event.what)),
      static_cast<std::int64_t>(strings->Of(event.detail)),
      static_cast<std::int64_t>(strings->Of(event.function)),
      critical,
  };
  std::size_t n = std::size(fields);
  while (n > 3 && fields[n - 1] == 0) n--;
  std::string text = "[";
  for (std::size_t i = 0; i < n; i++) text += (i > 0 ? "," : "") + std::to_string(fields[i]);
  return text + "]";
}

// A stretch that the page does not carry: how long it is, and what holds after it.
std::string SkippedAsJson(const Run& run, const Stretch& stretch, std::int64_t step,
                          const Lanes& after) {
  json threads = json::array();
  for (const Lanes::Thread& thread : after.threads()) {
    json locks = json::array();
    for (const std::string& lock : thread.locks) locks.push_back(Clean(lock));
    threads.push_back(
        {thread.exists ? 1 : 0, thread.goroutine, locks, Clean(thread.waits), thread.since});
  }
  const json state = {{"turn", after.turn()}, {"threads", threads}};
  return "[" + std::to_string(kSkipped) + "," +
         std::to_string(run.events[stretch.first].step - step) + "," +
         std::to_string(stretch.last - stretch.first) + "," + state.dump() + "," +
         std::to_string(run.events[stretch.last - 1].step) + "]";
}

// FirstCarried returns from which stretch on the page carries everything; before it, only what is
// shown at once. A fold in which the limit is reached becomes two, of which the second is carried.
std::size_t FirstCarried(std::vector<Stretch>* stretches) {
  std::size_t left = kMostCarried;
  for (std::size_t i = stretches->size(); i-- > 0;) {
    Stretch& stretch = (*stretches)[i];
    const std::size_t events = stretch.last - stretch.first;
    if (events <= left) {
      left -= events;
      continue;
    }
    if (stretch.folded && left > 0) {
      const std::size_t middle = stretch.last - left;
      const Stretch carried = {middle, stretch.last, true};
      stretch.last = middle;
      stretches->insert(stretches->begin() + static_cast<std::ptrdiff_t>(i) + 1, carried);
    }
    return i + 1;
  }
  return 0;
}

}  // namespace

std::string CarriedEvents(const Run& run) {
  const std::vector<bool> noRow = RunsOfSwitches(run);
  std::vector<Stretch> stretches = Stretches(ShownEvents(run));
  const std::size_t firstCarried = FirstCarried(&stretches);
  Strings strings;
  Lanes lanes(run);
  std::string events;
  json folds = json::array();
  json goroutines = json::array();
  std::int64_t step = 0;
  std::size_t items = 0;
  int critical = 0;
  std::map<std::int64_t, bool> known;
  for (std::size_t s = 0; s < stretches.size(); s++) {
    const Stretch& stretch = stretches[s];
    const bool skip = stretch.folded && s < firstCarried;
    if (stretch.folded && !skip) folds.push_back({items, items + stretch.last - stretch.first});
    const std::int64_t before = step;
    for (std::size_t i = stretch.first; i < stretch.last; i++) {
      const Event& event = run.events[i];
      const bool isCritical = event.kind == Event::kSwitch && event.critical;
      if (isCritical) critical++;
      if (!skip) {
        events += (items++ > 0 ? ",\n" : "") +
                  EventAsJson(event, step, noRow[i], isCritical ? critical : 0, &strings);
        step = event.step;
      }
      if (event.kind == Event::kG && event.number != 0 && known.emplace(event.number, true).second)
        goroutines.push_back(event.number);
      lanes.Apply(event);
    }
    if (skip) {
      events += (items++ > 0 ? ",\n" : "") + SkippedAsJson(run, stretch, before, lanes);
      step = run.events[stretch.first].step;
    }
  }

  json kinds = json::array();
  for (int kind = 0; kind < kSkipped; kind++)
    kinds.push_back(EventKindName(static_cast<Event::Kind>(kind)));
  kinds.push_back("skipped");
  json threads = json::array();
  for (const std::string& name : run.threads) threads.push_back(Clean(name));
  json ringLocks = json::array();
  for (const RingEdge& edge : RingOf(run)) {
    const std::size_t at = edge.what.find("lock ");
    if (at == std::string::npos) continue;
    const std::size_t name = at + 5;
    ringLocks.push_back(Clean(edge.what.substr(name, edge.what.find(',', name) - name)));
  }
  json rest = {
      {"kinds", kinds},
      {"threads", threads},
      {"strings", strings.list()},
      {"folds", folds},
      {"goroutines", goroutines},
      {"ringLocks", ringLocks},
      {"steps", run.steps},
      {"good", IsGood(run)},
      {"outcome", Clean(run.ended ? run.outcome + (run.detail.empty() ? "" : ": " + run.detail)
                                  : "not known, the events file is cut off")},
  };
  std::string text = rest.dump();
  text.pop_back();
  return text + ",\"events\":[\n" + events + "]}";
}

}  // namespace gort::chaos
