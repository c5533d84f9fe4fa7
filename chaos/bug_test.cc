// The files that describe bugs, what they expect, and how runs are classified.

#include "chaos/bug.h"

#include <doctest/doctest.h>

using namespace gort::chaos;

namespace {

const std::string kGood =
    "commit 0123456789abcdef0123456789abcdef01234567\n"
    "subject runtime: be good  # not a comment\n"
    "date 2020-01-02\n"
    "issue https://go.dev/issue/1\n"
    "procs 1 8\n"
    "# a comment\n"
    "[without]\n"
    "outcome deadlock\n"
    "shows [allglock]\n"
    "[with]\n"
    "outcome throw\n"
    "status 2\n"
    "count 2 goroutine x\n";

std::string Error(std::string text, const std::string& from, const std::string& to) {
  const std::size_t at = text.find(from);
  REQUIRE(at != std::string::npos);
  text.replace(at, from.size(), to);
  auto parsed = ParseBug("0123456789ab", text);
  const auto* error = std::get_if<std::string>(&parsed);
  return error == nullptr ? "no error" : *error;
}

RunResult Exited(int status, std::string err) {
  RunResult run;
  run.started = true;
  run.status = status;
  run.err = std::move(err);
  return run;
}

std::string Check(const Expectation& e, const RunResult& run) {
  return e.Check(Classify(run), run);
}

}  // namespace

TEST_CASE("a bug's file") {
  auto parsed = ParseBug("0123456789ab", kGood);
  REQUIRE(std::holds_alternative<Bug>(parsed));
  const Bug& bug = std::get<Bug>(parsed);
  CHECK(bug.subject == "runtime: be good  # not a comment");
  CHECK(bug.procs == std::vector<int>{1, 8});
  CHECK(bug.timeoutSeconds == 60);
  CHECK(bug.cases.empty());
  CHECK(bug.Unfixings() == std::vector<std::string>{""});
  CHECK(bug.Expected(false, "", "plain").outcome == "deadlock");
  CHECK(bug.Expected(false, "", "tsan").status == -1);
  CHECK(bug.Expected(true, "", "plain").status == 2);
  CHECK(bug.Expected(true, "", "plain").counts ==
        std::vector<std::pair<int, std::string>>{{2, "goroutine x"}});
}

TEST_CASE("a fix that mends several failures") {
  const std::string text =
      "commit 0123456789abcdef0123456789abcdef01234567\n"
      "subject two\nissue x\nprocs 1 8\ncases send receive\n"
      "[without one]\noutcome deadlock\n"
      "[without two]\noutcome throw\nprocs 2 8\n"
      "[without two tsan]\noutcome race\n"
      "[with]\noutcome exit\n[with tsan]\noutcome throw\n[with one]\noutcome signal\n";
  auto parsed = ParseBug("0123456789ab", text);
  REQUIRE(std::holds_alternative<Bug>(parsed));
  const Bug& bug = std::get<Bug>(parsed);
  CHECK(bug.cases == std::vector<std::string>{"send", "receive"});
  CHECK(bug.Unfixings() == std::vector<std::string>{"one", "two"});
  CHECK(FullName(bug, "two") == "0123456789ab/two");
  CHECK(bug.Expected(false, "one", "tsan").outcome == "deadlock");
  CHECK(bug.Expected(false, "two", "plain").outcome == "throw");
  CHECK(bug.Expected(false, "two", "tsan").outcome == "race");
  CHECK(bug.Expected(true, "two", "plain").outcome == "exit");
  CHECK(bug.Expected(true, "two", "tsan").outcome == "throw");
  CHECK(bug.Expected(true, "one", "tsan").outcome == "signal");
  CHECK(bug.Procs("one", "plain") == std::vector<int>{1, 8});
  CHECK(bug.Procs("two", "plain") == std::vector<int>{2, 8});

  CHECK(Error(text, "[without two tsan]", "[without two tsna]") ==
        "line 11: unknown mode \"tsna\"; did you mean tsan?");
  CHECK(Error(text, "[without two tsan]", "[without two plain x]") ==
        "line 11: a section is [without] or [with], with a name and a mode in it or not");
  CHECK(Error(text, "[without two tsan]", "[without two]") ==
        "line 11: [without two] is there twice");
  CHECK(Error(text, "outcome race", "shows x") == "[without two tsan] has no outcome");
  CHECK(Error(text, "[with]\noutcome exit\n", "") == "[with two] is missing for mode plain");
  CHECK(Error(text, "outcome exit", "procs 1") ==
        "line 14: procs stand under [without], or at the top");
}

TEST_CASE("mistakes in it") {
  CHECK(Error(kGood, "date", "dote") == "line 3: unknown key \"dote\"; did you mean date?");
  CHECK(Error(kGood, "procs 1 8", "procs 0") == "line 5: procs are numbers, 1 or more");
  CHECK(Error(kGood, "procs 1 8", "procs") == "line 5: procs has no value");
  CHECK(Error(kGood, "count 2", "count") == "line 13: count is a number and a text");
  CHECK(Error(kGood, "outcome throw\n", "") == "[with] has no outcome");
  CHECK(Error(kGood, "commit 01", "commit 10") == "the folder is not called after the commit");
  CHECK(Error(kGood, "status 2", "status 256") == "line 12: status is a number from 0 to 255");
  CHECK(Error(kGood, "date", "shows") == "line 3: unknown key \"shows\"");
}

TEST_CASE("what became of a run") {
  RunResult cut;
  cut.started = cut.cutOff = true;
  cut.seconds = 60.2;
  CHECK(Classify(cut).Summary() == "cut off after 60 s");
  CHECK(Classify(cut).kind == Outcome::kBroken);
  CHECK(Classify(RunResult{}).kind == Outcome::kBroken);

  const Outcome deadlock = Classify(
      Exited(86, "\nchaos: deadlock seen\npicture\n\nwords\nchaos: end of the report\nmore"));
  CHECK(deadlock.kind == Outcome::kDeadlock);
  CHECK(deadlock.evidence == "picture\n\nwords\n");
  // The status alone proves nothing.
  CHECK(Classify(Exited(86, "")).kind == Outcome::kExit);

  const Outcome race = Classify(Exited(
      66, "==================\nWARNING: ThreadSanitizer: data race (pid=7)\n  Write of size 8\n"));
  CHECK(race.kind == Outcome::kRace);
  CHECK(race.Summary() == "data race");

  CHECK(Classify(Exited(2, "fatal error: boom\n\ngoroutine 1")).Summary() ==
        "throw: boom, exit status 2");
  const Outcome fault =
      Classify(Exited(2, "x\nunexpected fault address 0x1\nfatal error: fault\n"));
  CHECK(fault.kind == Outcome::kFault);
  CHECK(fault.Summary() == "unexpected fault address");
  CHECK(fault.evidence == "unexpected fault address 0x1\nfatal error: fault\n");
  CHECK(Classify(Exited(0, "")).Summary() == "exit status 0");

  RunResult killed;
  killed.started = true;
  killed.signal = 6;
  CHECK(Classify(killed).kind == Outcome::kSignal);
}

TEST_CASE("expectations") {
  Expectation e;
  e.outcome = "throw";
  e.status = 2;
  e.shows = {"boom"};
  e.counts = {{2, "goroutine"}};
  CHECK(Check(e, Exited(2, "fatal error: boom\ngoroutine 1\ngoroutine 2\n")).empty());
  CHECK(Check(e, Exited(2, "fatal error: boom\ngoroutine 1\n")) ==
        "throw: boom, exit status 2, but \"goroutine\" stands there 1 times, not 2");
  CHECK(Check(e, Exited(2, "fatal error: bang\n")) ==
        "throw: bang, exit status 2, but nothing shows \"boom\"");
  CHECK(Check(e, Exited(3, "fatal error: boom\n")) ==
        "expected exit status 2, got throw: boom, exit status 3");
  CHECK(Check(e, Exited(0, "")) == "expected throw, got exit status 0");
  CHECK(Check(e, RunResult{}) == "not started: ");
  // A report's words count, not what else the run printed.
  Expectation d;
  d.outcome = "deadlock";
  d.shows = {"allglock"};
  CHECK(Check(d, Exited(86, "allglock\nchaos: deadlock seen\nx\nchaos: end of the report\n")) ==
        "deadlock seen, but nothing shows \"allglock\"");
}
