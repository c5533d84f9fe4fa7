// The grammar of injections, and its errors.

#include "chaos/spec.h"

#include <doctest/doctest.h>

#include "chaos/locks.h"
#include "chaos/nearest.h"

using namespace gort::chaos;

namespace {

std::vector<Rule> Parse(std::string_view text) {
  auto parsed = ParseSpec(text);
  if (const auto* error = std::get_if<SpecError>(&parsed)) FAIL(ShowSpecError(text, *error));
  return std::get<std::vector<Rule>>(parsed);
}

// "position: message" of the error that text must have.
std::string Error(std::string_view text) {
  auto parsed = ParseSpec(text);
  const auto* error = std::get_if<SpecError>(&parsed);
  if (error == nullptr) return "no error";
  return std::to_string(error->position) + ": " + error->message;
}

}  // namespace

TEST_CASE("one rule with everything") {
  const auto rules = Parse(
      "mallocgc_begin = holding(allglock): after(allgadd_locked): 2.5% 3*throw(a \\) b) -> yield");
  REQUIRE(rules.size() == 1);
  CHECK(rules[0].points == std::vector<Point>{Point::mallocgc_begin});
  REQUIRE(rules[0].terms.size() == 2);
  const Term& first = rules[0].terms[0];
  REQUIRE(first.conditions.size() == 2);
  CHECK(first.conditions[0].kind == Condition::kHolding);
  CHECK(first.conditions[0].lock == "allglock");
  CHECK(first.conditions[1].kind == Condition::kAfter);
  CHECK(first.conditions[1].point == Point::allgadd_locked);
  CHECK(first.probability == doctest::Approx(0.025));
  CHECK(first.count == 3);
  CHECK(first.action.kind == Action::kThrow);
  CHECK(first.action.text == "a ) b");
  CHECK(rules[0].terms[1].action.kind == Action::kYield);
  CHECK(rules[0].terms[1].probability == 1);
  CHECK(rules[0].terms[1].count == -1);
}

TEST_CASE("each action") {
  const auto rules = Parse(
      "retake_before_cas=off;retake_before_cas=delay(20);retake_before_cas=print(x y);"
      "retake_before_cas=hold(selectgo_locked);retake_before_cas=visit(7):yield;"
      "retake_before_cas=await(selectgo_locked);retake_before_cas=movestack;"
      "retake_before_cas=suspending(1):yield;retake_before_cas=signal(1)");
  REQUIRE(rules.size() == 9);
  CHECK(rules[0].terms[0].action.kind == Action::kOff);
  CHECK(rules[1].terms[0].action.number == 20);
  CHECK(rules[2].terms[0].action.text == "x y");
  CHECK(rules[3].terms[0].action.kind == Action::kHold);
  CHECK(rules[3].terms[0].action.point == Point::selectgo_locked);
  CHECK(rules[4].terms[0].conditions[0].number == 7);
  CHECK(rules[5].terms[0].action.kind == Action::kAwait);
  CHECK(rules[5].terms[0].action.point == Point::selectgo_locked);
  CHECK(rules[6].terms[0].action.kind == Action::kMoveStack);
  CHECK(rules[7].terms[0].conditions[0].kind == Condition::kSuspending);
  CHECK(rules[7].terms[0].conditions[0].number == 1);
  CHECK(rules[8].terms[0].action.kind == Action::kSignal);
  CHECK(rules[8].terms[0].action.number == 1);
}

TEST_CASE("a star names several points") {
  CHECK(Parse("findrunnable_after_*=off")[0].points ==
        std::vector<Point>{Point::findrunnable_after_release_p,
                           Point::findrunnable_after_dec_nmspinning});
  CHECK(Parse("*=off")[0].points.size() == kPointCount);
  CHECK(Parse("r*_before_cas=off")[0].points == std::vector<Point>{Point::retake_before_cas});
}

TEST_CASE("actions that the runtime is asked for, and signals to others") {
  const auto rules = Parse(
      "retake_before_cas=collect;retake_before_cas=stoptheworld;retake_before_cas=barrier;"
      "retake_before_cas=shrink;retake_before_cas=retake;retake_before_cas=preempt;"
      "retake_before_cas=starve(30);commit_mmap=2*enomem;retake_before_cas=signal(23, process);"
      "retake_before_cas=signal(23,any);retake_before_cas=signal(23,5)");
  REQUIRE(rules.size() == 11);
  for (std::size_t i = 0; i < 5; i++) {
    CHECK(rules[i].terms[0].action.kind == Action::kAsk);
    CHECK(rules[i].terms[0].action.request == static_cast<Request>(i));
  }
  CHECK(rules[5].terms[0].action.kind == Action::kPreempt);
  CHECK(rules[6].terms[0].action.kind == Action::kStarve);
  CHECK(rules[6].terms[0].action.number == 30);
  CHECK(rules[7].terms[0].action.kind == Action::kFail);
  CHECK(rules[7].terms[0].count == 2);
  CHECK(rules[8].terms[0].action.target == Action::kProcess);
  CHECK(rules[9].terms[0].action.target == Action::kAnyM);
  CHECK(rules[10].terms[0].action.target == 5);
  CHECK(Error("retake_before_cas=signal(23,nobody)") ==
        "28: expected process, any or the number of an M");
  CHECK(Error("retake_before_cas=enomem").starts_with("0: enomem at retake_before_cas"));
  CHECK(Error("*_mmap=enomem") == "no error");
  CHECK(Error("retake_before_cas=starve(0)") == "25: expected microseconds, from 1 to 60000000");
}

TEST_CASE("errors say where and what was expected") {
  CHECK(Error("") == "0: expected the name of a point");
  CHECK(Error("malocgc_begin=off") ==
        "0: unknown point \"malocgc_begin\"; did you mean mallocgc_begin?");
  CHECK(Error("zzz*=off") == "0: no point matches \"zzz*\"");
  CHECK(Error("mallocgc_begin") == "14: expected \"=\"");
  CHECK(Error("mallocgc_begin=") ==
        "15: expected an action (off, throw, delay, yield, print, hold, await, movestack, signal, "
        "starve, preempt, collect, stoptheworld, barrier, shrink, retake, enomem)");
  CHECK(Error("mallocgc_begin=thorw(x)") == "15: unknown action \"thorw\"; did you mean throw?");
  CHECK(Error("mallocgc_begin=throw") == "20: expected \"(\"");
  CHECK(Error("mallocgc_begin=throw()") == "21: expected a text");
  CHECK(Error("mallocgc_begin=throw(x") == "22: expected \")\"");
  CHECK(Error("mallocgc_begin=delay(x)") == "21: expected microseconds, from 1 to 60000000");
  CHECK(Error("mallocgc_begin=delay(0)") == "21: expected microseconds, from 1 to 60000000");
  CHECK(Error("mallocgc_begin=hold(nowhere_at_all)") == "20: unknown point \"nowhere_at_all\"");
  CHECK(Error("mallocgc_begin=holding(alglock):off") ==
        "23: unknown lock \"alglock\"; did you mean allglock?");
  CHECK(Error("mallocgc_begin=holding(allglock)off") == "32: expected \":\"");
  CHECK(Error("mallocgc_begin=visit(0):off") == "21: expected the number of the visit, 1 or more");
  CHECK(Error("mallocgc_begin=101%off") == "18: a probability is above 0% and at most 100%");
  CHECK(Error("mallocgc_begin=0*off") == "16: a term that fires 0 times never does; say off");
  CHECK(Error("mallocgc_begin=3off") == "16: expected \"%\" or \"*\" behind the number");
  CHECK(Error("mallocgc_begin=1.5*off") == "18: expected \"%\"");
  CHECK(Error("mallocgc_begin=5%visit(1):off") ==
        "17: conditions stand in front of the probability and the count");
  CHECK(Error("mallocgc_begin=off->") ==
        "20: expected an action (off, throw, delay, yield, print, hold, await, movestack, signal, "
        "starve, preempt, collect, stoptheworld, barrier, shrink, retake, enomem)");
  CHECK(Error("mallocgc_begin=off;") == "19: expected the name of a point");
  CHECK(Error("mallocgc_begin=off off") == "19: expected \"->\", \";\" or the end");
  CHECK(Error("mallocgc_begin=99999999999999999999*off") == "15: the number is too large");
}

TEST_CASE("an error is shown under its place") {
  CHECK(ShowSpecError("mallocgc_begin=of", {15, "unknown"}) ==
        "column 16: unknown\n  mallocgc_begin=of\n                 ^\n");
}

TEST_CASE("every point can be named, and is found by its name only") {
  for (const PointInfo& point : AllPoints()) {
    REQUIRE(FindPoint(point.name).has_value());
    CHECK(std::string(PointName(*FindPoint(point.name))) == point.name);
    CHECK(std::string(point.meaning).size() > 10);
  }
  CHECK_FALSE(FindPoint("").has_value());
}

TEST_CASE("the nearest name, or none") {
  CHECK(Nearest("verfy", {"list", "verify"}) == "verify");
  CHECK(Nearest("storm", {"list", "verify"}).empty());
  CHECK(IsLockName("sched.lock"));
  CHECK_FALSE(IsLockName("sched"));
}
