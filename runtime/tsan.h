// ThreadSanitizer and goroutines: every g is a TSan fiber. Plays the part of race.go.
//
// What TSan sees:
//  - A switch g -> g0 -> next g on one M is a happens-before edge (fiber switches synchronise): the
//    runtime hands m- and p-local data over that way. For user data this hides a race between two
//    goroutines that happened to run one after the other on one M; several Ms and the randomised run
//    queues of this build (randomizeScheduler) make up for it.
//  - systemstack does not switch fibers: it is a nested call.
//  - The moving of stacks is not instrumented.
//
// Invariants:
//  - g.racectx is null in plain builds; in TSan builds it is the g's fiber, made with the g and kept
//    with it while dead; g0's is its thread's own.
//  - When a g starts, and when a g0 is left by gogo, the fiber's shadow call stack is put back to
//    empty: those frames are abandoned, not returned from.
#pragma once

#include "runtime2.h"

namespace gort::runtime {

#if GORT_TSAN
void raceinit();  // before the first fiber
// The end of TSan's own variables in the bss at [lo, hi); lo when that cannot be found out. What lies
// before is no root of the collector.
uintptr raceDataEnd(uintptr lo, uintptr hi);
void racethreadinit(g* gp);  // gp is the g0 of the calling thread
void racegostart(g* gp);  // gives gp a fiber, or empties the one it has
uintptr raceShadowPos();  // position in the current fiber's shadow call stack
void raceSetShadowPos(uintptr pos);
// Says that the caller reads or writes user memory that uninstrumented code moves for it.
void raceReadRange(const void* p, uintptr n);
void raceWriteRange(void* p, uintptr n);
extern "C" void __tsan_acquire(void* addr);
extern "C" void __tsan_release(void* addr);
// What was done before any racerelease(addr) comes before what is done after a later
// raceacquire(addr).
GORT_INLINE void raceacquire(void* addr) { __tsan_acquire(addr); }
GORT_INLINE void racerelease(void* addr) { __tsan_release(addr); }
#else
inline void raceinit() {}
inline void racethreadinit(g*) {}
inline void racegostart(g*) {}
inline uintptr raceShadowPos() { return 0; }
inline void raceSetShadowPos(uintptr) {}
inline void raceReadRange(const void*, uintptr) {}
inline void raceWriteRange(void*, uintptr) {}
GORT_INLINE void raceacquire(void*) {}
GORT_INLINE void racerelease(void*) {}
#endif

}  // namespace gort::runtime
