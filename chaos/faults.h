// One injected fault, as the environment variable CHAOS_FAULT says it; `chaos faults` sets it.
//
//   fault = kind ":" number ":" ( "once" | "always" )
//
//   throw   the number-th allocation from the collected heap gives up with a throw, whatever
//           locks its thread holds
//   mmap    the number-th request to the system for memory is refused, as by ENOMEM
//
// once: that one; always: that one and each one after it. Counted from the start of the process,
// over all threads. The first firing writes a line that begins with kFaultFired, so that whoever
// counts upwards knows when there is nothing left to fail.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "chaos/points.h"

namespace gort::chaos {

inline constexpr char kFaultFired[] = "chaos: fault fired: ";
inline constexpr char kFaultThrow[] = "out of memory (injected)";

struct Fault {
  enum Kind { kThrow, kMmap };
  Kind kind = kThrow;
  std::int64_t number = 1;
  bool always = false;
};

// ParseFault is nothing for a text that is no fault.
std::optional<Fault> ParseFault(std::string_view text);
std::string ShowFault(const Fault& fault);

}  // namespace gort::chaos
