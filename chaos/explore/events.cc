#include "chaos/explore/events.h"

#include <sys/syscall.h>

#include <algorithm>
#include <cstdio>
#include <cstring>

#include "chaos/explore/inject.h"
#include "chaos/explore/turn.h"
#include "chaos/locks.h"
#include "chaos/rings.h"
#include "runtime/explore.h"
#include "runtime/os_linux.h"
#include "runtime/proc.h"
#include "runtime/stubs.h"

// No roots of the collector (goroutine.lds).
#pragma clang section bss = ".bss.noroots" data = ".data.noroots"

namespace gort::chaos {

namespace {

constexpr int kStackShown = 24;

int out = -1;
std::int64_t lastGoroutine[kMaxThreads];

const runtime::m* MOf(int thread) {
  const ThreadView v = ViewThread(thread);
  return v.m == nullptr ? &runtime::m0 : static_cast<const runtime::m*>(v.m);
}

runtime::uintptr StackGuard() {
  return *reinterpret_cast<const runtime::uintptr*>(runtime::stackguardslotaddr());
}

// The name of a lock. It is found by functions of the runtime, which check the stack they run on.
struct LockName {
  char text[kLockNameSize];
  explicit LockName(const runtime::mutex* l) {
    const runtime::uintptr guard = StackGuard();
    runtime::setstackguard(0);
    WriteLockName(l, text, sizeof text);
    runtime::setstackguard(guard);
  }
};

template <class... Args>
void Line(const char* format, Args... args) {
  char line[600];
  int n;
  if constexpr (sizeof...(args) == 0)
    n = std::snprintf(line, sizeof line, "%s", format);
  else
    n = std::snprintf(line, sizeof line, format, args...);
  n = std::min(n, static_cast<int>(sizeof line) - 1);
  runtime::rawsyscall(SYS_write, out, reinterpret_cast<long>(line), n);
}

// What stands at the beginning of each event; also says which goroutine the current thread runs, if
// that is another one than the last time.
void Head(const char* event) {
  const int self = CurrentThread();
  const runtime::g* gp = runtime::getg();
  const runtime::m* mp = gp == nullptr ? nullptr : static_cast<const runtime::m*>(gp->m);
  const runtime::g* curg = mp == nullptr ? nullptr : static_cast<const runtime::g*>(mp->curg);
  const std::int64_t goid = curg == nullptr ? 0 : static_cast<std::int64_t>(curg->goid);
  if (goid != lastGoroutine[self]) {
    lastGoroutine[self] = goid;
    Line("{\"e\":\"g\",\"step\":%llu,\"t\":%d,\"goid\":%lld}\n",
         static_cast<unsigned long long>(TotalSteps()), self, static_cast<long long>(goid));
  }
  Line("{\"e\":\"%s\",\"step\":%llu,\"t\":%d", event, static_cast<unsigned long long>(TotalSteps()),
       self);
}

// The stack on which a thread has last asked the explorer.
void WriteStack(const char* key, int thread) {
  std::uint64_t pcs[kStackShown];
  const int n = WalkPcs(MOf(thread), ViewThread(thread).fp, pcs, kStackShown);
  Line(",\"%s\":[", key);
  for (int i = 0; i < n; i++)
    Line("%s\"0x%llx\"", i == 0 ? "" : ",", static_cast<unsigned long long>(pcs[i]));
  Line("]");
}

}  // namespace

void BeginEvents(int fd) {
  out = fd;
  runtime::explore::gort_explore_locks = fd >= 0;
}

void EventThread(int thread) {
  if (out < 0) return;
  Line("{\"e\":\"thread\",\"step\":%llu,\"t\":%d,\"name\":\"M%lld\"}\n",
       static_cast<unsigned long long>(TotalSteps()), thread,
       static_cast<long long>(MOf(thread)->id));
}

void EventTurn(int thread, Reason reason, bool ended) {
  if (out < 0) return;
  const char* why = "preempt";
  if (ended)
    why = "exit";
  else if (reason == Reason::kWait)
    why = "block";
  else if (reason == Reason::kYield)
    why = "yield";
  Line("{\"e\":\"run\",\"step\":%llu,\"now\":%lld,\"t\":%d,\"why\":\"%s\"}\n",
       static_cast<unsigned long long>(TotalSteps()), static_cast<long long>(VirtualNow()), thread,
       why);
}

void EventWait(const volatile void* futex, std::int64_t ns) {
  if (out < 0) return;
  Head("wait");
  const runtime::g* gp = runtime::getg();
  const runtime::m* mp = gp == nullptr ? nullptr : static_cast<const runtime::m*>(gp->m);
  if (futex == nullptr) {
    Line(",\"what\":\"sleep %lldus\"}\n", static_cast<long long>(ns / 1000));
  } else if (mp != nullptr && mp->waitinglock != nullptr) {
    Line(",\"what\":\"lock %s\"}\n", LockName(mp->waitinglock).text);
  } else {
    Line(",\"what\":\"note\"}\n");
  }
}

void EventWake(int thread) {
  if (out < 0) return;
  Head("wake");
  Line(",\"who\":%d}\n", thread);
}

void EventSignal(int sig, const char* phase, int to) {
  if (out < 0) return;
  const char* abbreviation = sigabbrev_np(sig);
  char name[20];
  if (abbreviation != nullptr)
    std::snprintf(name, sizeof name, "SIG%s", abbreviation);
  else
    std::snprintf(name, sizeof name, "SIG%d", sig);
  const int self = CurrentThread();
  // The event is the receiver's.
  if (to < 0)
    Head("signal");
  else
    Line("{\"e\":\"signal\",\"step\":%llu,\"t\":%d", static_cast<unsigned long long>(TotalSteps()),
         to);
  Line(",\"sig\":%d,\"name\":\"%s\",\"phase\":\"%s\",\"from\":%d}\n", sig, name, phase,
       to < 0 ? -1 : self);
}

void EventPoint(int point, std::uint32_t injection) {
  if (out < 0) return;
  const char* name = PointName(static_cast<Point>(point));
  Head("point");
  Line(",\"name\":\"%s\"}\n", name);
  if (injection == 0) return;
  Head("inject");
  Line(",\"what\":\"%s\",\"point\":\"%s\"}\n", InjectionName(static_cast<Injection>(injection)),
       name);
}

void EventLock(const volatile void* lock, bool locked) {
  if (out < 0) return;
  const LockName name(static_cast<const runtime::mutex*>(const_cast<const void*>(lock)));
  Head(locked ? "lock" : "unlock");
  Line(",\"lock\":\"%s\"}\n", name.text);
}

void EventSwitch(int to, bool preemption) {
  if (out < 0) return;
  Head("switch");
  Line(",\"from\":%d,\"to\":%d,\"kind\":\"%s\",\"critical\":%s", CurrentThread(), to,
       preemption ? "preempt" : "choice", preemption ? "true" : "false");
  WriteStack("pcs_from", CurrentThread());
  WriteStack("pcs_to", to);
  Line("}\n");
}

void EventEnd(const char* outcome) {
  if (out < 0) return;
  Line("{\"e\":\"end\",\"step\":%llu,\"now\":%lld,\"outcome\":\"%s\"}\n",
       static_cast<unsigned long long>(TotalSteps()), static_cast<long long>(VirtualNow()),
       outcome);
}

}  // namespace gort::chaos
