// Strategies, traces and tasks, without a runtime.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "chaos/explore/bounded.h"
#include "chaos/explore/campaign.h"
#include "chaos/explore/schedule.h"
#include "chaos/explore/strategies.h"
#include "chaos/explore/tracefile.h"

namespace gort::chaos {

namespace {

constexpr int kDraws = 20000;

Situation Among(std::initializer_list<int> threads, int current, Reason reason) {
  Situation s{};
  s.reason = reason;
  s.current = current;
  s.longest = -1;
  for (const int t : threads) {
    s.runnable[s.n++] = t;
    if (t != current && s.longest < 0) s.longest = t;
  }
  s.next = s.longest;
  return s;
}

// Five standard deviations of a binomial share.
double Slack(double p, int n) { return 5 * std::sqrt(p * (1 - p) / n); }

Trace SomeTrace() {
  Trace trace;
  trace.program = "/a/program with blanks";
  trace.arguments = {"one", "two words"};
  trace.settings = {"GODEBUG=gcstoptheworld=1", "GOGC=50"};
  trace.build = "00ff";
  trace.seed = 7;
  trace.strategy = "pct:3";
  trace.limit = 1000;
  trace.outcome = "exit 2";
  trace.said = "panic: x";
  trace.steps = 99;
  trace.deviations = {{5, 1, 0, Deviation::kSwitch, true},  {6, 0, 1, Deviation::kSwitch, false},
                      {7, 0, 1, Deviation::kLeap, false},   {8, 2, 1, Deviation::kWake, false},
                      {9, 1, 2, Deviation::kInject, false}, {10, 3, 0, Deviation::kSignal, false}};
  return trace;
}

std::string ProblemOf(const std::string& text) {
  Trace trace;
  std::string problem;
  CHECK_FALSE(ParseTrace(text, &trace, &problem));
  return problem;
}

}  // namespace

TEST_CASE("a sequence is uniform, and its waits have the mean that was asked for") {
  Sequence sequence(1);
  std::map<std::uint64_t, int> counts;
  for (int i = 0; i < kDraws; i++) counts[sequence.Below(5)]++;
  for (std::uint64_t i = 0; i < 5; i++)
    CHECK(std::abs(counts[i] / double{kDraws} - 0.2) < Slack(0.2, kDraws));
  for (const double mean : {2.0, 10.0, 300.0}) {
    double sum = 0;
    for (int i = 0; i < kDraws; i++) {
      const std::int64_t wait = sequence.Wait(mean);
      REQUIRE(wait >= 1);
      sum += static_cast<double>(wait);
    }
    // The deviation of a geometric distribution is its mean, about.
    CHECK(std::abs(sum / kDraws - mean) < 5 * mean / std::sqrt(double{kDraws}));
  }
  int rolled = 0;
  for (int i = 0; i < kDraws; i++) rolled += sequence.Roll(0.03);
  CHECK(std::abs(rolled / double{kDraws} - 0.03) < Slack(0.03, kDraws));
}

TEST_CASE("seeds for different purposes differ, and are the same each time") {
  CHECK(DeriveSeed(1, 1) == DeriveSeed(1, 1));
  CHECK(DeriveSeed(1, 1) != DeriveSeed(1, 2));
  CHECK(DeriveSeed(1, 1) != DeriveSeed(2, 1));
}

TEST_CASE("random gives every thread the same share, at every step") {
  Strategy* random = MakeStrategy({StrategyChoice::kRandom, 0}, 3, 1000);
  CHECK(random->Patience() == 1);
  std::map<int, int> counts;
  for (int i = 0; i < kDraws; i++) counts[random->Choose(Among({0, 2, 5}, 2, Reason::kStep))]++;
  CHECK(counts.size() == 3);
  for (const auto& [thread, count] : counts)
    CHECK(std::abs(count / double{kDraws} - 1 / 3.0) < Slack(1 / 3.0, kDraws));
  for (int i = 0; i < 100; i++) CHECK(random->Choose(Among({0, 2}, 2, Reason::kYield)) == 0);
}

TEST_CASE("pct runs the highest priority, and lowers it at each of its steps") {
  std::map<int, int> first;
  int changed = 0;
  constexpr int kRuns = 3000;
  constexpr std::uint64_t kSteps = 100;
  for (int run = 0; run < kRuns; run++) {
    Strategy* pct =
        MakeStrategy({StrategyChoice::kPct, 2}, static_cast<std::uint64_t>(run), kSteps);
    for (int thread = 0; thread < 3; thread++) pct->Created(thread);
    Situation s = Among({0, 1, 2}, 0, Reason::kWait);
    const int leader = pct->Choose(s);
    first[leader]++;
    s.reason = Reason::kStep;
    s.current = leader;
    const auto at = static_cast<std::uint64_t>(pct->Patience());
    REQUIRE(at >= 1);
    REQUIRE(at <= kSteps);
    changed += at <= kSteps / 2;
    s.asked = at;
    const int next = pct->Choose(s);
    CHECK(next != leader);
    CHECK(pct->Patience() == INT64_MAX);
    s.asked = 10 * kSteps;
    s.current = next;
    CHECK(pct->Choose(s) == next);
  }
  for (int thread = 0; thread < 3; thread++)
    CHECK(std::abs(first[thread] / double{kRuns} - 1 / 3.0) < Slack(1 / 3.0, kRuns));
  CHECK(std::abs(changed / double{kRuns} - 0.5) < Slack(0.5, kRuns));
}

TEST_CASE("starve passes one thread over as long as another can go on") {
  Strategy* starve = MakeStrategy({StrategyChoice::kStarve, 0}, 9, 1000);
  std::map<int, int> counts;
  Situation s = Among({0, 1, 2}, 0, Reason::kStep);
  for (int i = 0; i < 10; i++) counts[starve->Choose(s)]++;
  CHECK(counts.size() == 2);
  const int victim = counts.count(0) == 0 ? 0 : counts.count(1) == 0 ? 1 : 2;
  CHECK(starve->Choose(Among({victim}, victim, Reason::kStep)) == victim);
}

TEST_CASE(
    "sites takes the turn away at drawn visits of its sites, and at other steps in half of the "
    "runs") {
  constexpr int kRuns = 3000;
  constexpr int kVisits = 4096;
  int many = 0, first = 0, again = 0, elsewhere = 0;
  for (int run = 0; run < kRuns; run++) {
    Strategy* sites = MakeStrategy({StrategyChoice::kSites, 0}, static_cast<std::uint64_t>(run), 0);
    for (int thread = 0; thread < 3; thread++) sites->Created(thread);
    const SiteChoice choice = sites->Sites();
    CHECK((choice.mask & (choice.mask + 1)) == 0);
    CHECK(choice.Has(choice.site));
    CHECK(choice.Has(choice.site + choice.mask + 1));
    CHECK_FALSE(choice.Has(choice.site + 1));
    many += choice.mask < 1 << 5;
    elsewhere += sites->Patience() != INT64_MAX;
    int visits = 1, changes = 0;
    while (!sites->Arrived(choice.site)) visits++;
    first += visits == 1;
    for (int i = 0; i < kVisits; i++) changes += sites->Arrived(choice.site);
    again += changes;
    Situation s = Among({0, 1, 2}, 0, Reason::kWait);
    s.current = sites->Choose(s);
    s.reason = Reason::kStep;
    CHECK(sites->Choose(s) != s.current);
    s.reason = Reason::kWoken;
    CHECK(sites->Choose(s) != s.current);
  }
  CHECK(std::abs(many / double{kRuns} - 3 / 8.0) < Slack(3 / 8.0, kRuns));
  CHECK(std::abs(again / double{kRuns} - 1) < 4 / std::sqrt(kRuns));
  CHECK(std::abs(elsewhere / double{kRuns} - 0.5) < Slack(0.5, kRuns));
  // By the mean of the visits: 1, 1/4, 1/16, ...
  const double share = (1 + 1 / 4.0 + 1 / 16.0 + 1 / 64.0 + 1 / 256.0) / 5;
  CHECK(std::abs(first / double{kRuns} - share) < Slack(share, kRuns));
  const SiteChoice points =
      MakeStrategy({StrategyChoice::kSites, 0}, 1, 0, /*points=*/true)->Sites();
  CHECK(points.mask < 1 << 5);
}

TEST_CASE("sites can be given") {
  constexpr std::uint32_t kOne = 0x1234, kOther = 0x1d3c;
  const std::uint32_t given[] = {kOne, kOther};
  Strategy* sites = MakeStrategy({StrategyChoice::kSites, 0}, 1, 0, false, given);
  const SiteChoice choice = sites->Sites();
  CHECK(choice.Has(kOne));
  CHECK(choice.Has(kOther));
  CHECK_FALSE(choice.Has(kOne ^ 1));
  CHECK(sites->Patience() == INT64_MAX);
  bool there = false, elsewhere = false;
  // It cannot tell 0x1d34 from them before it is asked.
  CHECK(choice.Has(0x1d34));
  for (int visit = 0; visit < 4096; visit++) {
    there |= sites->Arrived(kOther);
    elsewhere |= sites->Arrived(0x1d34);
  }
  CHECK(there);
  CHECK_FALSE(elsewhere);
  const SiteChoice one =
      MakeStrategy({StrategyChoice::kSites, 0}, 1, 0, false, std::span(given, 1))->Sites();
  CHECK(one.mask == 0xffff);
  CHECK(one.site == kOne);
}

TEST_CASE("rotation stays, but for a wait, a yield, and fairness") {
  Rotation rule;
  CHECK(rule.Default(Among({0, 1}, 0, Reason::kStep)) == 0);
  CHECK(rule.Default(Among({0, 1}, 0, Reason::kWoken)) == 0);
  CHECK(rule.Default(Among({0, 1}, 0, Reason::kYield)) == 1);
  CHECK(rule.Default(Among({0, 1}, 0, Reason::kFairness)) == 1);
  CHECK(rule.Default(Among({1, 2}, 0, Reason::kWait)) == 1);
  CHECK(rule.Default(Among({0}, 0, Reason::kYield)) == 0);
  // 1 was preempted: it comes behind 2, but for fairness.
  Situation s = Among({1, 2}, 0, Reason::kWait);
  s.next = 2;
  CHECK(rule.Default(s) == 2);
  s.reason = Reason::kFairness;
  CHECK(rule.Default(s) == 1);
}

TEST_CASE("by priorities the highest goes on, and who yields or is preempted falls to the lowest") {
  Priorities rule(5);
  for (int thread = 0; thread < 3; thread++) rule.Created(thread);
  const auto order = [&] {
    Situation s = Among({0, 1, 2}, 0, Reason::kWait);
    const int first = rule.Default(s);
    s = Among({(first + 1) % 3, (first + 2) % 3}, first, Reason::kWait);
    const int second = rule.Default(s);
    return std::vector<int>{first, second, 3 - first - second};
  };
  const std::vector<int> drawn = order();
  CHECK(order() == drawn);
  // A step changes nothing, whoever is asked about.
  CHECK(rule.Default(Among({0, 1, 2}, drawn[2], Reason::kStep)) == drawn[2]);
  // Somebody woke one with a higher priority.
  CHECK(rule.Default(Among({0, 1, 2}, drawn[2], Reason::kWoken)) == drawn[0]);
  CHECK(rule.Default(Among({0, 1, 2}, drawn[0], Reason::kYield)) == drawn[1]);
  CHECK(order() == std::vector<int>{drawn[1], drawn[2], drawn[0]});
  rule.Preempted(drawn[1]);
  CHECK(order() == std::vector<int>{drawn[2], drawn[0], drawn[1]});
  Situation s = Among({0, 1, 2}, drawn[2], Reason::kFairness);
  s.longest = drawn[1];
  CHECK(rule.Default(s) == drawn[1]);
  CHECK(order() == std::vector<int>{drawn[1], drawn[0], drawn[2]});
}

// A program of `steps` steps at each of which one other thread could go on, waits or not.
void RunOf(const std::vector<Deviation>& prefix, std::uint64_t steps, RunRecord* record) {
  record->choiceCount = 0;
  for (std::uint64_t i = prefix.empty() ? 1 : prefix.back().step + 1; i <= steps; i++)
    record->choices[record->choiceCount++] = {i, 2, 0, i % 4 != 0};
}

// How many runs there are, each another one.
std::size_t AllRuns(int bound, std::uint64_t steps) {
  static RunRecord record;
  BoundedSearch search(bound);
  std::vector<Deviation> prefix;
  std::set<std::vector<std::uint64_t>> seen;
  std::size_t last = 0;
  while (search.Next(&prefix)) {
    const bool counts = search.New();
    RunOf(prefix, steps, &record);
    search.Learn(record);
    if (!counts) continue;
    CHECK(prefix.size() >= last);  // those with few deviations first
    last = prefix.size();
    std::vector<std::uint64_t> way;
    for (const Deviation& d : prefix) way.push_back(d.step);
    CHECK(seen.insert(way).second);
  }
  CHECK_FALSE(search.cut());
  return seen.size();
}

TEST_CASE("bounded makes each run once, preemptions bounded and the rest free") {
  // 6 steps that could go on and 2 that wait: subsets of both, of the first at most so many.
  CHECK(AllRuns(0, 8) == 4);
  CHECK(AllRuns(1, 8) == (1 + 6) * 4);
  CHECK(AllRuns(2, 8) == (1 + 6 + 15) * 4);
  CHECK(AllRuns(1, 0) == 1);
}

TEST_CASE("names of strategies") {
  StrategyChoice choice;
  std::string problem;
  for (const char* name : {"default", "random", "burst", "pct:1", "pct:64", "starve", "mix",
                           "bounded:0", "pct:2@points", "burst@points", "pct:3@memory",
                           "starve@memory", "sites", "sites@points", "sites@memory"}) {
    CHECK(ParseStrategy(name, &choice, &problem));
    CHECK(ShowStrategy(choice) == name);
  }
  CHECK(ParseStrategy("pct", &choice, &problem));
  CHECK(choice.depth == 3);
  CHECK(ParseStrategy("bounded", &choice, &problem));
  CHECK(choice.depth == 2);
  for (const char* name :
       {"", "pct:", "pct:0", "pct:65", "pct:x", "random:2", "bounded:10", "mix@points", "@points",
        "random@memory", "burst@", "burst@lines", "rnd"})
    CHECK_FALSE(ParseStrategy(name, &choice, &problem));
  CHECK(problem.find("random, burst, pct:DEPTH") != std::string::npos);
}

TEST_CASE("mix comes to every strategy") {
  std::map<int, int> kinds, places;
  for (std::uint64_t i = 0; i < 64; i++) {
    kinds[ForRun({}, i).kind]++;
    places[ForRun({}, i).where]++;
  }
  CHECK(kinds.size() == 5);
  CHECK(places.size() == 3);
}

TEST_CASE("a trace is read as it was written") {
  Trace read;
  std::string problem;
  REQUIRE(ParseTrace(ShowTrace(SomeTrace()), &read, &problem));
  CHECK(read == SomeTrace());
  CHECK(read.Preemptions() == 1);
  CHECK(read.Injections() == 1);
}

TEST_CASE("what is wrong with a trace is said with its line") {
  const std::string good = ShowTrace(SomeTrace());
  CHECK(ProblemOf("ELF") == "line 1: this is not a trace of gort");
  std::string other = good;
  other.replace(0, 12, "gort-trace 9");
  CHECK(ProblemOf(other) == "line 1: a trace of version 9; this program reads version 4");
  CHECK(ProblemOf(good.substr(0, good.find("seed"))) ==
        "line 10: cut off: \"seed\" should stand here");
  CHECK(ProblemOf(good.substr(0, good.find("w 1 8"))) ==
        "line 20: cut off: 3 deviations are missing");
  CHECK(ProblemOf(good.substr(0, good.size() - 4)) ==
        "line 23: cut off: \"end\" should stand here");
  other = good;
  other.replace(other.find("seed 7"), 6, "seed x");
  CHECK(ProblemOf(other) == "line 10: \"seed\" wants a number");
  other = good;
  other.replace(other.find("pct:3"), 5, "luck!");
  CHECK(ProblemOf(other).find("unknown strategy \"luck!\"") != std::string::npos);
  other = good;
  other.replace(other.find("l 1 7"), 1, "q");
  CHECK(ProblemOf(other) == "line 19: not a deviation: q 1 7 0");
}

TEST_CASE("the settings of a run are made those of the next one") {
  const auto some = std::vector<std::string>{"GODEBUG=a=1,b=2", "GOMAXPROCS="};
  Set(some);
  CHECK(Settings() == some);
  CHECK(std::string(std::getenv("GODEBUG")) == "a=1,b=2");
  Set({});
  CHECK(Settings().empty());
}

TEST_CASE("a trace that cannot be written where it should is not lost") {
  const char* folder = std::getenv("TEST_TMPDIR");
  REQUIRE(folder != nullptr);
  setenv("TMPDIR", folder, 1);
  std::string problem;
  const std::string path =
      SaveTrace(SomeTrace(), std::string(folder) + "/no/such/folder.trace", &problem);
  CHECK(problem.find("cannot be written") != std::string::npos);
  CHECK(problem.find(path) != std::string::npos);
  Trace read;
  REQUIRE(LoadTrace(path, &read, &problem));
  CHECK(read == SomeTrace());
  setenv("TMPDIR", "/no/such/folder", 1);
  CHECK(SaveTrace(SomeTrace(), "/no/such/folder.trace", &problem).empty());
  CHECK(problem.find(ShowTrace(SomeTrace())) != std::string::npos);
}

TEST_CASE("a task is read as it was written, and what is wrong is named") {
  Task task;
  task.command = Task::kShrink;
  task.seed = 12;
  task.runs = 34;
  task.seconds = 5.5;
  task.strategy = {StrategyChoice::kPct, 4};
  task.inject = 0.25;
  task.focus = "chan* gopark_begin";
  task.trace = "/a b/c.trace";
  task.output = "d";
  task.json = true;
  Task read;
  std::string problem;
  REQUIRE(ParseTask(ShowTask(task), &read, &problem));
  CHECK(ShowTask(read) == ShowTask(task));
  CHECK_FALSE(ParseTask("sead=1", &read, &problem));
  CHECK(problem == "unknown key \"sead\"");
  CHECK_FALSE(ParseTask("runs=many", &read, &problem));
  CHECK(problem == "\"runs=many\" is no value for runs");
  CHECK_FALSE(ParseTask("inject=2", &read, &problem));
}

}  // namespace gort::chaos
