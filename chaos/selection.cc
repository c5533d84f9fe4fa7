#include "chaos/selection.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include "chaos/exit_status.h"
#include "chaos/nearest.h"

namespace gort::chaos {

namespace {

// The directory below which the index and the programs lie, with a slash at the end: this program's
// runfiles, from wherever it is called, or where a test or `bazel run` starts it.
std::string RunfilesRoot(const std::string& argv0, const std::string& index) {
  std::vector<std::string> candidates = {argv0 + ".runfiles/gort/"};
  if (const char* dir = std::getenv("TEST_SRCDIR"))
    candidates.push_back(std::string(dir) + "/gort/");
  candidates.emplace_back("");
  for (const std::string& root : candidates)
    if (access((root + index).c_str(), R_OK) == 0) return root.empty() ? "./" : root;
  return "./";
}

}  // namespace

History OpenHistory(const std::string& argv0) {
  const std::string index = "tests/history/index.txt";
  auto loaded = LoadHistory(RunfilesRoot(argv0, index), index);
  if (const auto* problem = std::get_if<std::string>(&loaded)) {
    std::fprintf(stderr, "chaos: %s\nRun it by ./bazelw run //chaos\n", problem->c_str());
    std::exit(kNothingKnown);
  }
  return std::move(std::get<History>(loaded));
}

std::variant<Selection, std::string> FindBug(const History& history, const std::string& name) {
  const char* list = "\nThe bugs there are: ./bazelw run //chaos -- list";
  const std::size_t slash = name.find('/');
  Selection found{history.Find(std::string_view(name).substr(0, slash)), ""};
  if (found.entry == nullptr)
    return "unknown bug " + name + DidYouMean(name, history.Names()) + list;
  if (slash == std::string::npos) return found;
  found.unfixing = name.substr(slash + 1);
  const std::vector<std::string> known = found.entry->bug.Unfixings();
  if (std::find(known.begin(), known.end(), found.unfixing) == known.end())
    return "unknown bug " + name + DidYouMean(found.unfixing, known) + list;
  return found;
}

}  // namespace gort::chaos
