#include "fake.h"

namespace fake {

bool Instrumented() {
#if __has_feature(thread_sanitizer)
  return true;
#else
  return false;
#endif
}

const char* Source() { return "fixed"; }

}  // namespace fake
