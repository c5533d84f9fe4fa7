// The knobs of storms: how they are written, and that what is drawn by them has the shares that
// they say. Each bound is five standard deviations away from the mean, on both sides, and the seeds
// are fixed.

#include "chaos/stormknobs.h"

#include <doctest/doctest.h>
#include <signal.h>

#include <cmath>
#include <map>

using namespace gort::chaos;

namespace {

StormKnobs Parse(std::string_view text) {
  auto parsed = ParseStorm(text);
  if (const auto* error = std::get_if<SpecError>(&parsed)) FAIL(ShowSpecError(text, *error));
  return std::get<StormKnobs>(parsed);
}

std::string Error(std::string_view text) {
  auto parsed = ParseStorm(text);
  const auto* error = std::get_if<SpecError>(&parsed);
  if (error == nullptr) return "no error";
  return std::to_string(error->position) + ": " + error->message;
}

// Wants `hits` of n trials to be near the probability.
void CheckShare(int hits, int n, double probability) {
  const double mean = n * probability;
  const double bound = 5 * std::sqrt(n * probability * (1 - probability));
  CHECK(hits > mean - bound);
  CHECK(hits < mean + bound);
}

}  // namespace

TEST_CASE("each knob") {
  const StormKnobs k = Parse(
      "seed=9,sites=50%,fires=0.5%,focus=gopark_*+mallocgc_begin,yield=0,delay=2.5,longest=77,"
      "pause=0,starve=12%,interval=300,signals=1.5,kinds=HUP+URG,enomem=1%,report=1");
  CHECK(k.seed == 9);
  CHECK(k.sites == doctest::Approx(0.5));
  CHECK(k.fires == doctest::Approx(0.005));
  CHECK(k.focus.size() == MatchPoints("gopark_*").size() + 1);
  CHECK(k.weights[static_cast<int>(StormAction::kYield)] == 0);
  CHECK(k.weights[static_cast<int>(StormAction::kDelay)] == 2.5);
  CHECK(k.longestMicros == 77);
  CHECK(k.pauseMicros == 0);
  CHECK(k.starve == doctest::Approx(0.12));
  CHECK(k.intervalMicros == 300);
  CHECK(k.signals == 1.5);
  CHECK(k.kinds == std::vector<int>{SIGHUP, SIGURG});
  CHECK(k.enomem == doctest::Approx(0.01));
  CHECK(k.report);
}

TEST_CASE("each fourth seed has SIGHUP of its own accord") {
  int hangups = 0;
  for (int seed = 0; seed < 8; seed++) {
    const StormKnobs k = Parse("seed=" + std::to_string(seed));
    for (const int kind : k.kinds) hangups += kind == SIGHUP ? 1 : 0;
    CHECK(k.kinds.size() >= 3);
  }
  CHECK(hangups == 2);
}

TEST_CASE("mistakes") {
  CHECK(Error("sede=1") == "0: unknown knob \"sede\"; did you mean seed?");
  CHECK(Error("seed") == "4: expected \"=\"");
  CHECK(Error("seed=x") == "5: expected a number of at least 0");
  CHECK(Error("seed=1,sites=25") == "13: expected a share, as in 12.5%");
  CHECK(Error("sites=101%") == "6: expected a share from 0% to 100%");
  CHECK(Error("interval=0") == "9: expected a number of at least 1");
  CHECK(Error("yield=-1") == "6: expected a number from 0 to 1000000");
  CHECK(Error("kinds=URG+KILL") == "10: expected URG, HUP, PROF or CHLD");
  CHECK(Error("focus=malocgc_begin") ==
        "6: unknown point \"malocgc_begin\"; did you mean mallocgc_begin?");
  CHECK(Error("seed=1,") == "7: expected a knob behind the comma");
  CHECK(Error("seed=1,,fires=1%") == "7: expected the name of a knob");
  CHECK(Error("").empty() == false);
  CHECK(Error("") == "no error");
}

TEST_CASE("dice: 30% fires between bounds, and so do 1% and 99%") {
  for (const double p : {0.3, 0.01, 0.99}) {
    Dice dice(42);
    int hits = 0;
    for (int i = 0; i < 10000; i++) hits += dice.Roll(p) ? 1 : 0;
    CheckShare(hits, 10000, p);
  }
  Dice dice(7);
  for (int i = 0; i < 1000; i++) CHECK(dice.Below(3) < 3);
}

TEST_CASE("sites: the share that is active, over runs and over points") {
  for (const char* share : {"5", "25", "80"}) {
    int active = 0, n = 0;
    std::map<int, int> ofPoint;
    for (int seed = 0; seed < 400; seed++) {
      const StormKnobs k = Parse("seed=" + std::to_string(seed) + ",sites=" + share + "%");
      const Sites sites = PlanSites(k);
      for (int i = 0; i < kPointCount; i++, n++) {
        if (!sites[static_cast<std::size_t>(i)].active) continue;
        active++;
        ofPoint[i]++;
      }
    }
    CheckShare(active, n, std::stod(share) / 100);
    // No point is favoured.
    for (int i = 0; i < kPointCount; i++) CheckShare(ofPoint[i], 400, std::stod(share) / 100);
  }
}

TEST_CASE("sites: actions by weight") {
  int yields = 0, delays = 0, n = 0;
  for (int seed = 0; seed < 200; seed++) {
    const StormKnobs k =
        Parse("seed=" + std::to_string(seed) +
              ",sites=100%,yield=3,delay=1,preempt=0,movestack=0,shrink=0,collect=0,"
              "stoptheworld=0,barrier=0,retake=0");
    for (const Site& site : PlanSites(k)) {
      n++;
      yields += site.action == StormAction::kYield ? 1 : 0;
      delays += site.action == StormAction::kDelay ? 1 : 0;
    }
  }
  CHECK(yields + delays == n);
  CheckShare(yields, n, 0.75);
}

TEST_CASE("sites: the seed decides, and a focus leaves the others out and changes nothing else") {
  const Sites a = PlanSites(Parse("seed=5")), b = PlanSites(Parse("seed=5")),
              c = PlanSites(Parse("seed=6")), f = PlanSites(Parse("seed=5,focus=chan*"));
  int different = 0;
  for (int i = 0; i < kPointCount; i++) {
    const auto k = static_cast<std::size_t>(i);
    CHECK(a[k].active == b[k].active);
    CHECK(a[k].action == b[k].action);
    different += a[k].active != c[k].active ? 1 : 0;
    const bool inFocus = std::string_view(AllPoints()[k].name).starts_with("chan");
    CHECK(f[k].active == (inFocus && a[k].active));
  }
  CHECK(different > 0);
  const Sites none =
      PlanSites(Parse("sites=100%,yield=0,delay=0,preempt=0,movestack=0,shrink=0,"
                      "collect=0,stoptheworld=0,barrier=0,retake=0"));
  for (const Site& site : none) CHECK_FALSE(site.active);
}

TEST_CASE("starvation: the share of intervals") {
  const StormKnobs k = Parse("seed=3,starve=5%");
  int starved = 0;
  std::map<std::uint64_t, int> drawn;
  for (std::uint64_t i = 0; i < 20000; i++) {
    const Starvation s = StarvationIn(k, i);
    if (!s.active) continue;
    starved++;
    drawn[s.draw % 4]++;
  }
  CheckShare(starved, 20000, 0.05);
  for (std::uint64_t m = 0; m < 4; m++) CheckShare(drawn[m], starved, 0.25);
}

TEST_CASE("signals: rate, kinds and targets") {
  const StormKnobs k = Parse("seed=3,signals=200,kinds=URG+HUP+PROF+CHLD");
  Dice dice(11);
  std::int64_t total = 0;
  int toProcess = 0, longer = 0;
  std::map<int, int> kinds;
  constexpr int n = 10000;
  for (int i = 0; i < n; i++) {
    const NextSignal next = DrawSignal(k, &dice);
    total += next.waitMicros;
    toProcess += next.toProcess ? 1 : 0;
    // Exponential: more than the mean in 1/e of the cases.
    longer += next.waitMicros > 5000 ? 1 : 0;
    kinds[next.signal]++;
  }
  // The mean of n exponential waits of 5000: standard deviation 5000 / sqrt(n).
  CHECK(total / n > 5000 - 5 * 50);
  CHECK(total / n < 5000 + 5 * 50);
  CheckShare(toProcess, n, 0.5);
  CheckShare(longer, n, std::exp(-1.0));
  CHECK(kinds.size() == 4);
  for (const auto& [kind, hits] : kinds) CheckShare(hits, n, 0.25);
}

TEST_CASE("delays: each order of magnitude as likely as the next, none too long") {
  const StormKnobs k = Parse("longest=10000");
  Dice dice(12);
  int below[4] = {};
  for (int i = 0; i < 10000; i++) {
    const std::int64_t us = DrawDelay(k, &dice);
    CHECK(us >= 1);
    CHECK(us <= 10000);
    below[0] += us < 10 ? 1 : 0;
    below[1] += us < 100 ? 1 : 0;
    below[2] += us < 1000 ? 1 : 0;
  }
  for (int i = 0; i < 3; i++) CheckShare(below[i], 10000, 0.25 * (i + 1));
}
