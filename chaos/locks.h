// Names for the runtime's locks.
#pragma once

#include <string>
#include <string_view>
#include <vector>

// X(name, expression): the locks that there is one of.
#define GORT_LOCKS_TABLE(X)                        \
  X("allglock", runtime::allglock)                 \
  X("allpLock", runtime::allpLock)                 \
  X("deadlock", runtime::deadlock)                 \
  X("debuglock", runtime::debuglock)               \
  X("mheap.lock", runtime::mheap_.lock)            \
  X("paniclk", runtime::paniclk)                   \
  X("sched.deferlock", runtime::sched.deferlock)   \
  X("sched.gFree.lock", runtime::sched.gFree.lock) \
  X("sched.lock", runtime::sched.lock)             \
  X("sched.sudoglock", runtime::sched.sudoglock)   \
  X("sched.sysmonlock", runtime::sched.sysmonlock)

namespace gort::runtime {
struct mutex;
}

namespace gort::chaos {

std::vector<std::string> LockNames();
bool IsLockName(std::string_view name);

// LockByName returns the lock that a name of the table stands for. Only in programs with a runtime.
runtime::mutex* LockByName(std::string_view name);

// NameOfLock is the name in the table; for the lock of a channel, that and the channel's address;
// for others the rank, if they have one, and the address. Only in programs with a runtime.
std::string NameOfLock(const runtime::mutex* l);

// The same without memory of the heap. size: of to; kLockNameSize is enough.
inline constexpr std::size_t kLockNameSize = 96;
void WriteLockName(const runtime::mutex* l, char* to, std::size_t size);

}  // namespace gort::chaos
