// The Chrome trace keeps the format's rules.

#include "chaos/chrometrace.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "chaos/testdata.h"

using namespace gort::chaos;
using nlohmann::json;

namespace {

std::vector<json> OfPhase(const json& trace, const std::string& phase) {
  std::vector<json> found;
  for (const json& event : trace)
    if (event["ph"] == phase) found.push_back(event);
  return found;
}

void CheckRules(const json& trace) {
  std::map<int, std::string> open;
  std::map<int, std::int64_t> arrows;
  for (const json& event : trace) {
    const std::string phase = event["ph"];
    CHECK(event["pid"].is_number());
    CHECK(event["tid"].is_number());
    CHECK(event["ts"].is_number());
    CHECK(event["name"].is_string());
    if (phase == "X") CHECK(event["dur"].get<std::int64_t>() >= 0);
    if (phase == "b") CHECK(open.emplace(event["id"], event["name"]).second);
    if (phase == "e") {
      CHECK(open[event["id"]] == event["name"].get<std::string>());
      open.erase(event["id"].get<int>());
    }
    if (phase == "s") arrows[event["id"]] = event["ts"];
    if (phase == "f") {
      REQUIRE(arrows.contains(event["id"].get<int>()));
      CHECK(arrows[event["id"]] <= event["ts"].get<std::int64_t>());
      arrows.erase(event["id"].get<int>());
    }
  }
  CHECK(open.empty());
  CHECK(arrows.empty());
  // Slices of one track lie side by side.
  std::vector<std::array<std::int64_t, 3>> slices;  // track, beginning, length
  for (const json& slice : OfPhase(trace, "X"))
    slices.push_back({slice["tid"], slice["ts"], slice["dur"]});
  std::sort(slices.begin(), slices.end());
  std::int64_t track = -1;
  std::int64_t end = 0;
  for (const auto& [tid, ts, dur] : slices) {
    if (tid != track) end = 0;
    track = tid;
    CHECK(ts >= end);
    end = ts + dur;
  }
}

json Find(const std::vector<json>& events, const std::string& name) {
  for (const json& event : events)
    if (event["name"] == name) return event;
  FAIL_CHECK("no event " << name);
  return {};
}

}  // namespace

TEST_CASE("a deadlock as a Chrome trace") {
  const json trace = json::parse(ChromeTrace(ReadTestFile("deadlock.events")));
  REQUIRE(trace.is_array());
  CheckRules(trace);
  std::set<std::string> tracks;
  for (const json& event : OfPhase(trace, "M"))
    if (event["name"] == "thread_name") tracks.insert(event["args"]["name"]);
  CHECK(tracks == std::set<std::string>{"M0", "M2", "sysmon"});

  const json hold = Find(OfPhase(trace, "b"), "M0 holds allglock");
  CHECK((hold["ts"] == 92));
  CHECK((Find(OfPhase(trace, "e"), "M0 holds allglock")["ts"] == 116));  // held to the end
  const json wait = Find(OfPhase(trace, "X"), "waits for lock sched.lock");
  CHECK((wait["ts"] == 31));
  CHECK((wait["dur"] == 4));  // to the wake-up
  const json last = Find(OfPhase(trace, "X"), "waits for lock allglock");
  CHECK((last["ts"].get<int>() + last["dur"].get<int>() == 116));
  CHECK((Find(OfPhase(trace, "X"), "goroutine 7")["ts"] == 33));
  // M2 is woken at 15 and runs at 19, M0 at 35 and 41.
  REQUIRE(OfPhase(trace, "s").size() == 2);
  CHECK((OfPhase(trace, "s")[0]["ts"] == 15));
  CHECK((OfPhase(trace, "f")[0]["ts"] == 19));
  CHECK((OfPhase(trace, "f")[1]["ts"] == 41));
  const std::vector<json> instants = OfPhase(trace, "i");
  CHECK((Find(instants, "allgadd_locked")["cat"] == "point"));
  CHECK((Find(instants, "throw(out of memory)")["args"]["point"] == "mallocgc_begin"));
  const json critical = Find(instants, "critical switch 1: the turn goes to M0 (preempt)");
  CHECK(critical["args"]["stack_from"].get<std::string>().starts_with("runtime.casgstatus"));
  CHECK((Find(instants, "end: deadlock")["ts"] == 116));
}

TEST_CASE("other runs keep the rules too") {
  const json race = json::parse(ChromeTrace(ReadTestFile("race.events")));
  CheckRules(race);
  // M3 is woken at the end and never runs: no arrow, but the wake-up is there.
  CHECK(OfPhase(race, "s").size() == 1);
  CHECK((Find(OfPhase(race, "i"), "wakes M3")["ts"] == 528));
  const std::string many = ChromeTrace(ReadTestFile("many.events"));
  CHECK(many.size() < 30'000'000);
  CheckRules(json::parse(many));
  CHECK(json::accept(ChromeTrace(std::get<Run>(ParseEvents(kHeader, "f")))));
  Run bytes = ReadTestFile("race.events");
  for (Event& event : bytes.events) event.what = "\xff\x01\"";
  CHECK(json::accept(ChromeTrace(bytes)));
}
