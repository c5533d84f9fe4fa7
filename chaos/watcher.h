// Sees deadlocks among the runtime's locks as they stand, from a thread of its own.
#pragma once

namespace gort::chaos {

// StartWatcher starts the thread. It looks at all Ms every few milliseconds; when it finds threads
// that wait for each other's locks, all asleep, and none of them has run between two looks, it
// writes its report (waitfor.h) and ends the process with kDeadlockSeen.
void StartWatcher();

}  // namespace gort::chaos
