// Runs a program as a child process, with its output caught and an end to its patience.
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace gort::chaos {

struct RunOptions {
  std::vector<std::pair<std::string, std::string>> environment;  // set on top of this process's own
  int timeoutSeconds = 60;
  // When its time is up it is first asked for the stacks of its goroutines, by SIGQUIT.
  bool stacksAtTimeout = false;
  bool echo = false;  // show the child's standard error as it comes
};

// How a child ended. Exactly one of the four ways: not started, cut off, signal, exit status.
struct RunResult {
  bool started = false;
  bool cutOff = false;  // killed when its time was up
  int signal = 0;  // that ended it, 0 for none
  int status = -1;  // exit status, -1 for none
  std::string problem;  // why it was not started
  std::string out;  // standard output and standard error, each up to kMaxOutput bytes
  std::string err;
  double seconds = 0;
};

inline constexpr std::size_t kMaxOutput = 16 << 20;

// Run starts argv[0], which must be a path, and waits for it. No core file is written, and at the
// end of its time the child is killed.
RunResult Run(const std::vector<std::string>& argv, const RunOptions& options);

}  // namespace gort::chaos
