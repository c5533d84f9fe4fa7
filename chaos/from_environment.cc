// Linked into a program that knows nothing of chaos/, this installs what the environment says
// (listens.h); if it says nothing it does nothing.

#include "chaos/listens.h"
#include "chaos/script.h"

namespace gort::chaos {

namespace {

// The tool looks for it in the file.
__attribute__((used)) const char mark[] = GORT_CHAOS_LISTENS;

struct AtStart {
  AtStart() {
    for (const char* name : {kSpecVariable, kStormVariable, kFaultVariable, kVisitsVariable}) {
      if (Variable(name) == nullptr) continue;
      Script().Install();
      return;
    }
  }
} atStart;

}  // namespace

}  // namespace gort::chaos
