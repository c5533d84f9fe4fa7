// Threads that the runtime has not made.
#pragma once

#include <pthread.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>

#include "tests/harness.h"

namespace gort::test {

// Runs f on a thread of its own; join, from anywhere, waits for its end. f lives as long as this.
template <class F>
class HostThread {
 public:
  explicit HostThread(F f) : f_(f) {
    onSystemStack([this] {
      if (pthread_create(&thread_, nullptr, run, this) != 0) std::abort();
    });
    while (tid_ == 0) {
    }
  }
  HostThread(const HostThread&) = delete;
  HostThread& operator=(const HostThread&) = delete;
  long tid() const { return tid_; }
  void join() {
    onSystemStack([this] { pthread_join(thread_, nullptr); });
  }

 private:
  // The C library's functions need more stack than goroutines have; and before Main there are none.
  template <class G>
  static void onSystemStack(G g) {
    if (runtime::getg() == nullptr)
      g();
    else
      runtime::cgocall(g);
  }
  static void* run(void* p) {
    auto* self = static_cast<HostThread*>(p);
    self->tid_ = ::gettid();
    self->f_();
    return nullptr;
  }
  F f_;
  std::atomic<long> tid_{0};
  pthread_t thread_{};
};

}  // namespace gort::test
