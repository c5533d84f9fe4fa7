// Package runtime/trace for programs: the execution tracer and the annotations that a program adds to a
// trace. Ports runtime/trace (trace.go, annotation.go). The file is what Go 1.19 writes: open it with
// `go tool trace FILE`.
//
// A context is a value here, not Go's context.Context: it says which task the code works for.
#pragma once

#include <cstddef>
#include <string_view>
#include <type_traits>
#include <utility>

#include "any.h"
#include "godefer.h"
#include "gofunc.h"
#include "goslice.h"

namespace gort::runtime::trace {

namespace detail {
// Starts tracing; nil means that the caller must start a goroutine that calls readAll, and then call
// started. Otherwise the error that Start returns.
any start();
void started();
// Hands all pieces of the trace to write(w, ...), until the trace is over. What comes after a false
// result is dropped.
void readAll(bool (*write)(void* w, const void* p, std::size_t n), void* w);
}  // namespace detail

// Starts tracing. w is copied to a goroutine, which calls w(p, n) with pieces of the trace, in their
// order, until Stop; a piece is good during the call. False says that w could not take it: it gets no
// more. Returns nil, or an error: «tracing is already enabled». Stops the world for a moment.
template <class W>
  requires std::is_invocable_r_v<bool, std::decay_t<W>&, const void*, std::size_t>
any Start(W&& w) {
  if (any err = detail::start()) return err;
  go([w = std::decay_t<W>(std::forward<W>(w))]() mutable {
    detail::readAll(
        [](void* to, const void* p, std::size_t n) {
          return static_cast<bool>((*static_cast<std::decay_t<W>*>(to))(p, n));
        },
        &w);
  });
  detail::started();
  return nullptr;
}
// The same, to a file that is open for writing and stays so until Stop has returned.
any Start(int fd);
// Stops tracing, and returns when the whole trace has been written. Nothing when there is none.
void Stop();
bool IsEnabled();

class Task;
struct taskAndContext;

// Which task code works for; the zero value is for no one's.
class Context {
 public:
  constexpr Context() = default;

 private:
  constexpr explicit Context(std::uint64_t id) : id_(id) {}
  std::uint64_t id_ = 0;
  friend taskAndContext NewTask(Context parent, std::string_view taskType);
  friend class Region;
  friend void Log(Context ctx, std::string_view category, std::string_view message);
  friend void Logf(Context ctx, const char* category, const char* format, ...);
};
constexpr Context Background() { return {}; }

// A piece of work that may be done by several goroutines. End it on any of them.
class Task {
 public:
  void End();

 private:
  explicit Task(std::uint64_t id) : id_(id) {}
  std::uint64_t id_;
  friend taskAndContext NewTask(Context parent, std::string_view taskType);
};
struct taskAndContext {
  Context ctx;
  Task task;
};
// auto [ctx, task] = NewTask(Background(), "request");
taskAndContext NewTask(Context parent, std::string_view taskType);

// An interval of time on one goroutine, which must end it. Regions nest.
class Region {
 public:
  Region(Context ctx, std::string_view regionType);
  void End();

 private:
  string type_;
  std::uint64_t id_;
  bool traced_;  // tracing was on at its start
};
inline Region StartRegion(Context ctx, std::string_view regionType) {
  return Region(ctx, regionType);
}
// Calls fn in a region, which ends with it, also by a panic.
template <class F>
void WithRegion(Context ctx, std::string_view regionType, F&& fn) {
  // Outside of func: a deferred call runs when func's body has returned.
  Region region(ctx, regionType);
  func([&](auto& defer) {
    defer([&] { region.End(); });
    fn();
  });
}

// An event with a text, in a category of the program's choice.
void Log(Context ctx, std::string_view category, std::string_view message);
// The same by printf's format; at most 4,095 bytes.
[[gnu::format(printf, 3, 4)]] void Logf(Context ctx, const char* category, const char* format, ...);

}  // namespace gort::runtime::trace
