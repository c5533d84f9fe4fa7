// See runtime.h.
//
// Locks: ticks.lock is held while one thread measures, so that nobody else does.
#include "runtime.h"

#include "lock_futex.h"
#include "os_linux.h"
#include "stubs.h"

namespace gort::runtime {

namespace {
struct {
  mutex lock;
  atomic::Int64 val;  // 0 until measured
} ticks;

// On the system stack, under ticks.lock.
std::int64_t measure() {
  std::int64_t t0 = nanotime();
  std::uint64_t c0 = cputicks();
  usleep(100 * 1000);
  std::int64_t t1 = nanotime();
  std::uint64_t c1 = cputicks();
  if (t1 == t0) t1++;
  auto r =
      static_cast<std::int64_t>(static_cast<double>(c1 - c0) * 1e9 / static_cast<double>(t1 - t0));
  return r > 0 ? r : 1;
}

}  // namespace

std::int64_t tickspersecond() {
  std::int64_t r = ticks.val.Load();
  if (r != 0) return r;
  systemstack([] {
    lock(&ticks.lock);
    if (ticks.val.Load() == 0) ticks.val.Store(measure());
    unlock(&ticks.lock);
  });
  return ticks.val.Load();
}

}  // namespace gort::runtime
