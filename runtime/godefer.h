// func, defer, panic and recover for programs.
//
//   void f() {
//     func([&](auto& defer) {
//       defer([&] {
//         if (auto r = recover()) println("recovered", r);
//       });
//       panic("oops");
//     });                       // comes here after the recovery
//   }
//
//   int g() {
//     return func([&](auto& defer) {
//       mu.Lock();
//       defer([&] { mu.Unlock(); });
//       return 7;
//     });
//   }
//
// - func(body) calls body at once and is the scope of its deferred calls. body takes the defer
//   object or nothing. Deferred calls run when body returns, last one first, and when it panics.
// - The value of func is body's. After a recovered panic it is a value-initialised one; for Go's
//   named results, capture a variable by reference and assign it in the deferred call.
// - defer(f) calls f(); defer(f, a, b) copies f, a and b now and calls f(a, b) then;
//   defer(&T::f, &x, a) calls x.f(a). Lambdas may capture variables of the enclosing function by
//   reference: that is safe though stacks move.
// - panic(x) takes any copyable value. recover() returns it as an any (any.h): test it, compare it,
//   as<T>() it.
// - No C++ destructor runs in the frames that a panic or Goexit leaves: what must be undone, defer.
#pragma once

#include <concepts>
#include <tuple>
#include <type_traits>
#include <utility>

#include "any.h"
#include "error.h"
#include "panic.h"
#include "print.h"

namespace gort {

namespace runtime {

// A deferred call with arguments.
template <class F, class... A>
struct deferredcall {
  F f;
  std::tuple<A...> args;
  template <std::size_t... I>
  GORT_INLINE void call(std::index_sequence<I...>) {
    if constexpr (std::is_member_function_pointer_v<F>)
      callmember(std::get<I>(args)...);
    else [[clang::always_inline]]
      (void)f(std::get<I>(args)...);
  }
  // obj is an object or leads to one. (Not std::invoke, which has frames of its own.)
  template <class O, class... B>
  GORT_INLINE void callmember(O& obj, B&... b) {
    if constexpr (requires { (obj.*f)(b...); })
      (void)(obj.*f)(b...);
    else
      (void)((*obj).*f)(b...);
  }
  GORT_INLINE void operator()() { call(std::index_sequence_for<A...>()); }
};

// What a record's fn is: the call of the closure at p. The closure's body is inlined even at -O0, so
// that it has the very frame that gort_calldefer made, and recover knows it.
template <class C>
void rundeferred(void* p) {
  [[clang::always_inline]] (void) (*static_cast<C*>(p))();
}
template <class C>
void destroydeferred(void* p) {
  static_cast<C*>(p)->~C();
}

template <class F, class... A>
void deferframe::operator()(F&& f, A&&... args) {
  using D = std::decay_t<F>;
  if constexpr (sizeof...(A) == 0 && std::is_pointer_v<D>) {
    // The plain function itself is what gort_calldefer calls; it ignores the argument.
    _defer* d = deferproc(this, 0);
    d->fn = reinterpret_cast<void (*)(void*)>(static_cast<D>(f));
  } else {
    constexpr bool hasArgs = sizeof...(A) != 0;
    using C = std::conditional_t<hasArgs, deferredcall<D, std::decay_t<A>...>, D>;
    static_assert(alignof(C) <= 16);
    _defer* d = deferproc(this, sizeof(C));
    if constexpr (hasArgs)
      ::new (d->arg) C{std::forward<F>(f), {std::forward<A>(args)...}};
    else
      ::new (d->arg) C(std::forward<F>(f));
    if constexpr (!std::is_trivially_destructible_v<C>) d->destroy = destroydeferred<C>;
    // A function that is called through a pointer has a frame of its own, one further in.
    d->wrapped = hasArgs && (std::is_pointer_v<D> || std::is_member_pointer_v<D>);
    d->fn = rundeferred<C>;
  }
}

}  // namespace runtime

template <class F>
auto func(F&& body) {
  constexpr bool takesDefer = std::is_invocable_v<F&, runtime::deferframe&>;
  static_assert(takesDefer || std::is_invocable_v<F&>,
                "func takes [&](auto& defer) { ... } or [&] { ... }");
  auto call = [&body](runtime::deferframe& frame) -> decltype(auto) {
    if constexpr (takesDefer)
      return body(frame);
    else
      return body();
  };
  using R = decltype(call(std::declval<runtime::deferframe&>()));
  runtime::deferframe frame;
  if constexpr (std::is_void_v<R>) {
    auto run = [&] { call(frame); };
    runtime::rundeferframe(&frame, [](void* p) { (*static_cast<decltype(run)*>(p))(); }, &run);
  } else {
    std::decay_t<R> result{};
    auto run = [&] { result = call(frame); };
    runtime::rundeferframe(&frame, [](void* p) { (*static_cast<decltype(run)*>(p))(); }, &run);
    return result;
  }
}

template <class T>
[[noreturn]] GORT_INLINE void panic(T&& v) {
  runtime::gopanic(any(std::forward<T>(v)));
}

}  // namespace gort
