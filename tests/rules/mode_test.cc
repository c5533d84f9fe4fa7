// A gort_test is built in the mode that its name ends in, throughout: the test, the libraries
// below it, the runtime and its assembly; and it is linked by lld.

#include <doctest/doctest.h>

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>

#include "tests/rules/fake.h"
#include "tests/rules/library.h"

namespace {

std::string Env(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

bool EndsWith(const std::string& text, const std::string& end) {
  return text.size() >= end.size() && text.compare(text.size() - end.size(), end.size(), end) == 0;
}

std::string ThisProgram() {
  std::ifstream file("/proc/self/exe", std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

}  // namespace

TEST_CASE("everything is built in the mode that the test's name says") {
  const bool tsan = EndsWith(Env("TEST_TARGET"), "_tsan");
  CHECK((tsan || EndsWith(Env("TEST_TARGET"), "_plain")));
#if __has_feature(thread_sanitizer)
  CHECK(tsan);
#else
  CHECK_FALSE(tsan);
#endif
  CHECK(fake::kTsan == tsan);
  CHECK(fake::Instrumented() == tsan);
  CHECK(library::Instrumented() == tsan);
  CHECK((fake::fakeAsmTsan == 1) == tsan);
}

TEST_CASE("a test is built with the runtime's checks and points") {
  CHECK(fake::kChecked);
  CHECK(fake::kPoints);
  CHECK(library::Checked());
}

TEST_CASE("the test stops at the first report of TSan, with TSan's own status, and may add to it") {
  const std::string options = Env("TSAN_OPTIONS");
  if (fake::kTsan) {
    CHECK(options.find("halt_on_error=1") != std::string::npos);
    CHECK(options.find("exitcode=66") != std::string::npos);
    CHECK(EndsWith(options, ":history_size=2"));
  }
  CHECK(Env("RULES_TEST") == "reached");
}

TEST_CASE("lld of the compiler's version links it") {
  const std::string program = ThisProgram();
  CHECK(program.find("LLD " + std::to_string(__clang_major__) + ".") != std::string::npos);
}
