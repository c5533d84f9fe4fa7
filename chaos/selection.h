// The bugs that the command line names.
#pragma once

#include <string>
#include <variant>
#include <vector>

#include "chaos/bug.h"

namespace gort::chaos {

// OpenHistory reads the history among the tool's runfiles; where that cannot be done it says so and
// ends the tool.
History OpenHistory(const std::string& argv0);

// What a name on the command line stands for.
struct Selection {
  const Entry* entry = nullptr;
  std::string unfixing;  // "" for all that the bug has

  bool Has(const std::string& one) const { return unfixing.empty() || unfixing == one; }
};

// FindBug is the bug of this name, or a message that there is none.
std::variant<Selection, std::string> FindBug(const History& history, const std::string& name);

}  // namespace gort::chaos
