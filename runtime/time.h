// Package time: durations, the clock, sleeping, timers and tickers. Ports time/sleep.go,
// time/tick.go and as much of time/time.go as programs with goroutines use.
#pragma once

#include <compare>
#include <concepts>
#include <cstdint>
#include <new>
#include <string>
#include <type_traits>
#include <utility>

#include "gochan.h"
#include "malloc.h"
#include "os_linux.h"
#include "print.h"
#include "stack.h"
#include "timer.h"

namespace gort::time {

// A length of time in nanoseconds, signed. An integer is a Duration of so many nanoseconds, and
// Durations are closed under arithmetic, as in Go: 3 * time::Second, d / 2, a % b.
class Duration {
 public:
  constexpr Duration() = default;
  template <std::integral I>
  constexpr Duration(I ns)  // NOLINT(google-explicit-constructor): as Go's untyped constants
      : ns_(static_cast<std::int64_t>(ns)) {}

  template <std::integral I>
  constexpr explicit operator I() const {
    return static_cast<I>(ns_);
  }

  constexpr std::int64_t Nanoseconds() const { return ns_; }
  constexpr std::int64_t Microseconds() const { return ns_ / 1000; }
  constexpr std::int64_t Milliseconds() const { return ns_ / 1000000; }
  // Whole part and fraction are converted separately: less is lost to rounding.
  constexpr double Seconds() const { return parts(1000000000); }
  constexpr double Minutes() const { return parts(std::int64_t(60) * 1000000000); }
  constexpr double Hours() const { return parts(std::int64_t(3600) * 1000000000); }
  constexpr Duration Abs() const { return ns_ >= 0 ? ns_ : ns_ == INT64_MIN ? INT64_MAX : -ns_; }
  // Rounds towards zero to a multiple of d; d <= 0 changes nothing.
  constexpr Duration Truncate(Duration d) const { return d.ns_ <= 0 ? ns_ : ns_ - ns_ % d.ns_; }
  // «72h3m0.5s», «1.5ms», «0s».
  std::string String() const;
  void printgo() const { runtime::printint(ns_); }

  friend constexpr auto operator<=>(Duration, Duration) = default;
  friend constexpr bool operator==(Duration, Duration) = default;
  friend constexpr Duration operator+(Duration a, Duration b) { return a.ns_ + b.ns_; }
  friend constexpr Duration operator-(Duration a, Duration b) { return a.ns_ - b.ns_; }
  friend constexpr Duration operator*(Duration a, Duration b) { return a.ns_ * b.ns_; }
  friend constexpr Duration operator/(Duration a, Duration b) { return a.ns_ / b.ns_; }
  friend constexpr Duration operator%(Duration a, Duration b) { return a.ns_ % b.ns_; }
  constexpr Duration operator-() const { return -ns_; }
  constexpr Duration operator+() const { return ns_; }
  constexpr Duration& operator+=(Duration d) { return *this = *this + d; }
  constexpr Duration& operator-=(Duration d) { return *this = *this - d; }
  constexpr Duration& operator*=(Duration d) { return *this = *this * d; }
  constexpr Duration& operator/=(Duration d) { return *this = *this / d; }

 private:
  constexpr double parts(std::int64_t unit) const {
    // The whole part apart, so that it is exact.
    std::int64_t whole = ns_ / unit;
    return static_cast<double>(whole) + static_cast<double>(ns_ % unit) / static_cast<double>(unit);
  }
  std::int64_t ns_ = 0;
};

inline constexpr Duration Nanosecond = 1;
inline constexpr Duration Microsecond = 1000 * Nanosecond;
inline constexpr Duration Millisecond = 1000 * Microsecond;
inline constexpr Duration Second = 1000 * Millisecond;
inline constexpr Duration Minute = 60 * Second;
inline constexpr Duration Hour = 60 * Minute;

// A point in time: the wall clock, and, if it came from Now, the monotonic clock as well.
// Differences and comparisons of two that have both use the monotonic clock, so setting the wall
// clock does not change them.
class Time {
 public:
  constexpr Time() = default;

  bool IsZero() const { return !set_; }
  std::int64_t Unix() const { return sec_; }  // seconds since 1970 UTC
  std::int64_t UnixMilli() const { return sec_ * 1000 + nsec_ / 1000000; }
  std::int64_t UnixMicro() const { return sec_ * 1000000 + nsec_ / 1000; }
  std::int64_t UnixNano() const { return sec_ * 1000000000 + nsec_; }
  int Nanosecond() const { return nsec_; }  // within the second

  Duration Sub(Time u) const;
  Time Add(Duration d) const;
  bool Before(Time u) const { return Compare(u) < 0; }
  bool After(Time u) const { return Compare(u) > 0; }
  bool Equal(Time u) const { return Compare(u) == 0; }
  int Compare(Time u) const;

 private:
  friend Time Now();
  friend Time Unix(std::int64_t sec, std::int64_t nsec);

  std::int64_t sec_ = 0;
  std::int64_t mono_ = 0;  // ns, 0 for none
  std::int32_t nsec_ = 0;  // [0, 999999999]
  bool set_ = false;
};

Time Now();
Time Unix(std::int64_t sec, std::int64_t nsec);
inline Duration Since(Time t) { return Now().Sub(t); }
inline Duration Until(Time t) { return t.Sub(Now()); }

// Blocks the goroutine for d at least; returns at once if d <= 0.
inline void Sleep(Duration d) { runtime::timeSleep(d.Nanoseconds()); }

// ---- timers ----

// One event in the future. Made by NewTimer or AfterFunc, in collected memory; not copied.
class Timer {
 public:
  Timer() = default;
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;

  // The time of expiry comes here (NewTimer); nil for AfterFunc.
  chan<Time> C;

  // Keeps the timer from firing. False if it has fired or has been stopped before; then C may hold
  // a value. Panics if the timer was not made by NewTimer or AfterFunc.
  bool Stop();
  // Lets the timer fire d from now; reports whether it was active. A timer of NewTimer should be
  // stopped or expired, and its channel empty.
  bool Reset(Duration d);

 private:
  friend Timer* NewTimer(Duration d);
  friend Timer* startFunc(Duration d, void (*call)(void*), void* f);
  runtime::timer r_;
  void (*call_)(void*) = nullptr;  // AfterFunc: calls f_
  void* f_ = nullptr;

  static void goFunc(void* arg, runtime::uintptr seq);
};

// Sends the time on C after d.
Timer* NewTimer(Duration d);
// NewTimer(d)->C.
inline chan<Time> After(Duration d) { return NewTimer(d)->C; }

Timer* startFunc(Duration d, void (*call)(void*), void* f);
// Calls f after d, on a goroutine of its own. f is kept as a copy in collected memory; what it
// captures must not point into the caller's stack.
template <class F>
Timer* AfterFunc(Duration d, F&& f) {
  using Fn = std::decay_t<F>;
  Fn* copy = ::new (runtime::mallocgc(sizeof(Fn), runtime::typeOf<Fn>())) Fn(std::forward<F>(f));
  runtime::publish(copy);
  runtime::checkclosure(copy, sizeof(Fn));
  return startFunc(d, [](void* p) { (*static_cast<Fn*>(p))(); }, copy);
}

// An event that repeats. Made by NewTicker, in collected memory; not copied.
class Ticker {
 public:
  Ticker() = default;
  Ticker(const Ticker&) = delete;
  Ticker& operator=(const Ticker&) = delete;

  chan<Time> C;

  // No more ticks. Does not close C.
  void Stop();
  // Ticks every d from now on. Panics with «non-positive interval for Ticker.Reset».
  void Reset(Duration d);

 private:
  friend Ticker* NewTicker(Duration d);
  runtime::timer r_;
};

// Sends the time on C every d. Ticks that nobody has taken by the time of the next are lost. Panics
// with «non-positive interval for NewTicker».
Ticker* NewTicker(Duration d);
// NewTicker(d)->C, or nil if d <= 0.
chan<Time> Tick(Duration d);

}  // namespace gort::time
