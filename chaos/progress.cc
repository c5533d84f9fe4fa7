#include "chaos/progress.h"

#include <unistd.h>

#include <chrono>
#include <cstdio>

namespace gort::chaos {

namespace {

constexpr double kLogEvery = 10;  // seconds
constexpr double kTerminalEvery = 0.1;  // a terminal is slower than a short run

}  // namespace

double Now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

ProgressLine::ProgressLine()
    : terminal_(isatty(STDERR_FILENO) != 0), next_(Now() + (terminal_ ? 0 : kLogEvery)) {}

void ProgressLine::Show(const std::string& text) {
  const double now = Now();
  if (now < next_) return;
  next_ = now + (terminal_ ? kTerminalEvery : kLogEvery);
  std::fprintf(stderr, terminal_ ? "\r\033[K%s" : "%s\n", text.c_str());
  std::fflush(stderr);
  shown_ = true;
}

void ProgressLine::Clear() {
  if (terminal_ && shown_) std::fprintf(stderr, "\r\033[K");
  shown_ = false;
}

}  // namespace gort::chaos
