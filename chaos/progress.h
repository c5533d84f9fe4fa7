// How far long work is, on standard error.
#pragma once

#include <string>

namespace gort::chaos {

// Seconds since some moment, for measuring.
double Now();

// One line that is written anew on a terminal; in a log, a line every ten seconds.
class ProgressLine {
 public:
  ProgressLine();
  void Show(const std::string& text);
  // Takes the line off the terminal, before something else is written.
  void Clear();

 private:
  const bool terminal_;
  double next_;  // when something is shown again
  bool shown_ = false;
};

}  // namespace gort::chaos
