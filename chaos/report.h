// What verify says in the end, for people and for programs.
#pragma once

#include <string>
#include <vector>

#include "chaos/verify.h"

namespace gort::chaos {

// ShowVerdicts is the table, and below it the evidence for each bug; with `details`, the whole of
// it instead of the picture and the last lines.
std::string ShowVerdicts(const std::vector<Verdict>& verdicts, bool details);

std::string VerdictsAsJson(const std::vector<Verdict>& verdicts, int exitStatus);

}  // namespace gort::chaos
