#include "chaos/bug.h"

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <sstream>

#include "chaos/nearest.h"

namespace gort::chaos {

namespace {

std::string_view Trim(std::string_view s) {
  while (!s.empty() && (s.front() == ' ' || s.front() == '\t')) s.remove_prefix(1);
  while (!s.empty() && (s.back() == ' ' || s.back() == '\t' || s.back() == '\r'))
    s.remove_suffix(1);
  return s;
}

// A decimal number that is not negative; -1 if it is none.
int Number(std::string_view text) {
  if (text.empty() || text.size() > 6) return -1;
  int n = 0;
  for (char c : text) {
    if (c < '0' || c > '9') return -1;
    n = n * 10 + (c - '0');
  }
  return n;
}

// The first word of *rest, which it takes off.
std::string_view Word(std::string_view* rest) {
  *rest = Trim(*rest);
  const std::size_t end = std::min(rest->find_first_of(" \t"), rest->size());
  const std::string_view word = rest->substr(0, end);
  *rest = Trim(rest->substr(end));
  return word;
}

int Count(const std::string& text, const std::string& part) {
  int n = 0;
  for (std::size_t at = text.find(part); at != std::string::npos;
       at = text.find(part, at + part.size()))
    n++;
  return n;
}

const std::vector<std::string> kOutcomes = {"deadlock", "race", "fault", "throw", "signal", "exit"};

// One line of [without] or [with]; "" or what is wrong.
std::string SetExpectation(Expectation* e, std::string_view key, std::string_view value) {
  if (key == "outcome") {
    e->outcome = value;
    if (std::find(kOutcomes.begin(), kOutcomes.end(), value) == kOutcomes.end())
      return "unknown outcome \"" + e->outcome + "\"" + DidYouMean(value, kOutcomes);
  } else if (key == "status") {
    e->status = Number(value);
    if (e->status < 0 || e->status > 255) return "status is a number from 0 to 255";
  } else if (key == "shows") {
    e->shows.emplace_back(value);
  } else {
    const int n = Number(Word(&value));
    if (n < 0 || value.empty()) return "count is a number and a text";
    e->counts.emplace_back(n, value);
  }
  return "";
}

// One line above [without]; "" or what is wrong.
std::string SetFact(Bug* bug, std::string_view key, std::string_view value) {
  if (key == "commit") {
    bug->commit = value;
  } else if (key == "subject") {
    bug->subject = value;
  } else if (key == "date") {
    bug->date = value;
  } else if (key == "issue") {
    bug->issue = value;
  } else if (key == "timeout") {
    bug->timeoutSeconds = Number(value);
    if (bug->timeoutSeconds < 1) return "timeout is a number of seconds";
  } else {
    while (!value.empty()) {
      const int n = Number(Word(&value));
      if (n < 1) return "procs are numbers, 1 or more";
      bug->procs.push_back(n);
    }
  }
  return "";
}

std::string Incomplete(const Bug& bug) {
  if (bug.commit.size() != 40) return "commit is missing or not 40 digits long";
  if (bug.commit.compare(0, bug.name.size(), bug.name) != 0)
    return "the folder is not called after the commit";
  if (bug.subject.empty()) return "subject is missing";
  if (bug.issue.empty()) return "issue is missing";
  if (bug.procs.empty()) return "procs is missing";
  if (bug.without.outcome.empty()) return "[without] has no outcome";
  if (bug.with.outcome.empty()) return "[with] has no outcome";
  return "";
}

bool ReadFile(const std::string& path, std::string* text) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return false;
  std::ostringstream content;
  content << file.rdbuf();
  *text = content.str();
  return true;
}

}  // namespace

std::string Expectation::Check(const Outcome& got, const RunResult& run) const {
  if (got.kind == Outcome::kBroken) return got.text;
  if (got.Name() != outcome) return "expected " + outcome + ", got " + got.Summary();
  if (status >= 0 && got.status != status)
    return "expected exit status " + std::to_string(status) + ", got " + got.Summary();
  for (const std::string& text : shows) {
    const std::string& where = got.evidence.empty() ? run.err : got.evidence;
    if (where.find(text) == std::string::npos)
      return got.Summary() + ", but nothing shows \"" + text + "\"";
  }
  for (const auto& [n, text] : counts) {
    const int found = Count(run.err, text);
    if (found != n)
      return got.Summary() + ", but \"" + text + "\" stands there " + std::to_string(found) +
             " times, not " + std::to_string(n);
  }
  return "";
}

std::variant<Bug, std::string> ParseBug(std::string_view name, std::string_view text) {
  const std::vector<std::string> facts = {"commit", "subject", "date", "issue", "procs", "timeout"};
  const std::vector<std::string> expectations = {"outcome", "status", "shows", "count"};
  Bug bug;
  bug.name = name;
  Expectation* section = nullptr;
  int number = 0;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = Trim(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
    number++;
    if (line.empty() || line.front() == '#') continue;
    std::string wrong;
    if (line == "[without]") {
      section = &bug.without;
    } else if (line == "[with]") {
      section = &bug.with;
    } else {
      std::string_view value = line;
      const std::string_view key = Word(&value);
      const auto& known = section == nullptr ? facts : expectations;
      if (std::find(known.begin(), known.end(), key) == known.end())
        wrong = "unknown key \"" + std::string(key) + "\"" + DidYouMean(key, known);
      else if (value.empty())
        wrong = std::string(key) + " has no value";
      else
        wrong =
            section == nullptr ? SetFact(&bug, key, value) : SetExpectation(section, key, value);
    }
    if (!wrong.empty()) return "line " + std::to_string(number) + ": " + wrong;
  }
  std::string wrong = Incomplete(bug);
  if (!wrong.empty()) return wrong;
  return bug;
}

std::vector<std::string> History::Names() const {
  std::vector<std::string> names;
  names.reserve(entries.size());
  for (const Entry& entry : entries) names.push_back(entry.bug.name);
  return names;
}

const Entry* History::Find(std::string_view name) const {
  const Entry* found = nullptr;
  for (const Entry& entry : entries) {
    if (entry.bug.name == name || entry.bug.commit == name) return &entry;
    if (name.size() < 4 || !entry.bug.name.starts_with(name)) continue;
    if (found != nullptr) return nullptr;
    found = &entry;
  }
  return found;
}

std::variant<History, std::string> LoadHistory(const std::string& root, const std::string& index) {
  History history;
  std::string text;
  if (!ReadFile(root + index, &text)) return "cannot read " + root + index;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    std::string_view rest = line;
    const std::string_view key = Word(&rest);
    if (key == "tsan_options") {
      history.tsanOptions = rest;
      continue;
    }
    const std::string name(Word(&rest));
    if (key == "bug") {
      const std::string file = root + std::string(rest);
      std::string content;
      if (!ReadFile(file, &content)) return "cannot read " + file;
      auto parsed = ParseBug(name, content);
      if (const auto* wrong = std::get_if<std::string>(&parsed)) return file + ": " + *wrong;
      history.entries.push_back({std::move(std::get<Bug>(parsed)), {}});
    } else if (key == "build" && !history.entries.empty() &&
               history.entries.back().bug.name == name) {
      Build build;
      build.mode = Word(&rest);
      build.without = std::string(root).append(Word(&rest));
      build.with = std::string(root).append(rest);
      history.entries.back().builds.push_back(std::move(build));
    } else if (!key.empty()) {
      return index + ": cannot read the line: " + line;
    }
  }
  return history;
}

}  // namespace gort::chaos
