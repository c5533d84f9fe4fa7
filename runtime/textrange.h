// What kind of code an address is in. Go asks its function tables; here the linker script
// (tools/bazel/goroutine.lds) puts the code of programs' goroutine objects into a section of its own,
// without the inline functions of namespace gort::runtime, which belong to the runtime wherever the
// compiler has put them.
#pragma once

#include "moduledata.h"

extern "C" {
// Null in a program that was linked without the script: then nothing is goroutine code.
extern char __gort_goroutine_text[] __attribute__((weak, visibility("hidden")));
extern char __gort_goroutine_etext[] __attribute__((weak, visibility("hidden")));
// Nothing lies between them in a program without ThreadSanitizer.
extern char __gort_sanitizer_text[] __attribute__((weak, visibility("hidden")));
extern char __gort_sanitizer_etext[] __attribute__((weak, visibility("hidden")));
}

namespace gort::runtime {

// Code of the program that runs on goroutines: compiled with the stack check, and not the runtime's.
GORT_INLINE bool inGoroutineText(uintptr pc) {
  return pc >= addressOf(__gort_goroutine_text) && pc < addressOf(__gort_goroutine_etext);
}
// ThreadSanitizer's own: it may hold locks of its own there.
GORT_INLINE bool inSanitizerText(uintptr pc) {
  return pc >= addressOf(__gort_sanitizer_text) && pc < addressOf(__gort_sanitizer_etext);
}
// Other code that the executable contains: the runtime, and what else is linked statically.
GORT_INLINE bool inRuntimeText(uintptr pc) {
  return pc >= addressOf(__executable_start) && pc < addressOf(etext) && !inGoroutineText(pc);
}

}  // namespace gort::runtime
