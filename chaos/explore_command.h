// The commands explore, replay, shrink and report. The first three start the program, which does the
// work itself (chaos/explore); report draws what a replay has written.
#pragma once

#include <string>
#include <vector>

namespace gort::chaos {

// ExploreFromArguments reads the command line behind the word `command` and carries it out. Returns
// the tool's exit status, unless the program has taken the process over.
int ExploreFromArguments(const std::string& command, const std::vector<std::string>& arguments);

}  // namespace gort::chaos
