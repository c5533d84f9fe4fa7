#include "tests/rules/library.h"

#include "tests/rules/fake.h"

namespace library {

bool Instrumented() {
#if __has_feature(thread_sanitizer)
  return true;
#else
  return false;
#endif
}

bool Checked() { return fake::kChecked; }

}  // namespace library
