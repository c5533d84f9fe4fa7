// Threads that others have made enter the runtime and leave it. Ports needm, dropm and cgocallback of
// proc.go and cgocall.go.
//
// A thread that enters takes an M from the list of extra ones, which has a g0 (this thread's own
// stack) and a goroutine of its own, curg, tied to it. What the thread wants to run runs on that
// goroutine, with a P, as any goroutine code does. Then both go back to the list.
//
// Invariants:
//  - An extra M on the list has no thread: its curg is _Gdead and counts as a system goroutine.
//  - A thread that enters is to the scheduler one that comes back from a system call, and one that
//    leaves goes into a call that blocks: curg is _Gsyscall in between.
//  - Signals are blocked while the thread has an M only half: from before m and g are set until the
//    signal stack is installed, and the other way round.
//  - Once iscgo is true the process is never dead: a thread may come in and wake anybody.
//
// Locks: extraM.lock protects the list; leaf, taken by threads without an M.
#include <pthread.h>
#include <sys/syscall.h>

#include "cpuprof.h"
#include "goruntime.h"
#include "malloc.h"
#include "os_linux.h"
#include "panic_throw.h"
#include "proc.h"
#include "signal_unix.h"
#include "stack.h"
#include "stubs.h"
#include "trace.h"
#include "tsan.h"

namespace gort::runtime {

atomic::Bool iscgo;

namespace {

struct {
  mutex lock;
  m* head;  // through schedlink
} extraM;

struct callback {
  void (*fn)(void*);
  void* arg;
  stack_t altstack;  // of the thread before it entered
};

// The thread's stack, for g0.
void callbackUpdateSystemStack(g* g0) {
  pthread_attr_t attr;
  void* lo = nullptr;
  std::size_t size = 0;
  if (pthread_getattr_np(pthread_self(), &attr) != 0) throw_("pthread_getattr_np failed");
  pthread_attr_getstack(&attr, &lo, &size);
  pthread_attr_destroy(&attr);
  uintptr base = reinterpret_cast<uintptr>(lo);
  g0->stack = {base, base + size};
  g0->stackguard0 = base + stackGuard;
}

// A new extra M, for the calling thread, which runs on its g0 from the middle on.
m* oneNewExtraM() {
  m* mp = newpersistent<m>();
  mp->g0 = newpersistent<g>();
  mp->g0->m = mp;
  mp->isextra = true;
  callbackUpdateSystemStack(mp->g0);
  setg(mp->g0);
  setstackguard(mp->g0->stackguard0);
  racethreadinit(mp->g0);
  mcommoninit(mp, -1);
  g* gp = malg(static_cast<std::int32_t>(stackMin));
  casgstatus(gp, _Gidle, _Gdead);
  gp->m = mp;
  mp->curg = gp;
  mp->lockedInt++;
  mp->lockedg = gp;
  gp->lockedm = mp;
  gp->goid = sched.goidgen.Add(1);
  gp->startpc = reinterpret_cast<uintptr>(&runcallback);
  allgadd(gp);
  sched.ngsys.Add(1);
  // execute tells the end of the call that it seems to come back from.
  gp->sysblocktraced = true;
  if (traceEnabled()) traceOneNewExtraM(gp);
  return mp;
}

// First function of curg; between _Gsyscall and _Grunning only what needs no stack check.
GORT_NOSPLIT void callbackg(void* p) {
  auto* cb = static_cast<callback*>(p);
  exitsyscall();
  runcallback(cb->fn, cb->arg);
  entersyscallblock();
  mcall([](g*) { gort_g0return(); });
}

// On g0, whose base gort_startg0 has just recorded.
void entercurg() { gogo(getg()->m->curg); }

}  // namespace

GORT_NOINLINE void runcallback(void (*fn)(void*), void* arg) {
  // This way to goroutine code does not lead through execute.
  if (std::int32_t hz = sched.profilehz; getg()->m->profilehz != hz) setThreadCPUProfiler(hz);
  fn(arg);
}

void ExpectCallbacks() { iscgo.Store(true); }

namespace {

// Gives the calling thread an M. mask becomes the signals that it had blocked, altstack its signal
// stack.
void needm(stack_t* altstack, sigset* mask) {
  *mask = sigsave();
  sigblock(false);
  lock2(&extraM.lock);
  POINT(needm_locked);
  m* mp = extraM.head;
  if (mp != nullptr) extraM.head = mp->schedlink;
  unlock2(&extraM.lock);
  if (mp == nullptr) {
    mp = oneNewExtraM();
  } else {
    mp->schedlink = nullptr;
    callbackUpdateSystemStack(mp->g0);
    setg(mp->g0);
    setstackguard(mp->g0->stackguard0);
    racethreadinit(mp->g0);
  }
  mp->stackguardslot.Store(reinterpret_cast<atomic::Uintptr*>(stackguardslotaddr()));
  mp->procid = static_cast<std::uint64_t>(gettid());
  mp->sigmask = *mask;
  rawsyscall(SYS_sigaltstack, 0, reinterpret_cast<long>(altstack));
  racegostart(mp->curg);
  minit(mp);
}

void dropm(const stack_t* altstack, sigset mask) {
  m* mp = getg()->m;
  g* gp = mp->curg;
  sigblock(false);
  // The timer is this thread's, and the M goes to another.
  if (mp->profilehz != 0) setThreadCPUProfiler(0);
  casgstatus(gp, _Gsyscall, _Gdead);
  gp->preemptStop = false;
  gp->syscallsp = 0;
  sched.ngsys.Add(1);
  rawsyscall(SYS_sigaltstack, reinterpret_cast<long>(altstack), 0);
  withdrawstackguard(mp);
  setg(nullptr);
  setstackguard(0);
  lock2(&extraM.lock);
  mp->schedlink = extraM.head;
  extraM.head = mp;
  unlock2(&extraM.lock);
  msigrestore(mask);
}

}  // namespace

GORT_NOSPLIT void cgocallback(void (*fn)(void*), void* arg) {
  if (g* gp = getg(); gp != nullptr) {
    // In a function that cgocall runs: its goroutine is in a system call.
    if (gp == gp->m->g0) throw_("cgocallback on a system stack");
    fn(arg);
    return;
  }
  iscgo.Store(true);
  callback cb{fn, arg, {}};
  sigset mask;
  needm(&cb.altstack, &mask);
  g* gp = getg()->m->curg;
  gostartsyscall(gp, callbackg, &cb);
  // Not before: the collector leaves a dead goroutine's stack alone, and may scan and shrink this one
  // from here on.
  casgstatus(gp, _Gdead, _Gsyscall);
  sched.ngsys.Add(-1);
  gort_startg0(entercurg);
  dropm(&cb.altstack, mask);
}

}  // namespace gort::runtime
