// Switching stacks, finding the current g, and the small things written in assembly.
// Ports stubs.go and the switching part of asm_amd64.s (implemented in asm_amd64.S).
//
// Invariants:
//  - getg() is one volatile load from this thread's TLS, every time: a compiler-cached thread-local
//    address would be wrong as soon as the goroutine runs on another M.
//  - %fs:112 equals getg()->stackguard0, but for a preemption request that has not been noticed and
//    for host threads, where it is 0 («always enough»). Every switch in asm_amd64.S writes both.
//  - g0's stack is never moved, nor is anything preempted on it.
#pragma once

#include <type_traits>

#include "runtime2.h"

namespace gort::runtime {

// The current g; null on a thread that the runtime does not know.
GORT_INLINE g* getg() {
  g* gp;
  asm volatile("movq %%fs:gort_tls_g@tpoff, %0" : "=r"(gp));
  return gp;
}
GORT_INLINE void setg(g* gp) {
  asm volatile("movq %0, %%fs:gort_tls_g@tpoff" : : "r"(gp) : "memory");
}

// This thread's copy of the stack limit, compared by every prologue.
GORT_INLINE void setstackguard(uintptr v) { asm volatile("movq %0, %%fs:112" : : "r"(v)); }
GORT_INLINE uintptr stackguardslotaddr() {
  uintptr tcb;
  asm volatile("movq %%fs:0, %0" : "=r"(tcb));
  return tcb + 112;
}

// pc that the current function returns to, and the stack pointer just above that return address.
// The function must keep a frame pointer (all of ours do) and not be inlined.
#define getcallerpc() (reinterpret_cast<::gort::runtime::uintptr>(__builtin_return_address(0)))
#define getcallersp() (reinterpret_cast<::gort::runtime::uintptr>(__builtin_frame_address(0)) + 16)
#define getcallerbp() (*reinterpret_cast<::gort::runtime::uintptr*>(__builtin_frame_address(0)))

extern "C" {
// Switches from the current goroutine to m.g0 and calls fn(gp) there; gp continues after this call
// when somebody executes it again. fn must not return.
void gort_mcall(void (*fn)(g*));
// Continues the goroutine that buf belongs to. Runs on g0.
[[noreturn]] void gort_gogo(g* gp);
// Calls fn(arg) on the g0 stack of this M and returns; directly, when already on a system stack.
void gort_systemstack(void (*fn)(void*), void* arg);
// Records the place as the base of the current g0 stack and calls fn, which does not return.
void gort_startg0(void (*fn)());
// Makes the call of gort_startg0 on this thread return, from anywhere deeper on the g0 stack.
[[noreturn]] void gort_g0return();
// Calls fn on the given stack, which nobody else uses; fn must not return.
[[noreturn]] void gort_switchto(uintptr sp, void (*fn)());
// First code of every goroutine; its name is what tracebacks end with.
void gort_gostart();
// Pauses the processor cycles times.
void gort_procyield(std::uint32_t cycles);
}

GORT_INLINE void mcall(void (*fn)(g*)) { gort_mcall(fn); }
[[noreturn]] GORT_INLINE void gogo(g* gp) { gort_gogo(gp); }
GORT_INLINE void procyield(std::uint32_t cycles) {
  if (explore::on())
    explore::ask(explore::Kind::kPause);
  else
    gort_procyield(cycles);
}

// Runs f on the system stack. References to the caller's locals are good inside f: the caller's
// stack does not move while its g is running on g0.
template <class F>
GORT_INLINE void systemstack(F&& f) {
  using Fn = std::remove_reference_t<F>;
  gort_systemstack([](void* p) { (*static_cast<Fn*>(p))(); },
                   const_cast<void*>(static_cast<const void*>(&f)));
}

// Keeps the current goroutine on its M until releasem. Nests.
GORT_INLINE m* acquirem() {
  m* mp = getg()->m;
  mp->locks++;
  return mp;
}
void releasem(m* mp);

// Uniform pseudo-random numbers from the M's own generator.
std::uint32_t fastrand();
std::uint32_t fastrandn(std::uint32_t n);  // in [0, n)
std::uint64_t fastrand64();

// Copies and clears that never ask for a large stack (memmove_amd64.S).
extern "C" {
void* gort_memmove(void* dst, const void* src, std::size_t n);
void gort_memclr(void* p, std::size_t n);
}
GORT_INLINE void memmove(void* dst, const void* src, uintptr n) { gort_memmove(dst, src, n); }
GORT_INLINE void memclrNoHeapPointers(void* p, uintptr n) { gort_memclr(p, n); }

}  // namespace gort::runtime
