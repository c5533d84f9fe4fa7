// The page: what it says, what hostile bytes do to it, and how large it gets.

#include "chaos/page.h"

#include <doctest/doctest.h>

#include <chrono>
#include <nlohmann/json.hpp>

#include "chaos/markup.h"
#include "chaos/testdata.h"

using namespace gort::chaos;
using nlohmann::json;

namespace {

bool Contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

std::size_t Count(const std::string& text, const std::string& part) {
  std::size_t n = 0;
  for (std::size_t at = 0; (at = text.find(part, at)) != std::string::npos; at += part.size()) n++;
  return n;
}

}  // namespace

TEST_CASE("text on its way into a page") {
  CHECK(Escape("a<b>&\"c\"") == "a&lt;b&gt;&amp;&quot;c&quot;");
  CHECK(Clean("tab\tand\nline «ü» \U0001F600") == "tab\tand\nline «ü» \U0001F600");
  const std::string bad = "\uFFFD";
  CHECK(Clean("\x1b[0m\r") == bad + "[0m" + bad);
  CHECK(Clean("\xff") == bad);
  CHECK(Clean("a\xc3") == "a" + bad);
  CHECK(Clean("\xc0\xaf") == bad + bad);           // longer than need be
  CHECK(Clean("\xed\xa0\x80") == bad + bad + bad);  // half of a surrogate pair
  CHECK(Clean("\xef\xbf\xbf") == bad + bad + bad);  // no character of XML
  CHECK(Clean("\xf4\x90\x80\x80") == bad + bad + bad + bad);
  CHECK(Clean(std::string("\0x", 2)) == bad + "x");
  CHECK(EscapeScript("</script>&") == "\\u003c/script\\u003e\\u0026");
  const Slot slots[] = {{"a", "{{b}}"}, {"b", "B"}};
  CHECK(Fill("x{{a}}-{{b}}-{{c}}.", slots, 2) == "x{{b}}-B-.");
}

TEST_CASE("the page of a deadlock") {
  const std::string page = Page(ReadTestFile("deadlock.events"));
  CHECK(page.starts_with("<!DOCTYPE html>"));
  CHECK(page.ends_with("</html>\n"));
  CHECK(Contains(page, "<title>scenario: deadlock</title>"));
  CHECK(Contains(page, "<dd>18446744073709551557</dd>"));
  CHECK(Contains(page,
                 "explore --runs 1 --seed 18446744073709551557 --strategy pct:2 "
                 "tests/history/6b37b15d9520/scenario -- allgs</code>"));
  CHECK(Contains(page, "M0 (goroutine 1) waits for lock allglock, held by M0 (goroutine 1)"));
  CHECK(Count(page, "<article class=\"switch\"") == 1);
  CHECK(Contains(page, "<li>runtime.lock2 <span class=\"place\">lock_futex.cc:74</span></li>"));
  CHECK(Contains(page, "fatal error: out of memory (injected)\n"));
  CHECK(Contains(page, "panic.cc:1047 &lt;&amp;&gt;"));
  CHECK_FALSE(Contains(page, "{{"));
  CHECK_FALSE(Contains(page, "class=\"notice\" role"));
  // A row for each event; the turn that belongs to the switch is told by the switch.
  const std::string table = page.substr(page.find("<tbody>"));
  CHECK(Count(table.substr(0, table.find("</tbody>")), "<tr") == 45);
}

TEST_CASE("the command to replay") {
  Run run;
  CHECK(ReplayCommand(run) == "./bazelw run //chaos -- explore --runs 1 PROGRAM");
  run.program = "a b";
  run.arguments = {"", "it's", "--x=1"};
  run.seed = "5";
  run.procs = 4;
  CHECK(ReplayCommand(run) ==
        "GOMAXPROCS=4 ./bazelw run //chaos -- explore --runs 1 --seed 5 'a b' -- '' 'it'\\''s' "
        "--x=1");
  run.replay = "chaos replay f.trace";
  CHECK(ReplayCommand(run) == "chaos replay f.trace");
}

TEST_CASE("a ring is closed") {
  const std::string one = DrawRing({{"M0", "waits for lock a, held by", "M0"}});
  CHECK(Count(one, "<rect") == 2);
  CHECK(Count(one, "class=\"head\"") == 2);
  const std::string three = DrawRing({{"M0", "waits for lock a, held by", "M1"},
                                      {"M1", "waits until it can stop goroutine 3, run by", "M2"},
                                      {"M2", "waits for lock <b>, held by", "M0"}});
  CHECK(Count(three, "class=\"box\"") == 3);
  CHECK(Count(three, "class=\"lockbox\"") == 2);
  CHECK(Count(three, "class=\"head\"") == 5);  // an arrow into each box
  CHECK(Contains(three, "&lt;b&gt;"));
  CHECK(DrawRing({}).empty());
}

TEST_CASE("hostile text stays text") {
  const std::string evil = "</script><script>alert(1)</script>\"'&<!--{{data}}]]>\xff\x01";
  Run run = ReadTestFile("deadlock.events");
  run.program = run.seed = run.strategy = run.build = run.outcome = run.detail = evil;
  run.notice = run.file = run.replay = evil;
  run.arguments = {evil};
  for (std::string& name : run.threads) name = evil;
  for (Event& event : run.events) event.what = event.detail = event.function = evil;
  for (Stacks& stacks : run.stacks) stacks = {{evil}, {evil}};
  run.ring = {{evil, "waits for lock " + evil + ", held by", evil}};
  const std::string page = Page(run);
  CHECK(Count(page, "<script") == 2);
  CHECK(Count(page, "</script") == 2);
  CHECK_FALSE(Contains(page, "alert(1)<"));
  CHECK_FALSE(Contains(page, "\x01"));
  CHECK_FALSE(Contains(page, "\xff"));
  CHECK(Contains(page, "{{data}}"));  // as text: what is put in is not filled in again
  CHECK(json::accept(CarriedEvents(run)));
}

TEST_CASE("runs with next to nothing in them") {
  for (const char* events : {"", "{\"e\":\"end\",\"outcome\":\"ok\"}\n"}) {
    const Run run = std::get<Run>(ParseEvents(std::string(kHeader) + events, "f"));
    const std::string page = Page(run);
    CHECK(page.ends_with("</html>\n"));
    CHECK(json::accept(CarriedEvents(run)));
    CHECK(Contains(page, "outcome not known") == (*events == 0));
    CHECK(Contains(page, "class=\"notice\" role") == (*events == 0));
  }
}

TEST_CASE("the data for the lanes") {
  const Run run = ReadTestFile("race.events");
  const json data = json::parse(CarriedEvents(run));
  CHECK((data["threads"] == json({"M0", "sysmon", "M2", "M3"})));
  CHECK((data["events"].size() == run.events.size()));
  CHECK((data["folds"] == json::array({{9, 16}})));
  CHECK((data["goroutines"] == json({1, 18, 19})));
  std::int64_t step = 0;
  for (const json& event : data["events"]) step += event[1].get<std::int64_t>();
  CHECK(step == run.events.back().step);
}

TEST_CASE("a run of 100,000 events") {
  const auto begin = std::chrono::steady_clock::now();
  const Run run = ReadTestFile("many.events");
  const std::string page = Page(run);
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
  MESSAGE("page of " << page.size() << " bytes in " << took.count() << " s");
  CHECK(page.size() < 4'000'000);
  CHECK(took.count() < 30);  // two seconds, on a machine that does nothing else
  const json data = json::parse(CarriedEvents(run));
  CHECK((data["events"].size() == run.events.size()));
  CHECK((data["ringLocks"] == json({"mheap.lock", "sched.lock"})));
}

TEST_CASE("of a run that is longer still, the page carries the end") {
  Run run = ReadTestFile("many.events");
  const std::size_t once = run.events.size();
  const std::vector<Event> events = run.events;
  for (int i = 1; i < 5; i++)
    for (Event event : events) {
      event.step += i * run.steps;
      event.critical = false;
      run.events.push_back(event);
    }
  run.steps *= 5;
  const std::string page = Page(run);
  CHECK(page.size() < 8'000'000);
  const json data = json::parse(CarriedEvents(run));
  std::int64_t step = 0;
  std::size_t events_ = 0;
  std::size_t skipped = 0;
  for (const json& event : data["events"]) {
    step += event[1].get<std::int64_t>();
    const bool skip = data["kinds"][event[0].get<std::size_t>() % 32] == "skipped";
    skipped += skip ? 1 : 0;
    events_ += skip ? event[2].get<std::size_t>() : 1;
    if (skip) CHECK((event[3]["threads"].size() == run.threads.size()));
  }
  CHECK(events_ == 5 * once);
  CHECK(skipped > 0);
  CHECK(data["events"].size() >= kMostCarried);
  CHECK(data["events"].size() < kMostCarried + 1000);
  CHECK(step == run.events.back().step);
}

TEST_CASE("of much output the beginning and the end are shown") {
  Run run = ReadTestFile("race.events");
  run.events.back().what = "begins" + std::string(1'000'000, 'x') + "ends";
  const std::string page = Page(run);
  CHECK(page.size() < 500'000);
  CHECK(Contains(page, "begins"));
  CHECK(Contains(page, "xends</pre>"));
  CHECK(Contains(page, "800,010 bytes are left out here"));
}
