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
//   [without]                        what a run without the fix must show
//   [with]                           what a run with it must show
//   outcome  deadlock                or: race, fault, throw, signal, exit
//   status   2                       exit status
//   shows    runtime.tracebackothers a text that the evidence or standard error must contain
//   count    20 [chan receive]:      a text that standard error must contain so many times, exactly
//
// Under [without] and [with], outcome is needed, the other three may be missing; shows and count
// may be repeated.
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

struct Bug {
  std::string name;  // the folder in tests/history/
  std::string commit;
  std::string subject;
  std::string date;
  std::string issue;
  std::vector<int> procs;
  int timeoutSeconds = 60;
  Expectation without;
  Expectation with;
};

// ParseBug reads the text of a file `bug`; a mistake in it is said with its line.
std::variant<Bug, std::string> ParseBug(std::string_view name, std::string_view text);

// One build of a bug's scenario, in one mode, with both runtimes.
struct Build {
  std::string mode;
  std::string without;  // path of the program
  std::string with;
};

struct Entry {
  Bug bug;
  std::vector<Build> builds;
};

// The index of all bugs that the build made: lines "bug NAME FILE", "build NAME MODE WITHOUT WITH"
// and "tsan_options VALUE", paths below the root of the runfiles.
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
