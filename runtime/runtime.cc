// See runtime.h.
//
// Locks: ticks.lock is held while one thread measures, so that nobody else does.
#include "runtime.h"

#include "lock_futex.h"
#include "os_linux.h"

namespace gort::runtime {

namespace {
struct {
  mutex lock;
  atomic::Int64 val;  // 0 until measured
} ticks;
}  // namespace

std::int64_t tickspersecond() {
  std::int64_t r = ticks.val.Load();
  if (r != 0) return r;
  lock(&ticks.lock);
  r = ticks.val.Load();
  if (r == 0) {
    std::int64_t t0 = nanotime();
    std::uint64_t c0 = cputicks();
    usleep(100 * 1000);
    std::int64_t t1 = nanotime();
    std::uint64_t c1 = cputicks();
    if (t1 == t0) t1++;
    r = static_cast<std::int64_t>(static_cast<double>(c1 - c0) * 1e9 /
                                  static_cast<double>(t1 - t0));
    if (r <= 0) r = 1;
    ticks.val.Store(r);
  }
  unlock(&ticks.lock);
  return r;
}

}  // namespace gort::runtime
