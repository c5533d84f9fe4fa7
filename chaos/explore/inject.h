// What the explorer can make happen at a point, of its own accord.
#pragma once

#include <cstdint>

#include "chaos/points.h"

namespace gort::chaos {

enum class Injection : std::uint8_t {
  kNone,
  // Anywhere:
  kMoveStack,  // the goroutine's next function moves its stack
  kPreempt,  // the goroutine is asked to let others run
  kSignal,  // SIGURG comes to this thread
  // Where an allocation begins:
  kFailAllocation,  // it gives up with «out of memory (injected)», whatever locks are held
  count_
};
inline constexpr std::uint32_t kAnywhere = 3;

const char* InjectionName(Injection injection);

// Makes the runtime's points ask the explorer, after whatever hook there is.
void InstallInjections();

}  // namespace gort::chaos
