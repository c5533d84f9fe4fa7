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
const std::vector<std::string> kModes = {"plain", "tsan"};

bool IsMode(std::string_view word) {
  return std::find(kModes.begin(), kModes.end(), word) != kModes.end();
}

// A list of numbers, 1 or more each; false if it is something else.
bool Procs(std::string_view value, std::vector<int>* procs) {
  while (!value.empty()) {
    const int n = Number(Word(&value));
    if (n < 1) return false;
    procs->push_back(n);
  }
  return true;
}

constexpr char kWrongProcs[] = "procs are numbers, 1 or more";

// One line of a section; "" or what is wrong.
std::string SetExpectation(Section* section, std::string_view key, std::string_view value) {
  Expectation* e = &section->expectation;
  if (key == "outcome") {
    e->outcome = value;
    if (std::find(kOutcomes.begin(), kOutcomes.end(), value) == kOutcomes.end())
      return "unknown outcome \"" + e->outcome + "\"" + DidYouMean(value, kOutcomes);
  } else if (key == "status") {
    e->status = Number(value);
    if (e->status < 0 || e->status > 255) return "status is a number from 0 to 255";
  } else if (key == "shows") {
    e->shows.emplace_back(value);
  } else if (key == "procs") {
    if (section->with) return "procs stand under [without], or at the top";
    if (!Procs(value, &section->procs)) return kWrongProcs;
  } else {
    const int n = Number(Word(&value));
    if (n < 0 || value.empty()) return "count is a number and a text";
    e->counts.emplace_back(n, value);
  }
  return "";
}

// One line above the sections; "" or what is wrong.
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
  } else if (key == "cases") {
    while (!value.empty()) bug->cases.emplace_back(Word(&value));
  } else if (!Procs(value, &bug->procs)) {
    return kWrongProcs;
  }
  return "";
}

// Begins the section that a line in brackets names; "" or what is wrong.
std::string BeginSection(Bug* bug, std::string_view line) {
  constexpr char kForm[] = "a section is [without] or [with], with a name and a mode in it or not";
  if (line.back() != ']') return kForm;
  std::string_view rest = line.substr(1, line.size() - 2);
  Section section;
  const std::string_view side = Word(&rest);
  if (side != "without" && side != "with") return kForm;
  section.with = side == "with";
  std::string_view word = Word(&rest);
  if (!word.empty() && !IsMode(word)) {
    section.unfixing = word;
    word = Word(&rest);
  }
  if (!word.empty() && !IsMode(word))
    return "unknown mode \"" + std::string(word) + "\"" + DidYouMean(word, kModes);
  section.mode = word;
  if (!rest.empty()) return kForm;
  for (const Section& other : bug->sections)
    if (other.with == section.with && other.unfixing == section.unfixing &&
        other.mode == section.mode)
      return std::string(line) + " is there twice";
  bug->sections.push_back(std::move(section));
  return "";
}

std::string Title(const Section& section) {
  std::string title = section.with ? "[with" : "[without";
  for (const std::string& word : {section.unfixing, section.mode})
    if (!word.empty()) title += " " + word;
  return title + "]";
}

// The section that says the most of those that fit; null if none does.
const Section* FindSection(const std::vector<Section>& sections, bool with,
                           const std::string& unfixing, const std::string& mode) {
  const Section* best = nullptr;
  int bestSays = -1;
  for (const Section& s : sections) {
    if (s.with != with || (!s.unfixing.empty() && s.unfixing != unfixing) ||
        (!s.mode.empty() && s.mode != mode))
      continue;
    const int says = (s.unfixing.empty() ? 0 : 2) + (s.mode.empty() ? 0 : 1);
    if (says <= bestSays) continue;
    best = &s;
    bestSays = says;
  }
  return best;
}

std::string Incomplete(const Bug& bug) {
  if (bug.commit.size() != 40) return "commit is missing or not 40 digits long";
  if (bug.commit.compare(0, bug.name.size(), bug.name) != 0)
    return "the folder is not called after the commit";
  if (bug.subject.empty()) return "subject is missing";
  if (bug.issue.empty()) return "issue is missing";
  if (bug.procs.empty()) return "procs is missing";
  for (const Section& section : bug.sections)
    if (section.expectation.outcome.empty()) return Title(section) + " has no outcome";
  for (const std::string& unfixing : bug.Unfixings()) {
    for (bool with : {false, true})
      for (const std::string& mode : kModes)
        if (FindSection(bug.sections, with, unfixing, mode) == nullptr)
          return std::string(with ? "[with" : "[without") +
                 (unfixing.empty() ? "" : " " + unfixing) + "] is missing for mode " + mode;
  }
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

// A line of the index that names programs: "build", "explore" or "storm". "" or what is wrong.
std::string AddProgram(const std::string& root, std::string_view key, std::string_view fullName,
                       std::string_view rest, Entry* entry) {
  const std::string& name = entry->bug.name;
  std::string unfixing;
  if (name.size() < fullName.size()) unfixing = fullName.substr(name.size() + 1);
  const auto unfixings = entry->bug.Unfixings();
  if (std::find(unfixings.begin(), unfixings.end(), unfixing) == unfixings.end())
    return name + ": the file bug has no section [without" +
           (unfixing.empty() ? "" : " " + unfixing) + "]";
  std::string mode;
  if (key == "build") mode = Word(&rest);
  const std::string without = std::string(root).append(Word(&rest));
  const std::string with = std::string(root).append(Word(&rest));
  if (key == "build") {
    entry->builds.push_back({unfixing, mode, without, with});
    return "";
  }
  GeneralProgram program{unfixing, without, with, {}};
  while (!rest.empty()) program.options.emplace_back(Word(&rest));
  (key == "explore" ? entry->explored : entry->stormed).push_back(std::move(program));
  return "";
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
  const std::vector<std::string> facts = {"commit", "subject", "date",   "issue",
                                          "procs",  "cases",   "timeout"};
  const std::vector<std::string> expectations = {"outcome", "status", "shows", "count", "procs"};
  Bug bug;
  bug.name = name;
  int number = 0;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = Trim(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
    number++;
    if (line.empty() || line.front() == '#') continue;
    std::string wrong;
    if (line.front() == '[') {
      wrong = BeginSection(&bug, line);
    } else {
      std::string_view value = line;
      const std::string_view key = Word(&value);
      const auto& known = bug.sections.empty() ? facts : expectations;
      if (std::find(known.begin(), known.end(), key) == known.end())
        wrong = "unknown key \"" + std::string(key) + "\"" + DidYouMean(key, known);
      else if (value.empty())
        wrong = std::string(key) + " has no value";
      else
        wrong = bug.sections.empty() ? SetFact(&bug, key, value)
                                     : SetExpectation(&bug.sections.back(), key, value);
    }
    if (!wrong.empty()) return "line " + std::to_string(number) + ": " + wrong;
  }
  std::string wrong = Incomplete(bug);
  if (!wrong.empty()) return wrong;
  return bug;
}

std::vector<std::string> Bug::Unfixings() const {
  std::vector<std::string> names;
  for (const Section& s : sections)
    if (!s.with && !s.unfixing.empty() &&
        std::find(names.begin(), names.end(), s.unfixing) == names.end())
      names.push_back(s.unfixing);
  if (names.empty()) names.emplace_back();
  return names;
}

const Expectation& Bug::Expected(bool with, const std::string& unfixing,
                                 const std::string& mode) const {
  return FindSection(sections, with, unfixing, mode)->expectation;
}

const std::vector<int>& Bug::Procs(const std::string& unfixing, const std::string& mode) const {
  const Section* section = FindSection(sections, false, unfixing, mode);
  return section == nullptr || section->procs.empty() ? procs : section->procs;
}

std::string FullName(const Bug& bug, const std::string& unfixing) {
  return unfixing.empty() ? bug.name : bug.name + "/" + unfixing;
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
    const std::string_view fullName = Word(&rest);
    const std::string name(fullName.substr(0, fullName.find('/')));
    if (key == "bug") {
      const std::string file = root + std::string(rest);
      std::string content;
      if (!ReadFile(file, &content)) return "cannot read " + file;
      auto parsed = ParseBug(name, content);
      if (const auto* wrong = std::get_if<std::string>(&parsed)) return file + ": " + *wrong;
      history.entries.push_back({std::move(std::get<Bug>(parsed)), {}, {}, {}});
    } else if ((key == "build" || key == "explore" || key == "storm") && !history.entries.empty() &&
               history.entries.back().bug.name == name) {
      if (const std::string wrong = AddProgram(root, key, fullName, rest, &history.entries.back());
          !wrong.empty())
        return wrong;
    } else if (!key.empty()) {
      return index + ": cannot read the line: " + line;
    }
  }
  return history;
}

}  // namespace gort::chaos
