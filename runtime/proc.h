// The scheduler's interface inside the runtime. Ports proc.go; each group names the file that
// implements it.
#pragma once

#include "panic_throw.h"
#include "point.h"
#include "stubs.h"

namespace gort::runtime {

// ---- proc_park.cc: blocking and waking goroutines ----

// Puts the current goroutine to _Gwaiting and calls unlockf(gp, lock) on g0; if that returns false
// the goroutine goes on at once. unlockf must not touch gp's stack: it may be moved between the
// status change and the call. reason stands in tracebacks.
void gopark(bool (*unlockf)(g*, void*), void* lock, waitReason reason, traceBlockReason traceReason,
            int traceskip);
// gopark that releases l once the goroutine is parked.
void goparkunlock(mutex* l, waitReason reason, traceBlockReason traceReason, int traceskip);
// Makes gp, which must be _Gwaiting, runnable; it becomes this P's runnext.
void goready(g* gp, int traceskip);
// goready on g0 only; next: as runnext.
void ready(g* gp, int traceskip, bool next);
void Gosched();
void goschedIfBusy();  // Gosched, unless there is an idle P that takes the others
void goyield();  // as Gosched, but to the local queue
[[noreturn]] void gopreempt_m(g* gp);
[[noreturn]] void preemptPark(g* gp);
// The end of a goroutine: what gort_gostart calls when its function returns.
[[noreturn]] void goexit1();
// Detaches m and curg from each other; on g0.
void dropg();

// sudogs come from a per-P cache and a central list. Clean (all links null) when taken and when
// given back.
sudog* acquireSudog();
void releaseSudog(sudog* s);

// ---- proc_status.cc: the state machine of g.atomicstatus ----
GORT_INLINE std::uint32_t readgstatus(g* gp) { return gp->atomicstatus.Load(); }
// From oldval to newval, both without _Gscan; waits while somebody holds the _Gscan bit.
void casgstatus(g* gp, std::uint32_t oldval, std::uint32_t newval);
void casGToWaiting(g* gp, std::uint32_t old, waitReason reason);
void casfrom_Gscanstatus(g* gp, std::uint32_t oldval, std::uint32_t newval);
bool castogscanstatus(g* gp, std::uint32_t oldval, std::uint32_t newval);
void casGToPreemptScan(g* gp, std::uint32_t old, std::uint32_t nw);
bool casGFromPreempted(g* gp, std::uint32_t old, std::uint32_t nw);
void dumpgstatus(g* gp);

// ---- proc_ancestors.cc: how a goroutine's creators came to it ----
// callergp's ancestors and callergp itself, for the goroutine that it is about to start; null unless
// GODEBUG=tracebackancestors. callergp is stopped.
struct ancestorInfo;
ancestorInfo* saveAncestors(g* callergp);
void freeAncestors(ancestorInfo* a);

// ---- proc_g.cc: making and keeping goroutines ----

// Starts fn(arg block) on a new goroutine. The block of size bytes is copied to the top of the new
// stack, or, if closurefree is not null, closure is kept by pointer and given to closurefree when
// the goroutine ends. startpc is the address shown for the goroutine's function.
struct newprocargs {
  void (*fn)(void*);  // called with the address of the closure
  void* closure;  // captured values
  std::uint32_t size;  // bytes to copy to the new stack; 0: pass the pointer itself
  void (*closurefree)(void*);  // destroys a closure that is passed by pointer
  uintptr startpc;
  bool pinned;  // large stack, never moved
  bool systemg;  // a goroutine of the runtime itself
};
void newproc(const newprocargs& a, uintptr callerpc);
g* malg(std::int32_t stacksize);
void gfput(p* pp, g* gp);
g* gfget(p* pp);
void gfpurge(p* pp);
std::int32_t gcount();
bool isSystemGoroutine(g* gp, bool fixed);

// All gs ever made, dead ones too; never shrinks. The slice is protected by allglock or a stopped
// world. allglen and allgptr are for readers that cannot lock: allgptr is stored before allglen,
// and readers load allglen before allgptr, so the length never exceeds the array that they got. Old
// arrays are kept, so that a stale pointer stays good.
extern mutex allglock;
struct allgsSlice {
  g** ptr;
  uintptr len;
  uintptr cap;
};
extern allgsSlice allgs;
void allgadd(g* gp);
struct atomicAllGResult {
  g** ptr;
  uintptr length;
};
atomicAllGResult atomicAllG();
GORT_INLINE g* atomicAllGIndex(g** ptr, uintptr i) { return ptr[i]; }
// Calls f(gp) for every g, with allglock held.
template <class F>
void forEachG(F&& f) {
  lock(&allglock);
  for (uintptr i = 0; i < allgs.len; i++) f(allgs.ptr[i]);
  unlock(&allglock);
}
// The same without the lock: gs that are made meanwhile may be missed.
template <class F>
void forEachGRace(F&& f) {
  auto [ptr, length] = atomicAllG();
  for (uintptr i = 0; i < length; i++) f(atomicAllGIndex(ptr, i));
}

// ---- proc_runq.cc: run queues ----
void runqput(p* pp, g* gp, bool next);
void runqputbatch(p* pp, gQueue* q, int qsize);
struct runqgetResult {
  g* gp;
  bool inheritTime;
};
runqgetResult runqget(p* pp);
bool runqempty(p* pp);
g* runqsteal(p* pp, p* p2, bool stealRunNextG);
// Global run queue; sched.lock must be held.
void globrunqput(g* gp);
void globrunqputhead(g* gp);
void globrunqputbatch(gQueue* batch, std::int32_t n);
g* globrunqget(p* pp, std::int32_t max);

// ---- proc_p.cc: Ps ----
void acquirep(p* pp);
void wirep(p* pp);
p* releasep();
// sched.lock must be held and the world stopped; returns the Ps with local work.
p* procresize(std::int32_t nprocs);
struct pidleResult {
  p* pp;
  std::int64_t now;
};
// Entries of allp's array; those from allp.len on are dead or null. World stopped.
extern std::int32_t allpcap;
// Idle list; sched.lock must be held. now may be 0 for «not known».
std::int64_t pidleput(p* pp, std::int64_t now);
pidleResult pidleget(std::int64_t now);
pidleResult pidlegetSpinning(std::int64_t now);
void updateTimerPMask(p* pp);
// An order of all Ps that starts anywhere and visits each once.
struct randomEnum {
  std::uint32_t i, count, pos, inc;
  bool done() const { return i == count; }
  void next() {
    i++;
    pos = (pos + inc) % count;
  }
  std::uint32_t position() const { return pos; }
};
randomEnum stealOrderStart(std::uint32_t r);
void stealOrderReset(std::uint32_t count);

// ---- proc_m.cc: Ms ----
void mcommoninit(m* mp, std::int64_t id);
// First code of an M on its own thread; returns when the M has ended.
void mstart(m* mp);
void newm(mstartfn_t fn, p* pp, std::int64_t id);
void stopm();
void startm(p* pp, bool spinning, bool lockheld);
void handoffp(p* pp);
void wakep();
void stoplockedm();
void startlockedm(g* gp);
void becomeSpinning(m* mp);
void mPark();
// Threads that a locked M asks for are made by the template thread, whose state is clean.
struct newmHandoffT {
  mutex lock;
  m* newm;  // list through schedlink; protected by lock
  bool waiting;  // the template thread sleeps on wake; protected by lock
  note wake;
  atomic::Uint32 haveTemplateThread;
};
extern newmHandoffT newmHandoff;

// ---- proc_extram.cc: threads that others have made ----
extern atomic::Bool iscgo;  // such threads may come in
void runcallback(void (*fn)(void*), void* arg);
void gostartsyscall(g* gp, void (*fn)(void*), void* arg);  // proc_g.cc

// ---- proc_allthreads.cc: one system call on every thread ----
// A system call and what it must return on every thread: what it returned on the first.
struct allThreadsFn {
  long nr;
  long args[6];
  long result;  // or -errno
  // Makes the call; with initial it stores the result, and returns false if it failed, else it throws
  // unless the result is the same. Runs on any thread, in a signal handler too.
  bool run(bool initial);
};
// Stops the world and runs fn on every M's thread; only on this one if it fails there.
void doAllThreadsSyscall(allThreadsFn* fn);
// Runs what doAllThreadsSyscall has left for this M; true if there was something. Called wherever an
// M without a P wakes up.
bool mDoFixup();
// From a signal handler that waits for a thread which is making such a call.
void mDoFixupAndOSYield();
void mexit(bool osStack);
// mp's thread, which is about to end or to give mp up, has its limit to itself again: waits for whoever is
// about to store a request there.
void withdrawstackguard(m* mp);
void checkmcount();  // sched.lock must be held
std::int32_t mcount();
void mput(m* mp);  // sched.lock must be held
m* mget();  // sched.lock must be held
void startTemplateThread();
std::int64_t setMaxThreads(std::int64_t in);
extern bool mainStarted;

// ---- proc_schedule.cc: finding work ----
[[noreturn]] void schedule();
[[noreturn]] void execute(g* gp, bool inheritTime);
void injectglist(gList* glist);
bool schedEnabled(g* gp);  // sched.lock must be held
void schedEnableUser(bool enable);
struct checkTimersResult {
  std::int64_t now, pollUntil;
  bool ran;
};
checkTimersResult checkTimers(p* pp, std::int64_t now);
void wakeNetPoller(std::int64_t when);

// ---- proc_lockosthread.cc ----
void LockOSThread();
void UnlockOSThread();
void lockOSThread();
void unlockOSThread();

// ---- proc_syscall.cc: leaving and entering goroutine code ----
void entersyscall() asm("gort_entersyscall");  // asm_amd64.S
void entersyscallblock() asm("gort_entersyscallblock");
void exitsyscall();

// ---- proc_stw.cc: stopping the world ----
enum stwReason : std::uint8_t {
  stwUnknown,
  stwGCMarkTerm,
  stwGCSweepTerm,
  stwWriteHeapDump,
  stwGoroutineProfile,
  stwGoroutineProfileCleanup,
  stwAllGoroutinesStack,
  stwReadMemStats,
  stwAllThreadsSyscall,
  stwGOMAXPROCS,
  stwStartTrace,
  stwStopTrace,
};
const char* stwReasonString(stwReason r);
void stopTheWorld(stwReason reason);
void startTheWorld();
// The same, and no collection starts or runs until startTheWorldGC.
void stopTheWorldGC(stwReason reason);
void startTheWorldGC();
// Binary semaphores, 1 is free. worldsema: who stops the world, or changes gomaxprocs, or calls
// forEachP. gcsema: who needs no collection to run; taken before worldsema.
extern atomic::Uint32 worldsema;
extern atomic::Uint32 gcsema;
void stopTheWorldWithSema(stwReason reason);
#if GORT_POINTS
extern atomic::Racy<m*> worldstopper;  // who has stopped the world or is about to; for chaos/
GORT_INLINE void setworldstopper(m* mp) { worldstopper = mp; }
// From a wait to mWaitNone, both in the same function: m.waitingfor.
GORT_INLINE void setwaiting(m* mp, mWait what) {
  if (what != mWaitNone) {
    mp->waitingfp = reinterpret_cast<uintptr>(__builtin_frame_address(0));
    mp->waits = mp->waits + 1;
  }
  mp->waitingfor = what;
}
#else
GORT_INLINE void setworldstopper(m*) {}
GORT_INLINE void setwaiting(m*, mWait) {}
#endif
// emitTraceEvent: the tracer was told of the stop (traceGCSTWStart).
std::int64_t startTheWorldWithSema(bool emitTraceEvent);
void freezetheworld();
extern atomic::Bool freezing;
extern mutex deadlock;  // locked twice by who must never run again
inline constexpr std::int32_t freezeStopWait = 0x7fffffff;
void gcstopm();
// Calls fn(pp) for every P at a moment when it is at a safe point: a ragged barrier. worldsema must be
// held. fn must not refer to the caller's stack, which may be scanned and moved meanwhile: reason is
// why the caller counts as waiting.
void forEachP(waitReason reason, void (*fn)(p*));
// forEachP for a caller on g0 whose goroutine is preemptible (or while no collection runs).
void forEachPInternal(void (*fn)(p*));
void runSafePointFn();
// Sets the number of Ps, if n > 0, and returns the former one. Stops the world.
int GOMAXPROCS(int n);

// ---- proc_sysmon.cc ----
void sysmon();
bool preemptall();
bool preemptone(p* pp);
void checkdead();  // sched.lock must be held
void incidlelocked(std::int32_t v);
void schedtrace(bool detailed);

// ---- proc_init.cc ----
void schedinit();
extern std::int64_t runtimeInitTime;
// The main thread's signal mask as the process began; new threads begin with it.
extern sigset initSigmask;
[[noreturn]] void exit(std::int32_t code);

// ---- preempt.cc ----
bool canPreemptM(m* mp);
struct suspendGState {
  struct g* g;
  bool dead;  // the goroutine is dead: nothing to scan
  bool stopped;  // suspendG moved it from _Gpreempted to _Gwaiting: resumeG must ready it
};
// Stops gp at a safe point and takes its _Gscan bit; resumeG gives it back. Ports preempt.go.
suspendGState suspendG(g* gp);
void resumeG(suspendGState state);

}  // namespace gort::runtime
