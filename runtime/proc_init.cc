// How a program starts and ends. Ports rt0_go, schedinit, main and exit of asm_amd64.s and proc.go.
//
// Order of boot: m0 and g0 take over the main thread and its stack; schedinit; the main goroutine is
// queued; the main thread enters the scheduler and never comes back. The process ends in exit.
#include <cstdio>
#include <cstdlib>

#include <cpuid.h>
#include <sys/syscall.h>

#include "cpuprof.h"
#include "gofunc.h"
#include "malloc.h"
#include "mfinal.h"
#include "mgc.h"
#include "mprof.h"
#include "os_linux.h"
#include "panic.h"
#include "print.h"
#include "proc.h"
#include "runtime1.h"
#include "signal_unix.h"
#include "stack.h"
#include "symname.h"
#include "trace.h"
#include "tsan.h"

// asm_amd64.S knows these.
static_assert(offsetof(gort::runtime::g, stackguard0) == 16);
static_assert(offsetof(gort::runtime::g, m) == 40);
static_assert(offsetof(gort::runtime::g, sched) == 48);
static_assert(offsetof(gort::runtime::g, morestackframe) == 72);
static_assert(offsetof(gort::runtime::g, syscallregs) == 80);
static_assert(offsetof(gort::runtime::g, vecstate) == 120);
static_assert(offsetof(gort::runtime::g, asyncSafePoint) == 128);
static_assert(offsetof(gort::runtime::m, g0) == 0);
static_assert(offsetof(gort::runtime::m, gsignal) == 8);
static_assert(offsetof(gort::runtime::m, curg) == 16);
static_assert(offsetof(gort::runtime::m, vecstate) == 24);
static_assert(gort::runtime::stackPreempt == gort::runtime::uintptr(-1314));

// Whether __morestack has to keep the upper halves of the vector argument registers.
extern "C" {
unsigned char gort_hasavx;
}

namespace gort::runtime {

std::int32_t ncpu;
std::int64_t runtimeInitTime;
sigset initSigmask;

#if GORT_POINTS
void (*pointHook)(Point);
bool (*pointFailsHook)(Point);
#endif

namespace {

// The program's main function; written before the scheduler starts.
mainfn_t mainMain;
void* mainArg;

void cpuinit() {
  unsigned a, b, c, d;
  if (__get_cpuid(1, &a, &b, &c, &d) == 0) return;
  constexpr unsigned osxsave = 1u << 27, avx = 1u << 28;
  if ((c & (osxsave | avx)) != (osxsave | avx)) return;
  unsigned lo, hi;
  asm volatile("xgetbv" : "=a"(lo), "=d"(hi) : "c"(0));
  gort_hasavx = (lo & 6) == 6;  // the system saves xmm and ymm
}

// GOMAXPROCS of the environment, else the number of processors.
std::int32_t initialprocs() {
  const char* env = gogetenv("GOMAXPROCS");
  if (env == nullptr || env[0] == 0) return ncpu;
  atoiResult r = atoi(env);
  if (r.ok && r.n > 0 && r.n <= 0x7fffffff) return static_cast<std::int32_t>(r.n);
  print("runtime: GOMAXPROCS=", env, " is not a positive number; using ", ncpu,
        ", the number of processors\n");
  return ncpu;
}

// The main goroutine. Ports main.
void runtimemain(void*) {
  // A nice round number below 1 GiB; shown by «goroutine stack exceeds 1000000000-byte limit».
  maxstacksize = 1000000000;
  maxstackceiling = 2 * maxstacksize;
  mainStarted = true;
  // From here on sysmon's M is on allm, and only it can say that it runs.
  sched.sysmonStarting.Store(1);
  systemstack([] { newm(sysmon, nullptr, -1); });
  if (getg()->m != &m0) throw_("runtime.main not on m0");
  runtimeInitTime = nanotime();
  if (runtimeInitTime == 0) throw_("nanotime returning zero");
  newprocargs forcegcargs{};
  forcegcargs.fn = [](void*) { forcegchelper(); };
  forcegcargs.startpc = reinterpret_cast<uintptr>(&forcegchelper);
  forcegcargs.systemg = true;
  newproc(forcegcargs, reinterpret_cast<uintptr>(&runtimemain) + 1);
  gcenable();
  POINT(main_begin);
  mainMain(mainArg);
  POINT(main_end);
  // Another goroutine may be running deferred calls for a panic: let it finish and print, rather
  // than exit under it.
  if (runningPanicDefers.Load() != 0) {
    for (int c = 0; c < 1000 && runningPanicDefers.Load() != 0; c++) Gosched();
  }
  if (panickingNow()) gopark(nullptr, nullptr, waitReasonPanicWait, traceBlockForever, 1);
  exit(0);
}

void scheduleOnM0() { schedule(); }

}  // namespace

void schedinit() {
  lockInit(&sched.lock, lockRankSched);
  lockInit(&sched.sysmonlock, lockRankSysmon);
  lockInit(&sched.deferlock, lockRankDefer);
  lockInit(&sched.sudoglock, lockRankSudog);
  lockInit(&sched.gFree.lock, lockRankLeafRank);
  lockInit(&finlock, lockRankFin);
  lockInit(&deadlock, lockRankDeadlock);
  lockInit(&paniclk, lockRankPanic);
  lockInit(&allglock, lockRankAllg);
  lockInit(&allpLock, lockRankAllp);
  mprofinit();
  lockInit(&cpuprof.lock, lockRankCpuprof);
  sched.maxmcount = 10000;
  // There is one M and nothing runs on it yet.
  worldStopped();
  cpuinit();
  traceinit();
  stackinit();
  mallocinit();
  asyncpreemptinit();
  mcommoninit(&m0, -1);
  m0.doesPark = true;
  initSigmask = m0.sigmask = sigsave();
  parsedebugvars();
  minit(&m0);
  initsig();
  gcinit();
  lock(&sched.lock);
  sched.lastpoll.Store(nanotime());
  ncpu = getproccount();
  std::int32_t procs = initialprocs();
  if (procresize(procs) != nullptr) throw_("unknown runnable goroutine during bootstrap");
  unlock(&sched.lock);
  worldStarted();
}

void exit(std::int32_t code) {
  systemstack([=] {
    if constexpr (raceenabled) {
      // TSan sets the exit status from what it found. The other threads are stopped first, since
      // the destructors of static objects run now.
      freezetheworld();
      std::exit(code);
    }
    // Go's exit ends the process at once. What a program has printed through stdio is not lost.
    std::fflush(nullptr);
    rawexit(code);
  });
  __builtin_unreachable();
}

GORT_NOSPLIT void rt0_go(mainfn_t fn, void* arg, const char* typeName) {
#if GORT_EXPLORE
  if (explore::beforeMain != nullptr) explore::beforeMain();
#endif
  setMainName(typeName);
  mainMain = fn;
  mainArg = arg;
  uintptr sp = reinterpret_cast<uintptr>(__builtin_frame_address(0));
  constexpr uintptr size = 1 << 20;  // of the main thread's 8 MiB
  g0.stack = {sp - size, sp + 64};
  g0.stackguard0 = g0.stack.lo + stackGuard;
  g0.m = &m0;
  m0.g0 = &g0;
  m0.preemptoff = "";
  setg(&g0);
  setstackguard(g0.stackguard0);
  m0.stackguardslot.Store(reinterpret_cast<atomic::Uintptr*>(stackguardslotaddr()));
  m0.procid = static_cast<std::uint64_t>(gettid());
  raceinit();
  racethreadinit(&g0);
  schedinit();
  newproc({.fn = runtimemain,
           .closure = nullptr,
           .size = 0,
           .closurefree = nullptr,
           .startpc = reinterpret_cast<uintptr>(runtimemain),
           .pinned = false,
           .systemg = false},
          getcallerpc());
  gort_startg0(scheduleOnM0);
  // The main goroutine ended while it was tied to this thread.
  mexit(false);
  __builtin_unreachable();
}

}  // namespace gort::runtime
