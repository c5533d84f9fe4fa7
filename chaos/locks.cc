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

std::string Hex(std::uintmax_t n) {
  char text[32];
  std::snprintf(text, sizeof text, "0x%jx", n);
  return text;
}

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
  for (runtime::m* mp = runtime::allm; mp != nullptr; mp = mp->alllink)
    if (l == &mp->mFixup.lock) return "mFixup.lock of M" + std::to_string(mp->id);
  if (l->rank == runtime::lockRankHchan)
    return "lock of channel " +
           Hex(reinterpret_cast<std::uintptr_t>(l) - offsetof(runtime::hchan, lock));
  if (l->rank == runtime::lockRankUnknown)
    return "the lock at " + Hex(reinterpret_cast<std::uintptr_t>(l));
  return std::string(runtime::lockRankString(l->rank)) + " lock at " +
         Hex(reinterpret_cast<std::uintptr_t>(l));
}

}  // namespace gort::chaos
