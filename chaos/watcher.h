// Sees deadlocks among the runtime's locks as they stand, from a thread of its own.
#pragma once

namespace gort::chaos {

// StartWatcher starts the thread. It looks at all Ms every few milliseconds; when it finds threads
// that wait for each other, the same waits at 25 looks one after the other, and those that wait for locks asleep
// in their futexes, it writes its report (waitfor.h) and ends the process with kDeadlockSeen.
void StartWatcher();

// StartThread starts a thread that the runtime does not know, with all signals blocked: the
// program's are not for it. Ends the process if it cannot.
void StartThread(void* (*run)(void*));

// While it exists ThreadSanitizer looks away from its thread: such a one reads other threads' memory as a stranger.
// A thread that ends with one alive is an error of ThreadSanitizer's.
class IgnoredByTsan {
 public:
  IgnoredByTsan();
  ~IgnoredByTsan();
  IgnoredByTsan(const IgnoredByTsan&) = delete;
  IgnoredByTsan& operator=(const IgnoredByTsan&) = delete;
};

}  // namespace gort::chaos
