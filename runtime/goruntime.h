// Package runtime and runtime/debug for programs. Ports the exported functions of debug.go,
// proc.go, extern.go and mgc.go, and runtime/debug/garbage.go. SetFinalizer is in mfinal.h, MemStats
// and ReadMemStats in mstats.h.
#pragma once

#include <type_traits>
#include <string_view>
#include <utility>

#include "extern.h"
#include "goslice.h"
#include "mfinal.h"
#include "mstats.h"
#include "proc.h"
#include "time.h"

namespace gort::runtime {

// Number of goroutines that exist, the runtime's own left out.
int NumGoroutine();
// Number of processors that this process may use; constant.
int NumCPU();
// The Go release that this runtime is a port of, in the form that Go prints for a development tree.
std::string_view Version();
// Runs a collection and waits until it is complete, sweeping included.
void GC();
// Makes the object that v points to reachable up to here.
template <class T>
inline void KeepAlive(const T& v) {
  asm volatile("" : : "g"(&v) : "memory");
}

// Runs f, which may block in the kernel or in a C library, on this thread's system stack; the P goes
// to other goroutines meanwhile. f must not use channels, locks of package sync or anything else that
// parks. Go's cgocall.
void cgocall(void (*fn)(void*), void* arg);
template <class F>
void cgocall(F&& f) {
  using Fn = std::remove_reference_t<F>;
  if constexpr (std::is_function_v<Fn>)
    cgocall(&f);
  else
    cgocall([](void* p) { (*static_cast<Fn*>(p))(); },
            const_cast<void*>(static_cast<const void*>(&f)));
}

// Threads that the runtime did not make may call cgocallback from now on. It cannot be known then that
// nobody will wake the goroutines that wait: no more deadlock is reported. Call it before the first
// goroutine waits for such a thread.
void ExpectCallbacks();
// Runs fn(arg), or f(), as goroutine code on the calling thread, and returns when it has: from any
// thread. On a goroutine's thread it is a plain call. A Goexit in there is fatal, a panic that nobody
// recovers too.
void cgocallback(void (*fn)(void*), void* arg);
template <class F>
void cgocallback(F&& f) {
  cgocallback([](void* p) { [[clang::noinline]] (*static_cast<std::remove_reference_t<F>*>(p))(); },
              const_cast<void*>(static_cast<const void*>(&f)));
}

namespace debug {
// Limit of one goroutine's stack, in bytes; returns the former one. Beyond it: «stack overflow».
std::int64_t SetMaxStack(std::int64_t bytes);
// Limit of the number of threads; returns the former one. Beyond it: «thread exhaustion».
std::int64_t SetMaxThreads(std::int64_t threads);
// A collection begins when the heap has grown by percent of what the last one left; negative: none.
// Returns the former value. GOGC sets the first one, 100 by default.
int SetGCPercent(int percent);
// Runs a collection and gives as much memory as possible back to the system.
void FreeOSMemory();

// Collections so far. Pause and PauseEnd begin with the latest, and have at most 256.
struct GCStats {
  time::Time LastGC;
  std::int64_t NumGC = 0;
  time::Duration PauseTotal;
  slice<time::Duration> Pause;
  slice<time::Time> PauseEnd;
};
void ReadGCStats(GCStats* stats);
}  // namespace debug

}  // namespace gort::runtime
