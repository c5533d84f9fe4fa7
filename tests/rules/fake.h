// Stands for the runtime in the tests of the build rules, so that they fail for the rules' sake
// only.
#pragma once

namespace fake {

// Instrumented tells whether fake.cc was compiled under ThreadSanitizer.
bool Instrumented();

// Definitions that the runtime is compiled with and hands to whatever includes it.
#ifdef GORT_TSAN
constexpr bool kTsan = true;
#else
constexpr bool kTsan = false;
#endif
#ifdef GORT_CHECKED
constexpr bool kChecked = true;
#else
constexpr bool kChecked = false;
#endif
#ifdef GORT_POINTS
constexpr bool kPoints = true;
#else
constexpr bool kPoints = false;
#endif

// Changed by unfix.patch: one in a header, one in a source file.
constexpr const char* kHeader = "fixed";
const char* Source();

// AsmTsan is 1 if fake_amd64.S was assembled with GORT_TSAN.
extern "C" const int fakeAsmTsan;

}  // namespace fake
