// Files that the command line names: where they are, and what kind of program they hold.
#pragma once

#include <string>
#include <string_view>

namespace gort::chaos {

// Resolved is the path as the user means it: `bazel run` changes the folder.
std::string Resolved(const std::string& path);

// ProgramPath is the same for a program: a path, never a name that is looked for in PATH.
std::string ProgramPath(const std::string& path);

// FileHas is whether the file has this text somewhere; false also if it cannot be read.
bool FileHas(const std::string& path, std::string_view text);

// WhyNotStormed is why the program cannot be run in storms and fault loops, "" if it can.
std::string WhyNotStormed(const std::string& program);

// WhyNotExplored is why the program cannot be explored, "" if it can.
std::string WhyNotExplored(const std::string& program);

// WhyNotWritten is why no file of this path can be written, "" if one can. A full disk shows only
// later.
std::string WhyNotWritten(const std::string& path);

}  // namespace gort::chaos
