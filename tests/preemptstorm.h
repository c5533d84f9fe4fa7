// Preemption by signals without a break, from a thread that is not the runtime's.
#pragma once

#include <pthread.h>

#include <atomic>

#include "tests/harness.h"

namespace gort::test {

// From start to stop every goroutine that has put itself on the list is asked to stop by a signal,
// again and again. Where the signal finds it at a safe point, it goes to the global run queue.
class PreemptStorm {
 public:
  static constexpr int kMax = 16;

  // On goroutine 1. The thread blocks all signals: none of the process's is delivered to it.
  void start();
  // Returns when the thread has ended.
  void stop();
  // The calling goroutine, until leave(slot).
  int enter();
  void leave(int slot);

  // How often a signal has stopped a goroutine in this process; counted by the hook of the runtime's
  // points.
  static int stopped();

 private:
  static void* run(void* self);
  std::atomic<runtime::g*> list_[kMax]{};
  std::atomic<bool> end_{false};
  pthread_t thread_{};
};

}  // namespace gort::test
