// The reader of events files, and what is told of a run.

#include "chaos/events.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdlib>

#include "chaos/fold.h"
#include "chaos/story.h"
#include "chaos/testdata.h"

using namespace gort::chaos;

namespace {

// What ParseEvents finds wrong, "" for nothing.
std::string Problem(const std::string& text) {
  auto read = ParseEvents(text, "f.events");
  const auto* problem = std::get_if<std::string>(&read);
  return problem == nullptr ? "" : *problem;
}

// What is wrong with a line after the header and two threads.
std::string ProblemOf(const std::string& line) {
  return Problem(std::string(kHeader) + kTwoThreads + line + "\n" + kEnd);
}

bool Contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

Lanes AtEnd(const Run& run) {
  Lanes lanes(run);
  for (const Event& event : run.events) lanes.Apply(event);
  return lanes;
}

std::string AllOf(const std::vector<Sentence>& story) {
  std::string text;
  for (const Sentence& sentence : story) text += sentence.text + "\n";
  return text;
}

}  // namespace

TEST_CASE("a whole file") {
  const Run run = ReadTestFile("deadlock.events");
  CHECK(run.program == "tests/history/6b37b15d9520/scenario");
  CHECK(run.arguments == std::vector<std::string>{"allgs"});
  CHECK(run.build == "5e1c09a2f47d");
  CHECK(run.seed == "18446744073709551557");
  CHECK(run.strategy == "pct:2");
  CHECK(run.procs == 2);
  CHECK(run.threads == std::vector<std::string>{"M0", "sysmon", "M2"});
  CHECK(run.events.size() == 46);
  CHECK(run.outcome == "deadlock");
  CHECK(run.detail == "all threads wait");
  CHECK(run.steps == 116);
  CHECK(run.now == 20400);
  CHECK(run.ended);
  CHECK(run.notice.empty());
  REQUIRE(run.ring.size() == 1);
  CHECK(run.ring[0].what == "waits for lock allglock, held by");
  const std::vector<std::size_t> critical = CriticalSwitches(run);
  REQUIRE(critical.size() == 1);
  const Event& event = run.events[critical[0]];
  CHECK(event.t == 2);
  CHECK(event.other == 0);
  CHECK(event.step == 41);
  REQUIRE(event.stacks == 0);
  CHECK(run.stacks[0].from.front() == "runtime.casgstatus proc_g.cc:120");
  CHECK(run.stacks[0].to.size() == 4);
}

TEST_CASE("every kind of event, in words") {
  const Run run = ParseTestEvents(
      R"({"e":"run","step":1,"now":5,"t":0,"why":"start"}
{"e":"g","step":2,"t":0,"goid":7}
{"e":"g","step":2,"t":1,"goid":0}
{"e":"point","step":3,"t":0,"name":"here"}
{"e":"op","step":4,"t":0,"op":"cas","what":"x","fn":"f"}
{"e":"lock","step":5,"t":0,"lock":"l"}
{"e":"unlock","step":6,"t":0,"lock":"l"}
{"e":"wait","step":7,"t":0,"what":"note"}
{"e":"wait","step":7,"t":0,"what":"sleep 20us"}
{"e":"wake","step":8,"t":0,"who":1}
{"e":"signal","step":9,"t":1,"sig":23,"name":"SIGURG","phase":"sent","from":0}
{"e":"signal","step":9,"t":1,"sig":23,"name":"SIGURG","phase":"delivered","from":-1}
{"e":"inject","step":10,"t":0,"what":"throw x","point":"here"}
{"e":"switch","step":11,"from":0,"to":1,"kind":"preempt"}
{"e":"out","step":12,"t":1,"text":"===\n one\ntwo"}
)");
  std::vector<std::string> texts;
  for (const Event& event : run.events) texts.push_back(EventText(run, event));
  texts.erase(texts.begin(), texts.begin() + 2);
  CHECK(texts == std::vector<std::string>{
                     "gets the turn (start)", "runs goroutine 7",
                     "runs no goroutine now (system stack)", "passes the point here", "cas x in f",
                     "takes l", "gives back l", "waits for a note", "sleeps 20us", "wakes M1",
                     "is sent SIGURG by M0", "SIGURG is delivered", "injected: throw x, at here",
                     "the turn goes to M1 (preempt)", "writes:  one"});
}

TEST_CASE("what a later explorer may add is passed over") {
  const Run run = ReadTestFile("race.events");  // it has an event "tea" and unknown keys
  CHECK(run.events.size() == 50);
  CHECK(run.seed == "42");
  CHECK(ProblemOf(R"({"e":"tea","cups":{"n":[1,2]}})").empty());
}

TEST_CASE("not an events file") {
  CHECK(Problem("") == "f.events: not an events file of gort (it is empty)");
  CHECK(Contains(Problem("hello\n"), "f.events: line 1: not an events file of gort (not JSON"));
  CHECK(Contains(Problem("[1]\n"), "line 1: not an events file of gort (not a JSON object)"));
  CHECK(Contains(Problem("{\"a\":1}\n"), "has no \"gort_events\""));
  CHECK(Contains(Problem("{\"gort_events\":1,\"prog"), "line 1: not an events file"));
  CHECK(Contains(Problem(std::string("\x7f"
                                     "ELF\0\1",
                                     6)),
                 "not an events file"));
  CHECK(Problem("{\"gort_events\":7}\n") ==
        "f.events: line 1: events of version 7, where this tool reads 1: use the tool that comes "
        "with the explorer");
  CHECK(Contains(Problem("{\"gort_events\":\"1\"}\n"), "version \"1\""));
  CHECK(Contains(Problem("{\"gort_events\":1,\"args\":\"x\"}\n"), "\"args\" must be a list"));
}

TEST_CASE("a broken line, with its number") {
  CHECK(Contains(ProblemOf("{\"e\":\"run\",}"), "f.events: line 4: not JSON: column 12"));
  CHECK(ProblemOf("{\"step\":1}") == "f.events: line 4: \"e\" is missing");
  CHECK(ProblemOf(R"({"e":"run","step":1})") == "f.events: line 4: \"t\" is missing in \"run\"");
  CHECK(ProblemOf(R"({"e":"run","step":1,"t":"0"})") ==
        "f.events: line 4: \"t\" must be a whole number, not \"0\" in \"run\"");
  CHECK(ProblemOf(R"({"e":"point","step":-1,"t":0,"name":"x"})") ==
        "f.events: line 4: \"step\" must be from 0 to 9007199254740992, not -1 in \"point\"");
  CHECK(Contains(ProblemOf(R"({"e":"g","step":18446744073709551615,"t":0,"goid":1})"), "\"step\""));
  CHECK(Contains(ProblemOf(R"({"e":"run","step":1.5,"t":0})"), "whole number"));
  CHECK(ProblemOf(R"({"e":"run","step":1,"t":2})") ==
        "f.events: line 4: \"t\": thread 2 has no \"thread\" event before in \"run\"");
  CHECK(Contains(ProblemOf(R"({"e":"wake","step":1,"t":0,"who":9})"), "\"who\": thread 9"));
  CHECK(
      Contains(ProblemOf(R"({"e":"lock","step":1,"t":0,"lock":3})"), "\"lock\" must be a string"));
  CHECK(Contains(ProblemOf(R"({"e":"thread","step":1,"t":1000000,"name":"M"})"), "from 0 to 999"));
  CHECK(Contains(ProblemOf(R"({"e":"switch","step":1,"from":0,"to":1,"critical":1})"), "true or"));
  CHECK(Contains(ProblemOf(R"({"e":"ring","edges":3})"), "\"edges\" must be a list"));
  CHECK(Contains(ProblemOf(R"({"e":"ring","edges":[{"from":"a"}]})"), "\"what\" is missing"));
  // A broken last line that has an end was not cut off.
  CHECK(Contains(Problem(std::string(kHeader) + kTwoThreads + "{\"e\":\n"), "line 4: not JSON"));
}

TEST_CASE("files that cannot be read") {
  auto problem = [](const std::string& file) { return std::get<std::string>(ReadEvents(file)); };
  CHECK(problem("nowhere.events") == "nowhere.events: cannot be read: No such file or directory");
  CHECK(Contains(problem(Scratch()), "it is a folder"));
}

TEST_CASE("cut off in the middle") {
  const std::string whole = std::string(kHeader) + kTwoThreads +
                            "{\"e\":\"run\",\"step\":7,\"t\":0}\n{\"e\":\"point\",\"st";
  const Run half = std::get<Run>(ParseEvents(whole, "f"));
  CHECK(half.events.size() == 3);
  CHECK_FALSE(half.ended);
  CHECK(half.notice ==
        "The events file was cut off in the middle of line 5: it has no end. What is there is "
        "shown, 3 events up to step 7; the outcome is not known.");
  const Run between = std::get<Run>(ParseEvents(std::string(kHeader) + kTwoThreads, "f"));
  CHECK(Contains(between.notice, "cut off after line 3"));
  CHECK(Contains(AllOf(Story(between)), "How it ended is not known"));
}

TEST_CASE("steps come in their order") {
  const Run run = ParseTestEvents(
      R"({"e":"point","step":5,"t":0,"name":"a"}
{"e":"point","step":9,"t":0,"name":"b"}
{"e":"switch","step":7,"from":0,"to":1}
{"e":"point","step":9,"t":0,"name":"c"}
)");
  std::vector<std::int64_t> steps;
  for (const Event& event : run.events) steps.push_back(event.step);
  CHECK(steps == std::vector<std::int64_t>{0, 0, 5, 7, 9, 9});
  CHECK(run.events.back().what == "c");
}

TEST_CASE("what every thread is doing") {
  const Run run = ReadTestFile("deadlock.events");
  const Lanes end = AtEnd(run);
  CHECK(end.HolderOf("allglock") == 0);
  CHECK(end.HolderOf("sched.lock") == -1);
  CHECK(end.thread(0).waits == "lock allglock");
  CHECK(end.thread(0).since == 106);
  CHECK(end.thread(2).waits == "note");

  const Lanes lanes = AtEnd(ParseTestEvents(
      R"({"e":"lock","step":1,"t":0,"lock":"a"}
{"e":"lock","step":2,"t":0,"lock":"b"}
{"e":"unlock","step":3,"t":1,"lock":"a"}
{"e":"unlock","step":4,"t":1,"lock":"never taken"}
{"e":"wait","step":5,"t":1,"what":"note"}
{"e":"wake","step":6,"t":0,"who":1}
)"));
  CHECK(lanes.thread(0).locks == std::vector<std::string>{"b"});
  CHECK(lanes.thread(1).waits.empty());
}

TEST_CASE("a thread that exits") {
  const Lanes lanes = AtEnd(ParseTestEvents(
      R"({"e":"run","step":1,"t":0,"why":"start"}
{"e":"run","step":2,"t":1,"why":"exit"}
)"));
  CHECK_FALSE(lanes.thread(0).exists);
  CHECK(lanes.thread(1).exists);
  CHECK(lanes.turn() == 1);
}

TEST_CASE("the story of a deadlock") {
  const std::vector<Sentence> story = Story(ReadTestFile("deadlock.events"));
  REQUIRE(story.size() == 5);
  CHECK(story[0].critical == 1);
  CHECK(
      story[0].text ==
      "At step 41 M2 (goroutine 7) was stopped in runtime.casgstatus proc_g.cc:120, after it made "
      "a cas on g7.atomicstatus in runtime.casgstatus and before it began to wait for a note; the "
      "turn went to M0 (goroutine 1), which took sched.lock, gave back sched.lock, took allglock "
      "and began to wait for lock allglock.");
  CHECK(story[1].text ==
        "At step 95 throw(out of memory) was injected into M0 (goroutine 1), which held allglock, "
        "at mallocgc_begin.");
  CHECK(story[2].text == "It wrote «fatal error: out of memory (injected)».");
  CHECK(story[3].text ==
        "Now M0 waits for allglock, which it holds itself since step 92; sysmon waits for a note; "
        "M2 waits for a note.");
  CHECK(story[4].text == "It ended at step 116: deadlock, all threads wait.");
}

TEST_CASE("the story of a race") {
  const std::vector<Sentence> story = Story(ReadTestFile("race.events"));
  REQUIRE(story.size() == 3);
  CHECK(Contains(story[0].text, "M0 (goroutine 1), which held hchan 0xc000012060, was stopped"));
  CHECK(Contains(story[1].text, "and did nothing more; the turn went to M0 (goroutine 1)"));
  CHECK(story[2].text == "It ended at step 530: race, data race in runtime.adjustsudogs.");
}

TEST_CASE("a ring is found where the file has none") {
  const Run run = ReadTestFile("many.events");
  CHECK(run.ring.empty());
  const std::vector<RingEdge> ring = RingOf(run);
  REQUIRE(ring.size() == 2);
  CHECK(ring[0].from.starts_with("M3"));
  CHECK(ring[0].what == "waits for lock mheap.lock, held by");
  CHECK(ring[0].to == ring[1].from);
  CHECK(ring[1].to == ring[0].from);
  CHECK(RingOf(ReadTestFile("race.events")).empty());
}

TEST_CASE("what is shown at once of a long run") {
  const Run run = ReadTestFile("many.events");
  CHECK(run.events.size() > 99000);
  const std::vector<bool> shown = ShownEvents(run);
  const auto n = static_cast<std::size_t>(std::count(shown.begin(), shown.end(), true));
  CHECK(n > kShownAtOnce / 2);
  CHECK(n < 3 * kShownAtOnce);  // with the stretches that are too short for a fold
  for (const std::size_t critical : CriticalSwitches(run)) {
    CHECK(shown[critical]);
    CHECK(shown[critical - 1]);
    CHECK(shown[critical + 1]);
  }
  CHECK(shown.back());
  std::size_t events = 0;
  bool folded = false;
  for (const Stretch& stretch : Stretches(shown)) {
    CHECK(stretch.first == events);
    CHECK_FALSE((folded && stretch.folded));
    if (stretch.folded) CHECK(stretch.last - stretch.first >= 3);
    folded = stretch.folded;
    events = stretch.last;
  }
  CHECK(events == run.events.size());
}

TEST_CASE("a short run is shown whole, but for operations in a row") {
  const Run run = ReadTestFile("race.events");
  const std::vector<bool> shown = ShownEvents(run);
  for (std::size_t i = 0; i < shown.size(); i++)
    if (!shown[i]) CHECK(run.events[i].kind == Event::kOp);
  CHECK(std::count(shown.begin(), shown.end(), false) == 7);
  const std::vector<bool> all = ShownEvents(ReadTestFile("deadlock.events"));
  CHECK(std::count(all.begin(), all.end(), false) == 0);
}

TEST_CASE("the turn that a switch tells of has no row of its own") {
  const Run run = ReadTestFile("race.events");
  const std::vector<bool> same = RunsOfSwitches(run);
  CHECK(std::count(same.begin(), same.end(), true) == 3);
  for (std::size_t i = 0; i < same.size(); i++)
    if (same[i]) CHECK(run.events[i - 1].kind == Event::kSwitch);
}

TEST_CASE("a program is called as a person calls it") {
  const auto shown = [](const std::string& program) {
    Run run;
    run.program = program;
    return ShownProgram(run);
  };
  CHECK(shown("/x/execroot/_main/bazel-out/k8-fastbuild-ST-1/bin/chaos/explore/toys.goroutine") ==
        "//chaos/explore:toys");
  CHECK(shown("/home/me/gort/bazel-bin/chaos/pingpong") == "//chaos:pingpong");
  CHECK(shown("bazel-bin/top") == "//:top");
  setenv("BUILD_WORKING_DIRECTORY", "/home/me/work", 1);
  CHECK(shown("/home/me/work/a/b") == "a/b");
  CHECK(shown("/home/me/workshop/a") == "/home/me/workshop/a");
  CHECK(shown("/usr/bin/other") == "/usr/bin/other");
  CHECK(shown("bazel-out/odd") == "bazel-out/odd");
  CHECK(shown("").empty());
}
