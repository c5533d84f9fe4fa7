// See sync_atomic.h. Here, rather than in programs' code, because a signal may stop that between the
// barrier and the change.
#include "sync_atomic.h"

#include "mbarrier.h"
#include "stubs.h"

namespace gort::sync::atomic {

namespace {
GORT_INLINE void barrier(std::atomic<void*>* p, void* v) {
  if (GORT_UNLIKELY(runtime::writeBarrier.enabled))
    runtime::gcWriteBarrier2(p->load(std::memory_order_relaxed), v);
}
}  // namespace

GORT_NOSPLIT void storep(std::atomic<void*>* p, void* v) {
  barrier(p, v);
  p->store(v);
}
GORT_NOSPLIT void* swapp(std::atomic<void*>* p, void* v) {
  barrier(p, v);
  return p->exchange(v);
}
GORT_NOSPLIT bool casp(std::atomic<void*>* p, void* old, void* v) {
  barrier(p, v);
  return p->compare_exchange_strong(old, v);
}

}  // namespace gort::sync::atomic
