// How the runtime gives up. Ports the throw part of panic.go.
#pragma once

#include "sys.h"

namespace gort::runtime {

// An inconsistency of the runtime itself: prints «fatal error: s», dumps goroutines with the
// runtime's frames, exits with status 2. Cannot be recovered. May be called with any lock held, on
// any stack. (Go's throw; the name is a C++ keyword.)
[[noreturn, clang::nomerge]] void throw_(const char* s);
// The same for a mistake of the user's program that cannot be recovered (a deadlock, an unlock of
// an unlocked mutex): the runtime's own frames are left out of the dump.
[[noreturn, clang::nomerge]] void fatal(const char* s);

// Number of Ms that are in the middle of a fatal panic or throw.
bool panickingNow();

}  // namespace gort::runtime
