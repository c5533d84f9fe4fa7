// Runs for tests of the report page.
#pragma once

#include <doctest/doctest.h>

#include <cstdlib>
#include <string>
#include <variant>

#include "chaos/events.h"

namespace gort::chaos {

inline std::string TestFile(const std::string& name) { return "chaos/testdata/" + name; }

// Scratch is the folder that the test may write to.
inline std::string Scratch() { return std::getenv("TEST_TMPDIR"); }

inline Run ReadTestFile(const std::string& name) {
  auto read = ReadEvents(TestFile(name));
  if (const auto* problem = std::get_if<std::string>(&read)) {
    FAIL_CHECK(*problem);
    return {};
  }
  return std::get<Run>(std::move(read));
}

inline constexpr char kHeader[] =
    "{\"gort_events\":1,\"program\":\"p\",\"seed\":\"1\",\"strategy\":\"random\",\"procs\":1}\n";
inline constexpr char kTwoThreads[] =
    "{\"e\":\"thread\",\"step\":0,\"t\":0,\"name\":\"M0\"}\n"
    "{\"e\":\"thread\",\"step\":0,\"t\":1,\"name\":\"M1\"}\n";
inline constexpr char kEnd[] =
    "{\"e\":\"end\",\"step\":50,\"now\":9,\"outcome\":\"deadlock\",\"detail\":\"all wait\"}\n";

// Events between a header with two threads and an end.
inline Run ParseTestEvents(const std::string& events) {
  auto read = ParseEvents(std::string(kHeader) + kTwoThreads + events + kEnd, "test");
  if (const auto* problem = std::get_if<std::string>(&read)) {
    FAIL_CHECK(*problem);
    return {};
  }
  return std::get<Run>(std::move(read));
}

}  // namespace gort::chaos
