// Machine constants and small helpers that every other file may use.
// Ports internal/goarch, runtime/internal/sys and the constants of internal/abi that the runtime
// needs; linux/amd64 only.
#pragma once

#include <cstddef>
#include <cstdint>

#if !defined(__x86_64__) || !defined(__linux__)
#error "gort runs on Linux, x86-64 only"
#endif

// Forces a helper into its caller. A helper that is a function of its own has a stack check in its
// prologue, and that check is a preemption point: helpers that must not be one carry this.
#define GORT_INLINE inline __attribute__((always_inline))
// Go's //go:nosplit: no stack check, so neither growth nor preemption can happen at entry.
#define GORT_NOSPLIT __attribute__((no_split_stack))
#define GORT_NOINLINE __attribute__((noinline))
// For what runs inside a signal handler: TSan must not see it, its own code cannot be entered from
// there. Such a function takes no lock that the interrupted code may hold, allocates nothing, and
// calls only its like and what is inlined.
#define GORT_SIGNALSAFE __attribute__((disable_sanitizer_instrumentation))
// Its ordinary loads and stores, and those of what is inlined there, are no steps to an explorer (explore.h).
#define GORT_NO_STEPS __attribute__((no_sanitize("coverage"), noinline))
#define GORT_LIKELY(x) __builtin_expect(!!(x), 1)
#define GORT_UNLIKELY(x) __builtin_expect(!!(x), 0)

namespace gort::runtime {

using uintptr = std::uintptr_t;

namespace sys {
inline constexpr uintptr PtrSize = 8;
// Alignment of a stack top and of every distance that a stack is moved by (movaps faults otherwise).
inline constexpr uintptr StackAlign = 16;
inline constexpr uintptr CacheLineSize = 64;
}  // namespace sys

#if GORT_TSAN
inline constexpr bool raceenabled = true;
#else
inline constexpr bool raceenabled = false;
#endif

// Rounds n up to a multiple of a, a power of two.
constexpr uintptr alignUp(uintptr n, uintptr a) { return (n + a - 1) & ~(a - 1); }
constexpr uintptr alignDown(uintptr n, uintptr a) { return n & ~(a - 1); }

// Address arithmetic in bytes.
template <class T = void>
GORT_INLINE T* add(void* p, uintptr n) {
  return reinterpret_cast<T*>(reinterpret_cast<uintptr>(p) + n);
}

}  // namespace gort::runtime
