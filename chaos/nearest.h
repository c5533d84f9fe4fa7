// The nearest of some names to one that was mistyped.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace gort::chaos {

// Nearest returns the candidate with the fewest changes of letters to name, "" if none is near
// enough to be meant (more than a third of the letters differ).
std::string Nearest(std::string_view name, const std::vector<std::string>& candidates);

// DidYouMean is "; did you mean X?" or, when nothing is near, "".
std::string DidYouMean(std::string_view name, const std::vector<std::string>& candidates);

}  // namespace gort::chaos
