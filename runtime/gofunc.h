// What programs use to start: Main, go and go_pinned.
#pragma once

#include <functional>
#include <new>
#include <tuple>
#include <type_traits>
#include <typeinfo>
#include <utility>

#include "proc.h"
#include "stack.h"
#include "type.h"

namespace gort {

namespace runtime {

using mainfn_t = void (*)(void*);
// Boots the runtime on the calling thread and runs fn(arg) on goroutine 1; the process ends with it.
// typeName is typeid's name of what runs there, for tracebacks.
[[noreturn]] void rt0_go(mainfn_t fn, void* arg, const char* typeName);

// A goroutine's function with its arguments, until it runs.
template <class F, class... Args>
struct gocall {
  F f;
  std::tuple<Args...> args;
  GORT_INLINE void run() { run1(std::index_sequence_for<Args...>()); }
  template <std::size_t... I>
  GORT_INLINE void run1(std::index_sequence<I...>) {
    if constexpr (std::is_member_pointer_v<F>)
      std::apply(std::mem_fn(f), std::move(args));
    else
        // Not inlined: tracebacks show the goroutine's function as a frame, as Go's do.
        [[clang::noinline]]
      std::move(f)(std::get<I>(std::move(args))...);
  }
};

// A function pointer that is null, or an empty std::function.
template <class F>
GORT_INLINE bool isNilFunc(const F& f) {
  if constexpr (std::is_pointer_v<F> || std::is_member_pointer_v<F>)
    return f == nullptr;
  else if constexpr (requires { f == nullptr; })
    return f == nullptr;
  else
    return false;
}

// The address that tracebacks and profiles show for a goroutine's function: the function or the
// lambda's body itself where it has one address, else fn, which calls it.
template <class F>
GORT_INLINE uintptr startpcOf(const F& f, void (*fn)(void*)) {
  if constexpr (std::is_pointer_v<F>) {
    return reinterpret_cast<uintptr>(f);
  } else if constexpr (requires { &F::operator(); }) {
    // A pointer to a member that is not virtual begins with its address.
    auto member = &F::operator();
    uintptr pc;
    __builtin_memcpy_inline(&pc, &member, sizeof pc);
    return (pc & 1) == 0 ? pc : reinterpret_cast<uintptr>(fn);
  } else {
    return reinterpret_cast<uintptr>(fn);
  }
}

// First function of a goroutine.
template <class Call>
void runcall(void* p) {
  Call* c = static_cast<Call*>(p);
  c->run();
}
template <class Call>
void runheapcall(void* p) {
  static_cast<Call*>(p)->run();
}
template <class Call>
void freecall(void* p) {
  delete static_cast<Call*>(p);
}

// Captured values up to this many bytes, if they may be copied as bits, travel on the new stack.
inline constexpr std::uint32_t maxStackClosure = 256;

template <class F, class... Args>
GORT_INLINE void newprocOf(bool pinned, uintptr callerpc, F&& f, Args&&... args) {
  using Call = gocall<std::decay_t<F>, std::decay_t<Args>...>;
  newprocargs a{};
  a.pinned = pinned;
  // Not is_trivially_copyable: what holds a ptr, a chan for one, has an assignment of its own.
  if constexpr (bitwise<std::decay_t<F>> && (bitwise<std::decay_t<Args>> && ...) &&
                sizeof(Call) <= maxStackClosure) {
    // Zero first: checkclosure looks at the padding too.
    alignas(Call) unsigned char storage[sizeof(Call)] = {};
    auto* c = new (storage) Call{std::forward<F>(f), {std::forward<Args>(args)...}};
    if (!isNilFunc(c->f)) a.fn = runcall<Call>;
    checkclosure(c, sizeof *c);
    a.closure = c;
    a.size = sizeof *c;
    a.startpc = startpcOf(c->f, a.fn);
    newproc(a, callerpc);
  } else {
    Call* c = new Call{std::forward<F>(f), {std::forward<Args>(args)...}};
    if (!isNilFunc(c->f)) a.fn = runheapcall<Call>;
    checkclosure(c, sizeof *c);
    a.closure = c;
    a.closurefree = freecall<Call>;
    a.startpc = startpcOf(c->f, a.fn);
    newproc(a, callerpc);
  }
}

}  // namespace runtime

// Runs main on goroutine 1 of a new runtime; the process ends with status 0 when it returns, other
// goroutines or not. Call it once, from main. (argc and argv are main's, for symmetry; the runtime
// does not look at them.)
template <class F>
int Main(int argc, char** argv, F&& main) {
  using Fn = std::remove_reference_t<F>;
  if constexpr (std::is_function_v<Fn>) {
    return Main(argc, argv, &main);
  } else {
    runtime::rt0_go([](void* p) { [[clang::noinline]] (*static_cast<Fn*>(p))(); },
                    const_cast<void*>(static_cast<const void*>(&main)), typeid(Fn).name());
  }
}

// Go's go statement: f(args...) on a new goroutine. Arguments and captures are copied now. They may
// not hold addresses of the caller's stack, which moves; a go that does is a fatal error.
template <class F, class... Args>
GORT_NOINLINE void go(F&& f, Args&&... args) {
  runtime::newprocOf(false, getcallerpc(), std::forward<F>(f), std::forward<Args>(args)...);
}

// As go, on a stack of 1 MiB that is never moved, for code that keeps addresses of its own locals
// in memory (std::map, std::list and the like, callbacks of C libraries).
template <class F, class... Args>
GORT_NOINLINE void go_pinned(F&& f, Args&&... args) {
  runtime::newprocOf(true, getcallerpc(), std::forward<F>(f), std::forward<Args>(args)...);
}

}  // namespace gort
