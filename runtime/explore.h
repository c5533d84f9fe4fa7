// Scheduling points: what a build of mode "explore" asks before it does anything that another thread
// could see.
//
// In such a build an explorer (chaos/explore) may own the interleaving. Then exactly one thread runs
// at a time, the one that has the turn. Each atomic operation is a step, and if the explorer wants it
// each ordinary load and store too; sleeping, waking, clocks, random numbers, new threads and signals
// are requests to the explorer, which does in their stead what the kernel would. In every other build,
// and while there is no explorer, nothing of this exists.
//
// Invariants:
//  - What a thread does before kThreadStart and after kThreadExit is no step, nor what its maker does
//    between kNewThread and its existence (GORT_NO_STEPS).
//  - A step comes before the operation: who loses the turn there has not done it yet.
//  - gort_explore_budget counts down to the next step at which the explorer wants to be asked. Only
//    the thread that has the turn runs, so it is a plain number; one instruction of assembly counts.
//  - gort_explore_fuel counts ordinary loads and stores down, from the last step or request on, whether they
//    are steps or not. When it is spent the explorer is asked: a loop without steps loses the turn at last.
//  - The explorer may want to be asked at the steps of some sites, too: a site is where a step is called
//    from, and is known by a hash of its address. Addresses are the same in all processes of a program that
//    is explored.
//  - The explorer runs on a stack of its own for each thread, with g and its limits as they are. It is
//    host code: it calls nothing of the runtime.
//  - A request is made from any stack, with any locks held, also in signal handlers.
//  - A signal comes to a thread inside of a request or a step: the handler finds the explorer interrupted, and no
//    goroutine. But one that asks for preemption comes where a step returns to (explore_signal.h): the handler finds
//    the goroutine there, with its registers.
//  - The compiler puts a call (of what explore_amd64.S has for it) before each ordinary load and store of
//    goroutine code (EXPLORE_COPTS in tools/bazel/flags.bzl), in its last pass: what is not in memory
//    then, or near the stack pointer, is not seen. What a lock should protect, and does not, is found by
//    that.
//  - A thread that the explorer does not know (of a library, of the watcher of chaos/) makes none.
#pragma once

#include "sys.h"

namespace gort::runtime::explore {

enum class Kind : std::uint8_t {
  // Steps. addr: the word, a: the site.
  kLoad,
  kStore,
  kSwap,
  kAdd,
  kCas,
  kRead,  // ordinary ones; the assembly knows these two numbers
  kWrite,
  // Requests.
  kYield,  // osyield
  kPause,  // procyield
  kFutexSleep,  // addr, a: expected value, b: ns or -1
  kFutexWake,  // addr, a: at most so many
  kSleep,  // a: ns
  kNanotime,  // result: ns
  kWalltime,  // result: ns since 1970
  kRandom,  // addr: where to, a: bytes
  kNewThread,  // addr: m; result: the explorer's stack for it. Before the thread is made
  kNoThread,  // addr: m, whose thread could not be made after all. Before the next step
  kThreadStart,  // in the new thread, on that stack; returns when it has the turn
  kThreadExit,  // the calling thread runs no more of the runtime
  kSignalThread,  // addr: m, a: signal
  kSignalProcess,  // a: signal
  kPoint,  // a named point, number b; result: the injection that is to happen there, or 0
  kLocked,  // addr: a lock that the calling thread has just taken
  kUnlocked,  // addr: a lock that it is about to give back
  kDaemon,  // the calling thread alone does not keep the program alive (sysmon)
  count_
};

struct Request {
  Kind kind;
  const volatile void* addr;
  std::int64_t a;
  std::int64_t b;
  std::int64_t result;
};

#if GORT_EXPLORE

extern "C" {
// Steps until the explorer is asked again.
extern std::int64_t gort_explore_budget;
// Ordinary loads and stores until the explorer takes the thread for one that spins; kFuel at each step.
extern std::int64_t gort_explore_fuel;
// The explorer; null while nothing is explored.
extern void (*gort_explorer)(Request*);
// The top of the explorer's stack for this thread; null for a thread that it does not know.
extern __thread void* gort_explore_stack __attribute__((tls_model("initial-exec")));
// What an ordinary load or store counts: 1, or 0 if it is no step.
extern std::int64_t gort_explore_memory;
// The sites at whose steps the explorer is asked: those whose hash, under the mask, is one of these; of atomic
// operations and of ordinary loads and stores. kNoSite: at none.
extern std::uint32_t gort_explore_sitemask;
// Of SiteHash, odd. Another one in each run: two sites that one run takes for the same the next one tells apart.
extern std::uint32_t gort_explore_sitefactor;
extern std::uint32_t gort_explore_site;
extern std::uint32_t gort_explore_memorysite;
// It is asked for that reason.
extern bool gort_explore_arrived;
// The step that is being made is to end with this system call, tgkill(pid, tid, sig), unless sig is 0. The next
// instruction is at gort_explore_killed, and the registers that it would restore, rcx, rdx, rsi, rdi, r11 and
// rax, are in gort_explore_kept.
extern std::int32_t gort_explore_kill[3];
extern const char gort_explore_killed[];
extern __thread std::uint64_t gort_explore_kept[6] __attribute__((tls_model("initial-exec")));
// The explorer wants to know of locks.
extern bool gort_explore_locks;
// Calls gort_explorer on that stack.
void gort_explore_call(Request* r);
// One step: the explorer is asked if the budget is spent.
void gort_explore_step(Kind kind, const volatile void* addr);
// kLocked or kUnlocked, if the explorer wants to know of locks. As a step, it leaves no trace.
void gort_explore_lock(Kind kind, const void* lock);
}

inline constexpr std::int64_t kFuel = 1 << 14;  // explore_amd64.S has it as well
inline constexpr std::uint32_t kNoSite = ~std::uint32_t(0);
// The hash of a site at `address`; 16 bits. explore_amd64.S has it as well.
inline std::uint32_t SiteHash(std::uintptr_t address) {
  return static_cast<std::uint32_t>(address) * gort_explore_sitefactor >> 16;
}

// Called at the beginning of Main when not null. It may fork, and returns in each process that is to
// run the program.
extern void (*beforeMain)();

GORT_INLINE void step(Kind kind, const volatile void* addr) { gort_explore_step(kind, addr); }

// The most processors that the program is told of.
inline constexpr std::int32_t processors = 4;

// A capacity: the usual one, or the small one where programs are explored. They end soon, and come that
// way to what is full, or used up, as often as programs that run for days.
template <class T>
constexpr T capacity(T, T small) {
  return small;
}

// Whether the calling thread is explored.
GORT_INLINE bool on() { return gort_explorer != nullptr && gort_explore_stack != nullptr; }

GORT_INLINE std::int64_t ask(Kind kind, const volatile void* addr = nullptr, std::int64_t a = 0,
                             std::int64_t b = 0) {
  Request r{kind, addr, a, b, 0};
  gort_explore_call(&r);
  return r.result;
}

// Before the thread of mp is made.
template <class M>
GORT_INLINE void announce(M* mp) {
  mp->explorestack = on() ? reinterpret_cast<void*>(ask(Kind::kNewThread, mp)) : nullptr;
}
// It could not be made.
template <class M>
GORT_INLINE void retract(M* mp) {
  if (on()) ask(Kind::kNoThread, mp);
}
// The first and the last that this thread does.
template <class M>
GORT_INLINE void enter(M* mp) {
  gort_explore_stack = mp->explorestack;
  if (on()) ask(Kind::kThreadStart);
}
GORT_INLINE void leave() {
  if (on()) ask(Kind::kThreadExit);
  gort_explore_stack = nullptr;
}

GORT_INLINE void locked(Kind kind, const void* lock) { gort_explore_lock(kind, lock); }

#else

GORT_INLINE void locked(Kind, const void*) {}
inline constexpr std::int32_t processors = 0;
template <class T>
constexpr T capacity(T usual, T) {
  return usual;
}
template <class M>
GORT_INLINE void announce(M*) {}
template <class M>
GORT_INLINE void retract(M*) {}
template <class M>
GORT_INLINE void enter(M*) {}
GORT_INLINE void leave() {}
GORT_INLINE void step(Kind, const volatile void*) {}
constexpr bool on() { return false; }
GORT_INLINE std::int64_t ask(Kind, const volatile void* = nullptr, std::int64_t = 0,
                             std::int64_t = 0) {
  return 0;
}

#endif

}  // namespace gort::runtime::explore
