// See explore.h.
#include "explore.h"

#if GORT_EXPLORE

namespace gort::runtime::explore {

extern "C" {
std::int64_t gort_explore_budget = INT64_MAX;
std::int64_t gort_explore_fuel = kFuel;
void (*gort_explorer)(Request*);
std::int64_t gort_explore_memory;
std::uint32_t gort_explore_sitemask;
std::uint32_t gort_explore_sitefactor = 1;
std::uint32_t gort_explore_site = kNoSite;
std::uint32_t gort_explore_memorysite = kNoSite;
bool gort_explore_arrived;
std::int32_t gort_explore_kill[3];
__thread std::uint64_t gort_explore_kept[6] __attribute__((tls_model("initial-exec")));
bool gort_explore_locks;
__thread void* gort_explore_stack __attribute__((tls_model("initial-exec")));
}

void (*beforeMain)();

}  // namespace gort::runtime::explore

#endif
