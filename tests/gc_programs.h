// Programs that allocate and that find out by themselves when something of theirs was freed, moved or
// changed. Each checks everything that it built; none leaves garbage reachable at its end.
#pragma once

#include "tests/harness.h"

namespace gort::test {

struct GcProgram {
  const char* name;
  void (*run)();
};

// All of them, ending with a null name.
extern const GcProgram kGcPrograms[];

}  // namespace gort::test
