// See explore.h.
#include "explore.h"

#if GORT_EXPLORE

namespace gort::runtime::explore {

extern "C" {
std::int64_t gort_explore_budget = INT64_MAX;
void (*gort_explorer)(Request*);
bool gort_explore_locks;
__thread void* gort_explore_stack __attribute__((tls_model("initial-exec")));

GORT_SIGNALSAFE GORT_NOSPLIT GORT_NOINLINE void gort_explore_decide(Kind kind,
                                                                    const volatile void* addr) {
  if (!on()) {
    gort_explore_budget = INT64_MAX;
    return;
  }
  ask(kind, addr);
}
}

void (*beforeMain)();

}  // namespace gort::runtime::explore

#endif
