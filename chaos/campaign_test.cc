// What campaigns judge and show.

#include "chaos/campaign.h"

#include <doctest/doctest.h>

#include "chaos/faults_command.h"

using namespace gort::chaos;

namespace {

RunResult Ended(int status, std::string err) {
  RunResult run;
  run.started = true;
  run.status = status;
  run.err = std::move(err);
  return run;
}

std::string Judge(const Fault& fault, const RunResult& run) {
  return JudgeFault(fault, run, OutcomeOf(run), 0);
}

const std::string kFired = std::string(kFaultFired) + "throw 3 at mallocgc_begin\n";
const std::string kDeath = std::string("fatal error: ") + kFaultThrow + "\n";
const std::string kDump = "\ngoroutine 1 [running]:\nmain.main()\n";

}  // namespace

TEST_CASE("durations") {
  CHECK(ParseDuration("90s") == 90);
  CHECK(ParseDuration("45") == 45);
  CHECK(ParseDuration("30m") == 1800);
  CHECK(ParseDuration("2h") == 7200);
  CHECK(ParseDuration("1.5h") == 5400);
  for (const char* wrong : {"", "s", "0", "-1s", "3x", "3 s"}) CHECK(ParseDuration(wrong) < 0);
  CHECK(ShowDuration(4.14) == "4.1 s");
  CHECK(ShowDuration(200) == "3 min 20 s");
  CHECK(ShowDuration(2 * 3600 + 720) == "2 h 12 min");
}

TEST_CASE("a command line can be pasted into a shell") {
  const Subject subject{"/a/b", {"x", "it's", ""}, 60};
  CHECK(CommandLineOf(subject, {{"CHAOS", "a=1%yield; b=off"}, {"GOMAXPROCS", "4"}}) ==
        "CHAOS='a=1%yield; b=off' GOMAXPROCS=4 /a/b x 'it'\\''s' ''");
}

TEST_CASE("complaints") {
  CHECK(Complaint(Classify(Ended(0, "")), 0).empty());
  CHECK(Complaint(Classify(Ended(7, "")), 7).empty());
  CHECK(Complaint(Classify(Ended(3, "")), 0) == "exit status 3 instead of 0");
  CHECK(Complaint(Classify(Ended(2, "fatal error: x\n")), 0) == "throw: x, exit status 2");
}

TEST_CASE("a panic is no exit of the program's own") {
  const RunResult panicked = Ended(2, "panic: boom\n\ngoroutine 1 [running]:\n");
  CHECK(OutcomeOf(panicked).kind == Outcome::kThrow);
  CHECK(Complaint(OutcomeOf(panicked), 0) == "panic: boom");
  CHECK(Complaint(OutcomeOf(panicked), 2) == "panic: boom");
  // Somebody prints the word, and exits.
  CHECK(Complaint(OutcomeOf(Ended(2, "panic: said the program\n")), 2).empty());
  CHECK(Complaint(OutcomeOf(Ended(0, "panic: boom\n\ngoroutine 1\n")), 0).empty());
}

TEST_CASE("faults are read as they are shown") {
  for (const char* text : {"throw:1:once", "throw:12345:always", "mmap:7:once"}) {
    REQUIRE(ParseFault(text).has_value());
    CHECK(ShowFault(*ParseFault(text)) == text);
  }
  for (const char* wrong : {"", "throw", "throw:", "throw:0:once", "throw:1", "throw:1:twice",
                            "mmap:x:once", "free:1:once", "throw:1:once "})
    CHECK_FALSE(ParseFault(wrong).has_value());
}

TEST_CASE("how a run with a fault must end") {
  const Fault once{Fault::kThrow, 3, false}, always{Fault::kThrow, 3, true};
  const Fault refused{Fault::kMmap, 3, false};
  CHECK(Judge(once, Ended(2, kFired + kDeath + kDump)).empty());
  CHECK(Judge(once, Ended(0, kFired)).empty());  // survived
  CHECK(Judge(once, Ended(0, "")).empty());  // there was nothing left to fail
  CHECK(Judge(once, Ended(1, "")) == "without the fault: exit status 1 instead of 0");
  CHECK(Judge(once, Ended(1, kFired)) == "it survives with exit status 1");
  CHECK(Judge(once, Ended(2, kFired + kDeath)) == "it dies without a dump");
  CHECK(Judge(once, Ended(4, kFired + kDeath + kDump)).starts_with("it dies with"));
  CHECK(Judge(once, Ended(2, kFired + kDeath + kDump + "panic during panic\n")) ==
        "a second failure: panic during panic");
  CHECK(Judge(once, Ended(2, kFired + kDeath + kDump + kDeath)) == "two fatal errors");
  CHECK(Judge(always, Ended(2, kFired + kDeath + kDeath + kDump)).empty());
  CHECK(Judge(once, Ended(2, kFired + "fatal error: checkmark found unmarked object\n" + kDump)) ==
        "another failure: checkmark found unmarked object");
  CHECK(Judge(refused, Ended(2, kFired + "fatal error: runtime: cannot allocate memory\n" + kDump))
            .empty());
  CHECK(Judge(refused, Ended(2, kFired + "fatal error: out of memory\n" + kDump)).empty());
  RunResult hung = Ended(-1, kFired + kDeath);
  hung.cutOff = true;
  CHECK(Judge(once, hung) == "it hangs");
  RunResult killed = Ended(-1, kFired + kDeath);
  killed.signal = 11;
  CHECK(Judge(once, killed) == "Segmentation fault");
}
