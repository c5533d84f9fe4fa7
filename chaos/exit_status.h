// What the tool's exit status means.
#pragma once

namespace gort::chaos {

inline constexpr int kHeld = 0;  // what was asked for happened: every run ended as it should
inline constexpr int kFailed = 1;  // it did not
inline constexpr int kWrongUse = 2;  // of the command line, or of a file or program that it names
inline constexpr int kNothingKnown = 3;  // a run could not be made, or was cut off

}  // namespace gort::chaos
