// Test scenarios in processes of their own.
//
// A runtime boots once in a process, and much of what is to be tested ends the process (deadlocks,
// fatal errors, unrecovered panics). So each scenario runs in a child that is forked from doctest's
// process, which has one thread and no runtime. The child's output and exit status are the result.
//
//   GORT_TEST("unbuffered hand-over") {          // body: goroutine 1 of a fresh runtime
//     auto c = make_chan<int>();
//     go([c] { c.send(1); });
//     CHECK_GO(c.recv() == 1);
//   }
//
// runs the body with GOMAXPROCS 1, 2, 4 and 8; each run has to end with status 0 and without a
// report of TSan. GORT_REPEAT=N in the environment runs each N times.
//
//   TEST_CASE("deadlock") {
//     Result r = run_go([] { make_chan<int>().recv(); });
//     CHECK(r.status == 2);
//     CHECK(r.err.find("deadlock") != std::string::npos);
//   }
//
// There is no time-out that a passing run depends on. A child that does not end within kHang is
// killed with SIGABRT and reported as hung.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <type_traits>

#include <doctest/doctest.h>

#include "runtime/go.h"

namespace gort::test {

struct Result {
  int status = -1;  // exit status, -1 if a signal ended the child
  int signal = 0;  // that signal
  bool hung = false;  // the child was killed because it did not end
  std::string out;  // standard output
  std::string err;  // standard error: Go's print, panics and dumps
  bool has(const std::string& text) const { return err.find(text) != std::string::npos; }
  // All of it, for messages.
  std::string str() const;
};

using Env = std::map<std::string, std::string>;

// Runs body on the main thread of a forked child, with env added to the environment, and waits.
Result run_child(const std::function<void()>& body, const Env& env = {});

// Runs f as goroutine 1 of a new runtime in a child.
template <class F>
Result run_go(F f, const Env& env = {}) {
  return run_child([&] { Main(0, nullptr, f); }, env);
}

// The numbers of Ps that everything is tested with.
inline constexpr int kProcs[] = {1, 2, 4, 8};

// Runs f in a child for each of kProcs, GORT_REPEAT times, and fails the test case unless every one
// ends with status 0.
void run_everywhere(const char* name, void (*f)(), const Env& env = {});

// The text of the runtime error that f panics with, empty if it does not. For use in a scenario.
template <class F>
std::string panicText(F f) {
  std::string text;
  func([&](auto& defer) {
    defer([&] {
      if (any r = recover()) text = r.Error();
    });
    f();
  });
  return text;
}

// In a scenario: reports the place and ends the process with status 1 unless ok.
[[noreturn]] void check_failed(const char* file, int line, const char* text);

}  // namespace gort::test

#define CHECK_GO(...)                                                                 \
  do {                                                                                \
    if (!(__VA_ARGS__)) ::gort::test::check_failed(__FILE__, __LINE__, #__VA_ARGS__); \
  } while (0)

#define GORT_TEST_CAT2(a, b) a##b
#define GORT_TEST_CAT(a, b) GORT_TEST_CAT2(a, b)
#define GORT_TEST_IMPL(fn, name, ...)                                        \
  static void fn();                                                          \
  TEST_CASE(name) { ::gort::test::run_everywhere(name, fn, ##__VA_ARGS__); } \
  static void fn()
// GORT_TEST("name") { body }, or GORT_TEST("name", Env{{"GODEBUG", "..."}}) { body }.
#define GORT_TEST(name, ...) \
  GORT_TEST_IMPL(GORT_TEST_CAT(gort_test_fn_, __LINE__), name, ##__VA_ARGS__)
