// A gort_library between a test and the runtime.
#pragma once

namespace library {

bool Instrumented();
bool Checked();

}  // namespace library
