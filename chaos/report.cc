#include "chaos/report.h"

#include <algorithm>
#include <map>

#include "chaos/campaign.h"
#include "chaos/table.h"

namespace gort::chaos {

namespace {

constexpr int kLastLines = 4;

std::string Ratio(const Side& side) {
  return std::to_string(side.asExpected) + " of " + std::to_string(side.runs);
}

// What happened in most runs, and in how many it was as expected.
std::string Cell(const Side& side, bool explored) {
  if (explored && side.broken == 0 && side.runs > 0) {
    if (side.firstFailure == 0) return "no failure in " + std::to_string(side.runs) + " runs";
    return "run " + std::to_string(side.firstFailure) + ", " +
           ShowDuration(side.firstFailureAfter) + ": " + side.summaries.begin()->first;
  }
  std::string text = "(not run)";
  int most = 0;
  for (const auto& [summary, n] : side.summaries) {
    if (n <= most) continue;
    most = n;
    text = summary;
  }
  return text + ", " + Ratio(side) + (side.Good() ? " as expected" : " AS EXPECTED");
}

// The picture stands at the top of the watcher's report, up to an empty line.
std::string Picture(const std::string& evidence) {
  return evidence.substr(0, evidence.find("\n\n") + 1);
}

std::string Counts(const Side& side, const Expectation& expectation) {
  if (!side.Good() || expectation.counts.empty()) return "";
  std::string text = "the dump is whole:";
  const char* separator = " ";
  for (const auto& [n, what] : expectation.counts) {
    text += separator + std::to_string(n) + " x \"" + what + "\"";
    separator = ", ";
  }
  return text + "\n";
}

std::string Evidence(const Side& side, const Expectation& expectation, bool details) {
  std::string text;
  for (const auto& [summary, n] : side.summaries)
    text += summary + ", " + std::to_string(n) + " of " + std::to_string(side.runs) + " runs\n";
  if (side.runs == 0 && side.broken == 0) return "not run\n";
  if (!side.firstProblem.empty()) text += "wrong: " + side.firstProblem + "\n";
  if (side.outcome.kind == Outcome::kDeadlock)
    return text + (details ? side.outcome.evidence : Picture(side.outcome.evidence));
  if (side.firstFailure > 0)
    text += "the first was run " + std::to_string(side.firstFailure) + ", after " +
            ShowDuration(side.firstFailureAfter) + "\n";
  if (!side.outcome.evidence.empty()) return text + side.outcome.evidence;
  text += Counts(side, expectation);
  if (side.sample.err.empty()) return text;
  if (details) return text + side.sample.err;
  return text + "its last lines:\n" + Indent(LastLines(side.sample.err, kLastLines), 2);
}

// How many bugs there are, and how many of them are as history says in all their rows.
std::string Count(const std::vector<Verdict>& verdicts) {
  std::map<const Entry*, bool> bugs;
  for (const Verdict& v : verdicts) bugs.try_emplace(v.entry, true).first->second &= v.Good();
  int good = 0;
  for (const auto& [entry, isGood] : bugs) good += isGood ? 1 : 0;
  const std::string all = std::to_string(bugs.size());
  return all + (bugs.size() == 1 ? " bug, " : " bugs, ") + std::to_string(good) +
         " of them as history says\n";
}

void SideAsJson(Json* json, const char* key, const Side& side) {
  json->Key(key).BeginObject();
  json->Key("runs").Number(side.runs);
  json->Key("as_expected").Number(side.asExpected);
  json->Key("broken").Number(side.broken);
  json->Key("outcomes").BeginObject();
  for (const auto& [summary, n] : side.summaries) json->Key(summary).Number(n);
  json->EndObject();
  json->Key("seconds").Real(side.seconds);
  json->Key("first_failure_run").Number(side.firstFailure);
  json->Key("first_failure_seconds").Real(side.firstFailureAfter);
  json->Key("first_problem").String(side.firstProblem);
  json->Key("evidence")
      .String(side.outcome.evidence.empty() ? LastLines(side.sample.err, 20)
                                            : side.outcome.evidence);
  json->EndObject();
}

}  // namespace

std::string ShowVerdicts(const std::vector<Verdict>& verdicts, bool details) {
  std::vector<std::vector<std::string>> rows = {
      {"bug", "mode", "without the fix", "with the fix", "verdict"}};
  for (const Verdict& v : verdicts)
    rows.push_back({FullName(v.entry->bug, v.unfixing), v.mode,
                    Cell(v.without, v.mode == "explore"), Cell(v.with, v.mode == "explore"),
                    v.Text()});
  std::string text = Table(rows);
  const Entry* shown = nullptr;
  for (const Verdict& v : verdicts) {
    const Bug& bug = v.entry->bug;
    if (v.entry != shown) {
      text += "\n" + bug.name + "  " + bug.subject + "\n";
      text += "  fixed in Go by " + bug.commit + ", " + bug.date + "; " + bug.issue + "\n";
      shown = v.entry;
    }
    auto side = [&](const char* title, const Side& s, bool with) {
      // History does not say how a general program fails.
      const Expectation expectation =
          v.mode == "explore" ? Expectation{} : bug.Expected(with, v.unfixing, v.mode);
      const std::string evidence = Evidence(s, expectation, details);
      return "    " + std::string(title) + Indent(evidence, 6).substr(6);
    };
    text += "  " + v.mode + (v.unfixing.empty() ? "" : ", " + v.unfixing) + "\n";
    text += side("without the fix: ", v.without, false);
    text += side("with the fix: ", v.with, true);
  }
  return text + "\n" + Count(verdicts);
}

std::string VerdictsAsJson(const std::vector<Verdict>& verdicts, int exitStatus) {
  Json json;
  json.BeginObject().Key("exit_status").Number(exitStatus).Key("bugs").BeginArray();
  for (const Verdict& v : verdicts) {
    json.BeginObject();
    json.Key("bug").String(v.entry->bug.name);
    json.Key("commit").String(v.entry->bug.commit);
    json.Key("subject").String(v.entry->bug.subject);
    json.Key("unfixing").String(v.unfixing);
    json.Key("mode").String(v.mode);
    json.Key("good").Bool(v.Good());
    json.Key("verdict").String(v.Text());
    SideAsJson(&json, "without", v.without);
    SideAsJson(&json, "with", v.with);
    json.EndObject();
  }
  return json.EndArray().EndObject().text() + "\n";
}

}  // namespace gort::chaos
