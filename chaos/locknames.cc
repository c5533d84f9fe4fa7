#include "chaos/locks.h"

namespace gort::chaos {

std::vector<std::string> LockNames() {
  return {
#define X(name, lock) name,
      GORT_LOCKS_TABLE(X)
#undef X
  };
}

bool IsLockName(std::string_view name) {
  for (const std::string& known : LockNames())
    if (name == known) return true;
  return false;
}

}  // namespace gort::chaos
