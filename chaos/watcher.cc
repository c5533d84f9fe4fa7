// Invariants:
//  - The watcher takes no lock, and what it reads (m.waiting*, mutex.owner, allm) it reads as a
//    stranger: a single look may be wrong. A cycle is believed if it was the same at kLooks looks one
//    after the other. A thread in it that waits for a lock was asleep in the kernel, for that lock's
//    futex, at each of them (a signal for preemption may have woken it in between). One in suspendG,
//    forEachP and the like spins, so that the kernel knows nothing of it; but its wait has a number
//    (m.waits), which was the same each time: so it was one wait, and what it waits for did not come.
//  - A signal handler that waits for the receiver of signals (sigsend) spins as well. It is in a cycle
//    only if the receiver is runnable, and who keeps it from a P waits itself: who has stopped the
//    world, or is about to; or each of those that have the Ps.
//  - suspendG's wait ends with its goroutine's leaving _Grunning, forEachP's with all Ps' having run
//    the function. The first is in a cycle only if the goroutine is _Grunning, on an M that waits
//    itself; the second only through a P that has not run the function, on an M that waits itself.
//  - Stacks are read when that is certain.
//  - The lock «deadlock» is left out: a thread that must never run again locks it twice on purpose.
//  - The watcher reads other threads' memory without synchronisation on purpose, by way of the C
//    library too, whose functions TSan knows: it is ignored by TSan as long as it lives.
//  - gs and ms are never freed, so a stale pointer is still one.
#include "chaos/watcher.h"

#include <pthread.h>
#include <signal.h>
#include <sys/syscall.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <string>

#include "chaos/locks.h"
#include "chaos/rings.h"
#include "chaos/script.h"
#include "chaos/waitfor.h"
#include "runtime/os_linux.h"
#include "runtime/proc.h"
#include "runtime/sigqueue.h"
#include "runtime/symtab.h"

// TSan's; absent in other builds.
extern "C" {
__attribute__((weak)) void AnnotateIgnoreReadsBegin(const char* file, int line);
__attribute__((weak)) void AnnotateIgnoreWritesBegin(const char* file, int line);
__attribute__((weak)) void AnnotateIgnoreSyncBegin(const char* file, int line);
__attribute__((weak)) void AnnotateIgnoreReadsEnd(const char* file, int line);
__attribute__((weak)) void AnnotateIgnoreWritesEnd(const char* file, int line);
__attribute__((weak)) void AnnotateIgnoreSyncEnd(const char* file, int line);
}

namespace gort::chaos {

namespace {

constexpr unsigned kLookEvery = 10000;  // microseconds
constexpr unsigned kSecondLookAfter = 20000;
constexpr int kLooks = 25;  // before a cycle is believed
constexpr int kVisitsShown = 12;
constexpr int kMaxFrames = 64;
constexpr int kLongestRing = 64;

// One M that waits, as one look has it.
struct WaitingM {
  runtime::m* mp;
  Waiter::Kind kind;
  runtime::mutex* lock;  // kLock
  runtime::g* gp;  // kGoroutine
  runtime::p* pp;  // kP, kWorld
  runtime::m* owner;  // of the lock; who runs gp or pp; kThread: the M itself
  std::uint64_t number;  // m.waits
  std::uint64_t fp;

  bool operator==(const WaitingM&) const = default;
};

std::string ReadFile(const std::string& path) {
  std::string text;
  std::FILE* file = std::fopen(path.c_str(), "re");
  if (file == nullptr) return text;
  char buffer[4096];
  for (std::size_t n; (n = std::fread(buffer, 1, sizeof buffer, file)) > 0;) text.append(buffer, n);
  std::fclose(file);
  return text;
}

// The thread is asleep in the system call futex, on that address.
bool AsleepOn(const std::string& task, const void* futex) {
  const std::string line = ReadFile(task + "/syscall");
  char* end;
  const long nr = std::strtol(line.c_str(), &end, 10);
  if (end == line.c_str() || nr != SYS_futex) return false;
  return std::strtoull(end, nullptr, 16) == reinterpret_cast<std::uintptr_t>(futex);
}

// Who waits for a lock is asleep where he should be.
bool KernelAgrees(const WaitingM& s) {
  return s.kind != Waiter::kLock ||
         AsleepOn("/proc/self/task/" + std::to_string(s.mp->procid), s.lock->key.addr());
}

// The M that runs gp, and cannot be made to let go of it as long as it waits itself.
runtime::m* RunnerOf(runtime::g* gp) {
  if ((gp->atomicstatus.Load() & ~runtime::_Gscan) != runtime::_Grunning) return nullptr;
  return gp->m;
}

bool Waits(const runtime::m* mp) {
  return mp->waitinglock != nullptr || mp->waitinggoroutine != nullptr || mp->waitingreceiver ||
         mp->waitingfor != runtime::mWaitNone;
}

// A P of which `holds up` is true, on an M other than self that waits itself; null for none.
template <class F>
runtime::p* StuckP(const runtime::m* self, F holdsUp) {
  for (std::int32_t i = 0; i < runtime::allp.len; i++) {
    runtime::p* pp = runtime::allp[i];
    if (pp == nullptr || !holdsUp(pp)) continue;
    const runtime::m* mp = pp->m;
    if (mp != nullptr && mp != self && Waits(mp)) return pp;
  }
  return nullptr;
}

// An M that waits itself and has a system call to make; null for none.
runtime::m* StuckThread() {
  for (runtime::m* mp = runtime::allm; mp != nullptr; mp = mp->alllink)
    if (mp->mFixup.used.Load() != 0 && Waits(mp)) return mp;
  return nullptr;
}

bool ReceiverIsRunnable() {
  runtime::g* gp = runtime::sigreceiver;
  return gp != nullptr && (gp->atomicstatus.Load() & ~runtime::_Gscan) == runtime::_Grunnable;
}

// Who keeps the receiver of signals from a P: who has stopped the world, or, if every P is taken by
// one who waits himself, the first of these. Null for nobody.
runtime::m* ReceiverKeptBy() {
  if (!ReceiverIsRunnable()) return nullptr;
  if (runtime::m* mp = runtime::worldstopper; mp != nullptr) return Waits(mp) ? mp : nullptr;
  runtime::m* first = nullptr;
  for (std::int32_t i = 0; i < runtime::allp.len; i++) {
    runtime::p* pp = runtime::allp[i];
    runtime::m* mp = pp == nullptr ? nullptr : static_cast<runtime::m*>(pp->m);
    if (mp == nullptr || !Waits(mp)) return nullptr;
    if (first == nullptr) first = mp;
  }
  return first;
}

// Fills in what mp waits for, if it is not a lock or a goroutine; false if nothing is known.
bool OtherWait(runtime::m* mp, WaitingM* w) {
  switch (mp->waitingfor) {
    case runtime::mWaitSafePoints:
      w->kind = Waiter::kP;
      w->pp = StuckP(mp, [](runtime::p* pp) { return pp->runSafePointFn.Load() != 0; });
      break;
    case runtime::mWaitWorld:
      w->kind = Waiter::kWorld;
      w->pp = StuckP(mp, [](runtime::p* pp) { return pp->status.Load() == runtime::_Prunning; });
      break;
    case runtime::mWaitAllThreads:
      w->kind = Waiter::kThread;
      w->owner = StuckThread();
      return w->owner != nullptr;
    case runtime::mWaitNone:
      break;
  }
  if (w->pp != nullptr) w->owner = w->pp->m;
  return w->owner != nullptr;
}

// What mp waits for; false if it waits for nothing that is known.
bool WaitOf(runtime::m* mp, WaitingM* w) {
  *w = {mp, Waiter::kLock, nullptr, nullptr, nullptr, nullptr, mp->waits, mp->waitingfp};
  if (runtime::mutex* lock = mp->waitinglock; lock != nullptr && lock != &runtime::deadlock) {
    w->lock = lock;
    w->owner = lock->owner;
  } else if (mp->waitingreceiver) {
    // In a handler: whatever the interrupted code waits for does not matter now.
    w->kind = Waiter::kReceiver;
    w->gp = runtime::sigreceiver;
    w->owner = ReceiverKeptBy();
  } else if (runtime::g* gp = mp->waitinggoroutine; gp != nullptr) {
    w->kind = Waiter::kGoroutine;
    w->gp = gp;
    w->owner = RunnerOf(gp);
  } else {
    return OtherWait(mp, w);
  }
  return true;
}

std::vector<WaitingM> Look() {
  std::vector<WaitingM> waiting;
  for (runtime::m* mp = runtime::allm; mp != nullptr; mp = mp->alllink)
    if (WaitingM w; WaitOf(mp, &w)) waiting.push_back(w);
  return waiting;
}

std::vector<WaitingM> CycleOf(const std::vector<WaitingM>& waiting) {
  std::vector<Waiter> waiters;
  for (const WaitingM& s : waiting) {
    Waiter w;
    w.m = s.mp->id;
    w.holder = s.owner == nullptr ? -1 : s.owner->id;
    waiters.push_back(w);
  }
  std::vector<WaitingM> cycle;
  for (std::size_t i : FindCycle(waiters)) cycle.push_back(waiting[i]);
  return cycle;
}

// A cycle that was there at all looks, unchanged in between.
std::optional<std::vector<WaitingM>> SeeDeadlock() {
  std::vector<WaitingM> first = CycleOf(Look());
  if (first.empty()) return std::nullopt;
  for (int i = 0; i < kLooks; i++) {
    if (!std::all_of(first.begin(), first.end(), KernelAgrees)) return std::nullopt;
    runtime::usleep(kSecondLookAfter);
    if (first != CycleOf(Look())) return std::nullopt;
  }
  return first;
}

std::string BaseName(const char* path) {
  const char* slash = std::strrchr(path, '/');
  return slash == nullptr ? path : slash + 1;
}

// The functions at a return address, inlined calls first.
std::vector<StackFrame> FramesAt(std::uint64_t pc) {
  std::vector<StackFrame> frames;
  const runtime::funcInfo f = runtime::findfunc(pc - 1);
  if (!f.valid()) return frames;
  runtime::inlineFrames inlined;
  runtime::expandInlines(f, pc - 1, &inlined);
  for (int i = 0; i < inlined.n; i++) {
    const runtime::srcFrame& frame = inlined.frames[i];
    const runtime::symname name = runtime::gosymname(frame.linkername);
    frames.push_back({std::string(name.data(), name.size()),
                      BaseName(frame.file) + ":" + std::to_string(frame.line)});
  }
  return frames;
}

}  // namespace

// Follows saved frame pointers from fp while they stay on one of the stacks of mp.
int WalkPcs(const runtime::m* mp, std::uint64_t fp, std::uint64_t* pcs, int max) {
  const runtime::g* stacks[] = {mp->g0, mp->gsignal, mp->curg};
  auto on = [](const runtime::g* gp, std::uint64_t p) {
    return gp != nullptr && p >= gp->stack.lo && p + 16 <= gp->stack.hi && p % 8 == 0;
  };
  auto onStack = [&](std::uint64_t p) {
    return std::any_of(std::begin(stacks), std::end(stacks),
                       [&](const runtime::g* gp) { return on(gp, p); });
  };
  int n = 0;
  while (n < max && onStack(fp)) {
    const auto* frame = reinterpret_cast<const std::uint64_t*>(fp);
    pcs[n++] = frame[1];
    // Out of a signal handler, to what it interrupted, it may go downwards.
    const bool leaves = on(mp->gsignal, fp) && !on(mp->gsignal, frame[0]);
    if (frame[0] <= fp && !leaves) break;
    fp = frame[0];
  }
  return n;
}

namespace {

void WalkFrames(const runtime::m* mp, std::uint64_t fp, std::vector<StackFrame>* stack) {
  std::uint64_t pcs[kMaxFrames];
  const int n = WalkPcs(mp, fp, pcs, kMaxFrames);
  for (int i = 0; i < n; i++)
    for (StackFrame& f : FramesAt(pcs[i])) stack->push_back(std::move(f));
}

// In the middle of a systemstack call: below lies the goroutine, where it called.
void WalkGoroutine(const runtime::m* mp, std::vector<StackFrame>* stack) {
  const runtime::g* curg = mp->curg;
  if (curg == nullptr || curg->sched.sp == 0 || curg->sched.pc == 0) return;
  for (StackFrame& f : FramesAt(curg->sched.pc)) stack->push_back(std::move(f));
  WalkFrames(mp, curg->sched.bp, stack);
}

std::vector<StackFrame> StackOf(const WaitingM& s) {
  std::vector<StackFrame> stack;
  // The frame at fp is that of the function that waits; above it stand its callers.
  if (s.kind == Waiter::kGoroutine) stack.push_back({"runtime.suspendG", ""});
  if (s.kind == Waiter::kP) stack.push_back({"runtime.forEachPInternal", ""});
  if (s.kind == Waiter::kWorld) stack.push_back({"runtime.stopTheWorldWithSema", ""});
  if (s.kind == Waiter::kThread) stack.push_back({"runtime.runOnAllThreads", ""});
  if (s.kind == Waiter::kReceiver) stack.push_back({"runtime.sigsend", ""});
  WalkFrames(s.mp, s.fp, &stack);
  WalkGoroutine(s.mp, &stack);
  // A lambda and the function that stands for it in a table have one name and one place.
  stack.erase(std::unique(stack.begin(), stack.end()), stack.end());
  return stack;
}

Waiter WaiterOf(const WaitingM& s) {
  Waiter w;
  w.kind = s.kind;
  w.m = s.mp->id;
  w.thread = static_cast<std::int64_t>(s.mp->procid);
  const runtime::g* curg = s.mp->curg;
  if (curg != nullptr) w.goroutine = static_cast<std::int64_t>(curg->goid);
  w.holder = s.owner->id;
  switch (s.kind) {
    case Waiter::kLock:
      w.wanted = NameOfLock(s.lock);
      w.takenIn = OutsideLock(FramesAt(s.lock->ownerpc));
      break;
    case Waiter::kGoroutine:
      w.wanted = "goroutine " + std::to_string(static_cast<std::int64_t>(s.gp->goid));
      break;
    case Waiter::kP:
    case Waiter::kWorld:
      w.wanted = "P " + std::to_string(s.pp->id);
      break;
    case Waiter::kThread:
      w.wanted = "M" + std::to_string(s.owner->id);
      break;
    case Waiter::kReceiver:
      w.wanted = "the receiver of signals, goroutine " +
                 std::to_string(static_cast<std::int64_t>(s.gp->goid));
      w.because = runtime::worldstopper != nullptr ? "runs when the world does, stopped by"
                                                   : "runs when there is a P, held by";
      break;
  }
  w.stack = StackOf(s);
  return w;
}

void Write(const std::vector<WaitingM>& deadlocked) {
  std::vector<Waiter> cycle;
  cycle.reserve(deadlocked.size());
  for (const WaitingM& s : deadlocked) cycle.push_back(WaiterOf(s));
  std::string text = std::string("\n") + kReportBegin + "\n";
  text += DrawCycle(cycle) + "\n" + DescribeCycle(cycle);
  text += "the last points that threads came to, oldest first:\n";
  for (const PointVisit& visit : LastVisits(kVisitsShown)) {
    text += visit.m < 0 ? std::string("  -") : "  M" + std::to_string(visit.m);
    text += std::string("  ") + PointName(visit.point) + "\n";
  }
  text += std::string(kReportEnd) + "\n";
  runtime::write(2, text.data(), text.size());
}

void* Watch(void*) {
  const IgnoredByTsan ignored;
  for (;;) {
    runtime::usleep(kLookEvery);
    if (auto deadlocked = SeeDeadlock()) {
      Write(*deadlocked);
      runtime::rawexit(kDeadlockSeen);
    }
  }
}

}  // namespace

std::vector<StackFrame> FramesOf(std::uint64_t pc) { return FramesAt(pc); }

std::vector<StackFrame> StackFrom(const runtime::m* mp, std::uint64_t fp) {
  std::vector<StackFrame> stack;
  WalkFrames(mp, fp, &stack);
  WalkGoroutine(mp, &stack);
  return stack;
}

std::uint64_t RingNow() {
  for (runtime::m* first = runtime::allm; first != nullptr; first = first->alllink) {
    std::uint64_t number = 1;
    runtime::m* mp = first;
    for (int i = 0; i < kLongestRing; i++) {
      WaitingM w;
      if (!WaitOf(mp, &w) || w.owner == nullptr) break;
      number = (number ^ static_cast<std::uint64_t>(mp->id) << 32 ^ w.number) * 0x100000001b3;
      mp = w.owner;
      if (mp == first) return number | 1;
    }
  }
  return 0;
}

bool ReportRingNow() {
  const std::vector<WaitingM> ring = CycleOf(Look());
  if (!ring.empty()) Write(ring);
  return !ring.empty();
}

IgnoredByTsan::IgnoredByTsan() {
  if (AnnotateIgnoreReadsBegin == nullptr) return;
  AnnotateIgnoreReadsBegin(__FILE__, __LINE__);
  AnnotateIgnoreWritesBegin(__FILE__, __LINE__);
  AnnotateIgnoreSyncBegin(__FILE__, __LINE__);
}

IgnoredByTsan::~IgnoredByTsan() {
  if (AnnotateIgnoreReadsEnd == nullptr) return;
  AnnotateIgnoreSyncEnd(__FILE__, __LINE__);
  AnnotateIgnoreWritesEnd(__FILE__, __LINE__);
  AnnotateIgnoreReadsEnd(__FILE__, __LINE__);
}

void StartThread(void* (*run)(void*)) {
#if GORT_EXPLORE
  // The explorer sees deadlocks itself, and no thread may run beside those that it knows.
  (void)run;
  return;
#endif
  sigset_t all, old;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &old);
  pthread_attr_t attr;
  pthread_attr_init(&attr);
  pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
  pthread_t thread;
  const int err = pthread_create(&thread, &attr, run, nullptr);
  pthread_attr_destroy(&attr);
  pthread_sigmask(SIG_SETMASK, &old, nullptr);
  if (err == 0) return;
  std::fprintf(stderr, "chaos: cannot start a thread: %s\n", std::strerror(err));
  std::exit(3);
}

void StartWatcher() { StartThread(Watch); }

}  // namespace gort::chaos
