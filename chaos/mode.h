// How a bug is made to fail, and in which build of its scenario: --mode and --build.
#pragma once

#include <string>

#include "chaos/arguments.h"

namespace gort::chaos {

struct Mode {
  std::string mode = "script";  // or "storm", "explore", "all"
  std::string build;  // "plain", "tsan" or "all" of mode "script"; "" if not given

  bool Has(const std::string& one) const { return mode == one || mode == "all"; }
  bool HasBuild(const std::string& one) const {
    return build.empty() || build == "all" || build == one;
  }
};

// ModeFrom reads --mode, which has to be one of `modes`, and --build. `--mode plain` and `--mode
// tsan` stand for --build. A mistake is the arguments' problem.
Mode ModeFrom(Arguments* arguments, const std::vector<std::string>& modes);

// What a mode alone can take.
struct ModeOptions {
  std::string mode;
  std::vector<std::string> options;
};

// CheckOptions makes an option that the mode does not take the arguments' problem. Options of which
// no mode speaks are for all.
void CheckOptions(Arguments* arguments, const Mode& mode, const std::vector<ModeOptions>& modes);

}  // namespace gort::chaos
