// Needs a runtime with points. Without them, as a library on its own, it is empty.
#if GORT_POINTS
#include "tests/preemptstorm.h"

#include <signal.h>

#include "runtime/signal_unix.h"

namespace gort::test {

namespace {

std::atomic<int> nstopped{0};

// Before any runtime boots, as the hook asks for.
[[maybe_unused]] const bool hooked = [] {
  runtime::pointHook = [](runtime::Point p) {
    if (p == runtime::Point::asyncpreempt_stopped) nstopped.fetch_add(1, std::memory_order_relaxed);
  };
  return true;
}();

}  // namespace

void* PreemptStorm::run(void* p) {
  auto* self = static_cast<PreemptStorm*>(p);
  while (!self->end_.load(std::memory_order_relaxed)) {
    for (auto& slot : self->list_) {
      runtime::g* gp = slot.load(std::memory_order_acquire);
      if (gp == nullptr) continue;
      runtime::m* mp = gp->m;
      // It does not run now, or the last signal has not come yet.
      if (mp == nullptr || mp->signalPending.Load() != 0) continue;
      gp->preempt = true;
      runtime::preemptM(mp);
    }
    runtime::procyield(30);
  }
  return nullptr;
}

void PreemptStorm::start() {
  end_ = false;
  sigset_t all, old;
  sigfillset(&all);
  runtime::cgocall([&] {
    pthread_sigmask(SIG_SETMASK, &all, &old);
    if (pthread_create(&thread_, nullptr, run, this) != 0) std::abort();
    pthread_sigmask(SIG_SETMASK, &old, nullptr);
  });
}

void PreemptStorm::stop() {
  end_ = true;
  runtime::cgocall([&] { pthread_join(thread_, nullptr); });
}

int PreemptStorm::enter() {
  runtime::g* gp = runtime::getg();
  for (int i = 0; i < kMax; i++) {
    runtime::g* none = nullptr;
    if (list_[i].compare_exchange_strong(none, gp)) return i;
  }
  std::abort();
}

void PreemptStorm::leave(int slot) { list_[slot].store(nullptr); }

int PreemptStorm::stopped() { return nstopped.load(std::memory_order_relaxed); }

}  // namespace gort::test
#endif
