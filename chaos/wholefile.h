// Files that are there whole or not at all.
#pragma once

#include <string>

namespace gort::chaos {

// WriteWhole writes a file under a temporary name beside it and gives it its own name only when it
// is whole, so that nobody ever finds half of one; a file that was there before stays until then. It
// returns what went wrong, "" for nothing. What is no regular file (a pipe, /dev/stdout) is written
// to as it stands.
std::string WriteWhole(const std::string& path, const std::string& text);

// Whether the two paths lead to one file, which need not be there yet; no file is "".
bool SameFile(const std::string& a, const std::string& b);

}  // namespace gort::chaos
