// chaos verify: bugs fail without their fixes, and hold with them.
#pragma once

#include <string>
#include <vector>

namespace gort::chaos {

// VerifyFromArguments reads the command line behind the word verify and carries it out; returns the
// tool's exit status. argv0 is the tool.
int VerifyFromArguments(const std::string& argv0, const std::vector<std::string>& arguments);

}  // namespace gort::chaos
