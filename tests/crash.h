// What tests of programs that end badly share.
#pragma once

#include <string>

#include "tests/harness.h"

namespace gort::test {

// The program ends with status 2, having printed start first, on one P and on more.
template <class F>
void crashes(F f, const std::string& start) {
  for (int procs : {1, 4}) {
    Result r = run_go(f, {{"GOMAXPROCS", std::to_string(procs)}});
    CHECK_MESSAGE(r.status == 2, r.str());
    CHECK_MESSAGE(r.err.starts_with(start), r.str());
    CHECK_MESSAGE(!r.has("WARNING: ThreadSanitizer"), r.str());
  }
}

}  // namespace gort::test
