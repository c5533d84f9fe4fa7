// See gotrace.h.
//
// Invariants:
//  - tracing.mu lets one Start or Stop in at a time; it is held until the reader exists, or has ended.
//  - tracing.enabled follows the tracer's own state, a little later at the start and earlier at the end:
//    annotations may be lost there, never written to a trace that is over.
#include "gotrace.h"

#include <cstdarg>
#include <cstdio>

#include <sys/syscall.h>

#include "error.h"
#include "goruntime.h"
#include "sync.h"
#include "syscall.h"
#include "trace.h"

namespace gort::runtime::trace {

namespace {

struct {
  sync::Mutex mu;
  // Read by IsEnabled on any goroutine: an answer that is a little old is as good.
  atomic::Bool enabled;
} tracing;

atomic::Uint64 lastTaskID;

enum : std::uint64_t { regionStartCode, regionEndCode };

}  // namespace

namespace detail {

any start() {
  tracing.mu.Lock();
  if (StartTrace()) return nullptr;
  tracing.mu.Unlock();
  return errorString{"tracing is already enabled"};
}

void started() {
  tracing.enabled.Store(true);
  tracing.mu.Unlock();
}

void readAll(bool (*write)(void* w, const void* p, std::size_t n), void* w) {
  bool ok = true;
  for (;;) {
    traceChunk c = ReadTrace();
    if (c.ptr == nullptr) return;
    if (ok) ok = write(w, c.ptr, c.len);
  }
}

}  // namespace detail

any Start(int fd) {
  return Start([fd](const void* p, std::size_t n) {
    const char* from = static_cast<const char*>(p);
    while (n > 0) {
      long r = syscall::Syscall(SYS_write, fd, reinterpret_cast<long>(from), static_cast<long>(n));
      constexpr long eintr = -4;
      if (r == eintr) continue;
      if (r <= 0) return false;
      from += r;
      n -= static_cast<std::size_t>(r);
    }
    return true;
  });
}

void Stop() {
  tracing.mu.Lock();
  tracing.enabled.Store(false);
  StopTrace();
  tracing.mu.Unlock();
}

bool IsEnabled() { return tracing.enabled.Load(); }

taskAndContext NewTask(Context parent, std::string_view taskType) {
  // Ids count on while tracing is off: a task may live longer than a trace.
  std::uint64_t id = lastTaskID.Add(1);
  trace_userTaskCreate(id, parent.id_, taskType);
  return {Context(id), Task(id)};
}

void Task::End() { trace_userTaskEnd(id_); }

Region::Region(Context ctx, std::string_view regionType) : id_(ctx.id_), traced_(IsEnabled()) {
  if (!traced_) return;
  type_ = string(regionType);
  trace_userRegion(id_, regionStartCode, regionType);
}

void Region::End() {
  if (traced_) trace_userRegion(id_, regionEndCode, type_);
}

void Log(Context ctx, std::string_view category, std::string_view message) {
  trace_userLog(ctx.id_, category, message);
}

// Nosplit, as every variadic function: the compiler has no stack check for them.
GORT_NOSPLIT void Logf(Context ctx, const char* category, const char* format, ...) {
  if (!IsEnabled()) return;
  va_list args;
  va_start(args, format);
  systemstack([&] {
    char text[4096];
    int n = std::vsnprintf(text, sizeof text, format, args);
    if (n < 0) n = 0;
    auto len =
        static_cast<std::size_t>(n) < sizeof text ? static_cast<std::size_t>(n) : sizeof text - 1;
    trace_userLog(ctx.id_, category, {text, len});
  });
  va_end(args);
}

}  // namespace gort::runtime::trace
