// Reading traces by Go's own tool, `go tool trace` of Go 1.19. Runs in doctest's process, not in
// scenarios.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tests/harness.h"

namespace gort::test {

// A line of `go tool trace -d`: an event in the order of time, with its arguments.
struct TraceEvent {
  std::string name;  // GoBlockRecv
  int p = 0;
  std::uint64_t g = 0;  // the goroutine that ran when it was written
  std::vector<std::pair<std::string, std::string>> args;
  std::string arg(std::string_view key) const;  // empty when there is none
};

struct Trace {
  std::vector<TraceEvent> events;
  int count(std::string_view name) const;
  // Those of goroutine g, and those that are about it: whose argument g it is.
  int countOf(std::string_view name, std::uint64_t g) const;
  int countAbout(std::string_view name, std::uint64_t g) const;
};

// A name for a new file.
std::string tempFile(const std::string& name);

// Runs /usr/bin/go with the arguments, output to file out or, when that is empty, to the result. Fails
// the test case if there is no Go or if it ends with an error.
std::string runGo(const std::string& args, const std::string& out = "");

Trace readTrace(const std::string& path);
// The text of a profile that `go tool trace -pprof=KIND` makes from the trace: its samples, and the
// functions of the locations that they refer to.
std::string traceProfile(const std::string& path, const std::string& kind);

// Runs body(path) as goroutine 1 for each number of Ps and GORT_REPEAT times, and check(path, output)
// after each; output is what body has printed.
void traceEverywhere(const char* name, void (*body)(const std::string& path),
                     const std::function<void(const std::string&, const std::string&)>& check);

// The number behind «key » in a line of its own in text.
std::uint64_t printed(const std::string& text, const std::string& key);

}  // namespace gort::test
