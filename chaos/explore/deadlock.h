// What is said of threads that will never run again.
#pragma once

namespace gort::chaos {

// On standard error: the ring of threads and what they wait for, if there is one, as the watcher
// draws it; else what each thread waits for. The explorer has ended: nothing runs any more.
void DescribeDeadlock();
// The same for threads that run for ever: the ring if there is one, else what each thread does.
void DescribeLivelock();
// What waits in run queues and which Ps are idle, and what each thread does.
void DescribeIdle();

}  // namespace gort::chaos
