// The part of locks.h that needs the locks themselves.
#include "chaos/locks.h"

#include <cstdint>
#include <cstdio>

#include "runtime/malloc.h"
#include "runtime/panic.h"
#include "runtime/print.h"
#include "runtime/proc.h"

namespace gort::chaos {

namespace {

struct NamedLock {
  const char* name;
  runtime::mutex* lock;
};

const NamedLock kLocks[] = {
#define X(name, lock) {name, &lock},
    GORT_LOCKS_TABLE(X)
#undef X
};

}  // namespace

runtime::mutex* LockByName(std::string_view name) {
  for (const NamedLock& known : kLocks)
    if (name == known.name) return known.lock;
  return nullptr;
}

std::string NameOfLock(const runtime::mutex* l) {
  for (const NamedLock& known : kLocks)
    if (l == known.lock) return known.name;
  for (int i = 0; i < runtime::allp.len; i++)
    if (l == &runtime::allp[i]->timersLock) return "timersLock of P" + std::to_string(i);
  char address[32];
  std::snprintf(address, sizeof address, "0x%jx", reinterpret_cast<std::uintmax_t>(l));
#if GORT_CHECKED
  return std::string(runtime::lockRankString(l->rank)) + " lock at " + address;
#else
  return std::string("the lock at ") + address;
#endif
}

}  // namespace gort::chaos
