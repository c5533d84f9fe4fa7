// Linked into a program that knows nothing of chaos/, this installs what the environment variable
// CHAOS says; without CHAOS it does nothing.

#include <cstdlib>

#include "chaos/script.h"

namespace gort::chaos {

namespace {

struct AtStart {
  AtStart() {
    const char* spec = std::getenv("CHAOS");
    if (spec != nullptr && *spec != 0) Script().Install();
  }
} atStart;

}  // namespace

}  // namespace gort::chaos
