// What a signal handler sees of a step that the signal has come to; see explore.h.
#pragma once

#include <ucontext.h>

#include "explore.h"

namespace gort::runtime::explore {

#if GORT_EXPLORE

// In a signal handler, before anything else: if the signal has come at the end of a step, regs (of the interrupted
// code, as in ucontext_t) become those of the step's caller, behind the call.
GORT_INLINE void leavestep(greg_t* regs) {
  if (regs[REG_RIP] != reinterpret_cast<greg_t>(gort_explore_killed)) return;
  constexpr int kept[] = {REG_RCX, REG_RDX, REG_RSI, REG_RDI, REG_R11, REG_RAX};
  for (int i = 0; i < 6; i++) regs[kept[i]] = static_cast<greg_t>(gort_explore_kept[i]);
  regs[REG_RIP] = *reinterpret_cast<const greg_t*>(regs[REG_RSP]);
  regs[REG_RSP] += 8;
}

#else

GORT_INLINE void leavestep(greg_t*) {}

#endif

}  // namespace gort::runtime::explore
