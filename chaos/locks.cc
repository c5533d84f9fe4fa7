// The part of locks.h that needs the locks themselves.
#include "chaos/locks.h"

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <string>

#include "runtime/chan.h"
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

unsigned long long Address(const void* p) { return reinterpret_cast<std::uintptr_t>(p); }

}  // namespace

runtime::mutex* LockByName(std::string_view name) {
  for (const NamedLock& known : kLocks)
    if (name == known.name) return known.lock;
  return nullptr;
}

void WriteLockName(const runtime::mutex* l, char* to, std::size_t size) {
  for (const NamedLock& known : kLocks)
    if (l == known.lock) return void(std::snprintf(to, size, "%s", known.name));
  for (int i = 0; i < runtime::allp.len; i++)
    if (l == &runtime::allp[i]->timersLock)
      return void(std::snprintf(to, size, "timersLock of P%d", i));
  for (runtime::m* mp = runtime::allm; mp != nullptr; mp = mp->alllink)
    if (l == &mp->mFixup.lock)
      return void(std::snprintf(to, size, "mFixup.lock of M%lld", static_cast<long long>(mp->id)));
  if (l->rank == runtime::lockRankHchan) {
    std::snprintf(to, size, "lock of channel 0x%llx", Address(l) - offsetof(runtime::hchan, lock));
  } else if (l->rank == runtime::lockRankUnknown) {
    std::snprintf(to, size, "the lock at 0x%llx", Address(l));
  } else {
    std::snprintf(to, size, "%s lock at 0x%llx", runtime::lockRankString(l->rank), Address(l));
  }
}

std::string NameOfLock(const runtime::mutex* l) {
  char name[kLockNameSize];
  WriteLockName(l, name, sizeof name);
  return name;
}

}  // namespace gort::chaos
