// Goroutine stacks: allocation, growth by copying, shrinking. Ports stack.go.
#pragma once

#include "runtime1.h"
#include "runtime2.h"

namespace gort::runtime {

// Below every guard the TSan build keeps this much for the sanitizer's own frames (its functions
// have no stack check); the plain build needs none.
inline constexpr uintptr stackSystem = raceenabled ? 128 << 10 : 0;
inline constexpr uintptr stackMin = 2048;  // bytes of usable stack that a goroutine starts with
constexpr uintptr roundToPow2(uintptr n) {
  uintptr r = 1;
  while (r < n) r <<= 1;
  return r;
}
inline constexpr uintptr fixedStack = roundToPow2(stackMin + stackSystem);
inline constexpr uintptr stackNosplit = 800;
inline constexpr uintptr stackSmall = 128;
// The guard lies this many bytes above the bottom.
inline constexpr uintptr stackGuard = stackNosplit + stackSystem + stackSmall;

// Values of g.stackguard0 larger than any address: every check fails and newstack looks why.
inline constexpr uintptr stackPreempt = ~uintptr(0) & uintptr(-1314);
inline constexpr uintptr stackFork = ~uintptr(0) & uintptr(-1234);
inline constexpr uintptr stackForceMove = ~uintptr(0) & uintptr(-275);

// g.stackguard0 as long as nobody asks for anything. GODEBUG=stackmoveall=1 asks all the time.
GORT_INLINE uintptr unaskedguard(const g* gp) {
  if (GORT_UNLIKELY(dbg.stackmoveall > 0) && !gp->pinned) return stackForceMove;
  return gp->stack.lo + stackGuard;
}

inline constexpr uintptr _StackCacheSize = explore::capacity<uintptr>(32 << 10, 8 << 10);

extern std::uint32_t startingStackSize;
// Limit of one stack, in bytes; 1 GiB unless runtime::debug::SetMaxStack changed it.
extern atomic::Racy<uintptr> maxstacksize;
extern uintptr maxstackceiling;

// A stack's colour is its top modulo stackColors. It stays when the stack moves, so every distance
// is a multiple of 64 KiB: data of one or two bytes that were written over a part of an old address
// look like an address, but adjusting them does not change them.
inline constexpr uintptr stackColors = 64 << 10;
inline constexpr uintptr anyColor = ~uintptr(0);
constexpr uintptr colorOf(uintptr top) { return top % stackColors; }

void stackinit();
// n: a power of two; color: of the stack that the new one replaces. Both run on g0.
struct stack stackalloc(std::uint32_t n, uintptr color = anyColor);
void stackfree(struct stack stk);
void stackcache_clear(struct mcache* c);
// Gives back the spans of which all stacks are free; after a cycle, on g0.
void freeStackSpans();
// Moves gp's stack to a new one of newsize bytes. gp is _Gcopystack (its own growth) or held by its
// _Gscan bit.
void copystack(g* gp, uintptr newsize);
// Halves gp's stack if it uses less than a quarter. gp held by its _Gscan bit, or the caller is
// gp's own M on g0.
void shrinkstack(g* gp);
bool isShrinkStackSafe(g* gp);
std::int32_t round2(std::int32_t x);

// A stack that was freed under GODEBUG=stackfaultonfree=1, and the goroutine that freed it.
struct freedStack {
  struct stack stk;
  std::uint64_t goid;
};
bool findFreedStack(uintptr addr, freedStack* out);

// Throws when [p, p+n) holds an address inside the running goroutine's stack: such a closure would
// point into a stack that moves. Part of every go statement.
void checkclosure(const void* p, uintptr n);

}  // namespace gort::runtime
