// The part of a storm that runs inside the program: what happens at which points, starvation, and
// signals. docs/chaos.md tells how to use it; chaos/stormknobs.h has the knobs.
//
// Invariants:
//  - What is active in a run is decided before the program begins, by the seed alone, and never
//    changes; what fires is drawn at each visit.
//  - Nothing happens before the program's main begins, after it has returned, or after somebody has
//    begun to die: the dump runs undisturbed.
//  - As with scripts, what happens at a point allocates nothing, takes no lock of the runtime and
//    gives TSan no happens-before edge.
#pragma once

#include "chaos/helper.h"
#include "chaos/stormknobs.h"
#include "runtime/runtime2.h"

namespace gort::chaos {

// InstallStorm makes the knobs those of this process. Before the runtime boots, once.
void InstallStorm(const StormKnobs& knobs);

bool StormInstalled();

// AtStormPoint does what the storm does at p, on a system stack; gp is the goroutine that came to
// the point or, on a system stack, the one that runs on this M, null for none.
void AtStormPoint(Point p, runtime::g* gp);

// StormFails is whether the storm lets a request for memory at p fail.
bool StormFails(Point p);

// What the helper is to be for the storm.
HelperOptions StormHelperOptions();

}  // namespace gort::chaos
