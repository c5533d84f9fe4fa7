// The bugs of tests/history/: what is known of each, and what a run must show.
//
// tests/history/<commit>/bug says it in lines of "key value"; # begins a comment.
//
//   commit   40 hex digits           of the fix, in Go's repository
//   subject  the fix's first line
//   date     of the fix
//   issue    where it was reported
//   procs    1 2 4 8                 values of GOMAXPROCS, one after the other over the runs
//   timeout  60                      seconds after which a run is cut off
//   cases    send receive            arguments for the scenario, one after the other over the runs
//   [without]                        what a run without the fix must show
//   [with]                           what a run with it must show
//   outcome  deadlock                or: race, fault, throw, signal, exit
//   status   2                       exit status
//   shows    runtime.tracebackothers a text that the evidence or standard error must contain
//   count    20 [chan receive]:      a text that standard error must contain so many times, exactly
//   procs    2 4 8                   under [without] only: instead of those at the top
//
// In a section, outcome is needed, the others may be missing; shows and count may be repeated.
//
// A fix that mends several failures has a patch for each, unfix-NAME.patch, and a section for each,
// [without NAME]. Where the modes differ, [without tsan] or [without NAME tsan] is for one of them.
// All of it holds for [with] as well; of several sections that fit a run, the one that says the most
// counts, the name more than the mode.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "chaos/outcome.h"

namespace gort::chaos {

struct Expectation {
  std::string outcome;  // as Outcome::Name
  int status = -1;  // -1: any
  std::vector<std::string> shows;
  std::vector<std::pair<int, std::string>> counts;

  // Check is "" if the run is as expected, else what is wrong with it.
  std::string Check(const Outcome& outcome, const RunResult& run) const;
};

// A section of the file.
struct Section {
  bool with = false;
  std::string unfixing;  // "" for any
  std::string mode;  // "" for any
  std::vector<int> procs;  // empty: the bug's
  Expectation expectation;
};

struct Bug {
  std::string name;  // the folder in tests/history/
  std::string commit;
  std::string subject;
  std::string date;
  std::string issue;
  std::vector<int> procs;
  std::vector<std::string> cases;  // empty: the scenario gets no argument
  int timeoutSeconds = 60;
  std::vector<Section> sections;

  // The ways in which the fix is taken back, in the file's order; one without a name if there are
  // no several.
  std::vector<std::string> Unfixings() const;
  // What a run must show, and with which values of GOMAXPROCS it is made.
  const Expectation& Expected(bool with, const std::string& unfixing,
                              const std::string& mode) const;
  const std::vector<int>& Procs(const std::string& unfixing, const std::string& mode) const;
};

// ParseBug reads the text of a file `bug`; a mistake in it is said with its line.
std::variant<Bug, std::string> ParseBug(std::string_view name, std::string_view text);

// One build of a bug's scenario, in one mode, with the runtime as it is and with one that lacks the
// fix.
struct Build {
  std::string unfixing;
  std::string mode;
  std::string without;  // path of the program
  std::string with;
};

// A general program, which knows nothing of the bug, with the runtime that lacks the fix.
struct GeneralProgram {
  std::string unfixing;
  std::string without;  // path of the program
  std::string with;  // the same with the runtime as it is
  std::vector<std::string> options;  // of chaos explore or chaos storm, with which the bug shows
};

struct Entry {
  Bug bug;
  std::vector<Build> builds;
  std::vector<GeneralProgram> explored;
  std::vector<GeneralProgram> stormed;
};

// How a bug, or one of its unfixings, is called on the command line: BUG or BUG/NAME.
std::string FullName(const Bug& bug, const std::string& unfixing);

// The index of all bugs that the build made, paths below the root of the runfiles:
//
//   tsan_options VALUE
//   bug BUG FILE                              and behind it, where NAME is BUG or BUG/UNFIXING:
//   build NAME MODE WITHOUT WITH
//   explore NAME WITHOUT WITH [OPTION...]
//   storm NAME WITHOUT WITH [OPTION...]
struct History {
  std::vector<Entry> entries;
  std::string tsanOptions;

  std::vector<std::string> Names() const;
  // Find takes a name or its beginning, four characters or more; null if none or several match.
  const Entry* Find(std::string_view name) const;
};

// LoadHistory reads the index and the bugs' files; a problem is said in words.
std::variant<History, std::string> LoadHistory(const std::string& root, const std::string& index);

}  // namespace gort::chaos
