// chaos repro: one bug, made to fail by its script, in storms, or by the explorer.
#pragma once

#include <string>
#include <vector>

namespace gort::chaos {

// ReproFromArguments reads the command line behind the word repro and carries it out; returns the
// tool's exit status. argv0 is the tool.
int ReproFromArguments(const std::string& argv0, const std::vector<std::string>& arguments);

}  // namespace gort::chaos
