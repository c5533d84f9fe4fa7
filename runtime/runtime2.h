// The runtime's central types: g (goroutine), m (thread), p (right to run goroutines), sched, and
// what hangs on them. Ports runtime2.go.
//
// Who may touch what, in general:
//  - a g's fields belong to the M that runs it, or, while it does not run, to whoever holds its
//    _Gscan bit or took it from a queue;
//  - an m's fields belong to its own thread; a p's to the M that holds it;
//  - what others may read at the same time is atomic (atomic.h); the comment says who and why the
//    order is enough.
#pragma once

#include "atomic.h"
#include "lock_futex.h"
#include "lockrank.h"
#include "mgcwork.h"
#include "mstats.h"
#include "mwbbuf.h"
#include "sys.h"

namespace gort::runtime {

struct g;
struct m;
struct p;
struct sudog;
struct hchan;
struct timer;
struct mcache;
struct mspan;
struct _defer;
struct _panic;
struct deferframe;
struct traceBuf;
struct allThreadsFn;

// A set of signals as the kernel has it: bit n-1 stands for signal n.
using sigset = std::uint64_t;

// Goroutine states, with Go's values (runtime2.go). casgstatus and its kin are the only writers of
// g.atomicstatus; see proc_status.cc for the transitions.
inline constexpr std::uint32_t _Gidle = 0;       // allocated, not initialised
inline constexpr std::uint32_t _Grunnable = 1;   // on a run queue; owns no stack execution
inline constexpr std::uint32_t _Grunning = 2;    // runs user code, owns its stack, has M and P
inline constexpr std::uint32_t _Gsyscall = 3;    // in a system call, owns its stack, has an M
inline constexpr std::uint32_t _Gwaiting = 4;    // blocked; on a wait queue somewhere
inline constexpr std::uint32_t _Gdead = 6;       // unused: just exited, on a free list, or new
inline constexpr std::uint32_t _Gcopystack = 8;  // its stack is being moved by newstack
inline constexpr std::uint32_t _Gpreempted = 9;  // stopped itself for suspendG; no wait queue
inline constexpr std::uint32_t _Gscan = 0x1000;  // or-ed in: somebody holds g's stack still
inline constexpr std::uint32_t _Gscanrunnable = _Gscan + _Grunnable;
inline constexpr std::uint32_t _Gscanrunning = _Gscan + _Grunning;
inline constexpr std::uint32_t _Gscansyscall = _Gscan + _Gsyscall;
inline constexpr std::uint32_t _Gscanwaiting = _Gscan + _Gwaiting;
inline constexpr std::uint32_t _Gscanpreempted = _Gscan + _Gpreempted;

// P states.
inline constexpr std::uint32_t _Pidle = 0;     // on the idle list, or owned by who is moving it
inline constexpr std::uint32_t _Prunning = 1;  // owned by an M
inline constexpr std::uint32_t _Psyscall = 2;  // its M is in a system call; may be taken by CAS
inline constexpr std::uint32_t _Pgcstop = 3;  // stopped for stop-the-world, owned by the stopper
inline constexpr std::uint32_t _Pdead = 4;  // beyond GOMAXPROCS; keeps its caches' memory only

// The bounds of a goroutine stack: exactly [lo, hi).
struct stack {
  uintptr lo;
  uintptr hi;
};

// Where a goroutine continues. sp points at the block of callee-saved registers that the switch
// pushed; above it lies the address to continue at (asm_amd64.S). pc and bp repeat what is in that
// block, for tracebacks.
struct gobuf {
  uintptr sp;
  uintptr pc;
  uintptr bp;
};

struct heldLockInfo {
  uintptr lockAddr;
  lockRank rank;
};

// Why a goroutine is blocked; the text stands in brackets in its traceback header.
enum waitReason : std::uint8_t {
  waitReasonZero,
  waitReasonGCAssistMarking,
  waitReasonIOWait,
  waitReasonChanReceiveNilChan,
  waitReasonChanSendNilChan,
  waitReasonDumpingHeap,
  waitReasonGarbageCollection,
  waitReasonGarbageCollectionScan,
  waitReasonPanicWait,
  waitReasonSelect,
  waitReasonSelectNoCases,
  waitReasonGCAssistWait,
  waitReasonGCSweepWait,
  waitReasonGCScavengeWait,
  waitReasonChanReceive,
  waitReasonChanSend,
  waitReasonFinalizerWait,
  waitReasonForceGCIdle,
  waitReasonSemacquire,
  waitReasonSleep,
  waitReasonSyncCondWait,
  waitReasonSyncMutexLock,
  waitReasonSyncRWMutexRLock,
  waitReasonSyncRWMutexLock,
  waitReasonTraceReaderBlocked,
  waitReasonWaitForGCCycle,
  waitReasonGCWorkerIdle,
  waitReasonGCWorkerActive,
  waitReasonPreempted,
  waitReasonDebugCall,
  waitReasonGCMarkTermination,
  waitReasonStoppingTheWorld,
  waitReasonFlushProcCaches,
};
const char* waitReasonString(waitReason w);
constexpr bool isMutexWait(waitReason w) {
  return w == waitReasonSyncMutexLock || w == waitReasonSyncRWMutexRLock ||
         w == waitReasonSyncRWMutexLock;
}

// What the execution tracer calls a block (trace.go); carried from gopark to the tracer.
enum traceBlockReason : std::uint8_t {
  traceBlockGeneric,
  traceBlockForever,
  traceBlockNet,
  traceBlockSelect,
  traceBlockCondWait,
  traceBlockSync,
  traceBlockChanSend,
  traceBlockChanRecv,
  traceBlockGCMarkAssist,
  traceBlockGCSweep,
  traceBlockSystemGoroutine,
  traceBlockPreempted,
  traceBlockDebugCall,
  traceBlockUntilGCEnds,
  traceBlockSleep,
};

enum throwType : std::uint32_t {
  throwTypeNone,  // not throwing
  throwTypeUser,  // the user's fault: system frames are left out of the dump
  throwTypeRuntime,  // the runtime's own fault: they are shown
};

struct g {
  // stack bounds; written by the owner, or by who moves the stack (status _Gcopystack or _Gscan).
  struct stack stack;
  // Compared with the stack pointer at function entry through %fs:112, which the M that runs g
  // keeps equal to it. stack.lo+stackGuard, or stackPreempt to ask for preemption. Others store
  // stackPreempt only (preemptone): a store that is lost to the owner's is repeated by sysmon, so
  // relaxed is enough.
  atomic::Racy<uintptr> stackguard0;

  struct _panic* _panic;  // innermost panic, a record on this stack; owner
  struct _defer* _defer;  // innermost deferred call; owner
  // Current m. Written on that M by execute and dropg; tracebacks and schedtrace look from outside
  // and take any recent value.
  atomic::Racy<struct m*> m;
  gobuf sched;  // valid while g does not run
  // Bytes that the function which called __morestack needs; 0 when none is stopped there. Owner.
  uintptr morestackframe;
  // While in _Gsyscall: rbx and r12 to r15 as they were at the call. The goroutine may keep its only
  // pointer to an object there.
  uintptr syscallregs[5];
  // Vector registers of a goroutine that was preempted by a signal, a block of allocvecstate; null
  // until that happens for the first time. Owner; contents valid while asyncSafePoint.
  void* vecstate;
  bool asyncSafePoint;  // stopped by a signal: frames in unknown state, the stack must not move

  // If in _Gsyscall: where the stack stood at the call, for tracebacks and stack scans. 0 otherwise.
  uintptr syscallsp;
  uintptr syscallpc;
  uintptr syscallbp;
  uintptr stktopsp;  // sp at the outermost frame, checked by tracebacks

  // What the waker hands over: the sudog of the channel operation that was completed.
  // Written by who dequeued g's sudog, read by g once it runs again (the run queues order them).
  void* param;
  atomic::Uint32 atomicstatus;
  // Constant from newproc1 to goexit0; schedtrace and dumps look at any g at any time.
  atomic::Racy<std::uint64_t> goid;
  g* schedlink;  // next in a gList or gQueue; protected by what protects that list
  // ns, approximate time of blocking; set by tracebacks' callers. Atomic because a goroutine that
  // comes back from a system call clears it while a traceback of all may read it.
  atomic::Racy<std::int64_t> waitsince;
  // Set before g blocks; read from outside by tracebacks, which take a slightly old one.
  atomic::Racy<waitReason> waitreason;

  // preemption request; duplicates stackguard0 == stackPreempt. Set by others, relaxed as above.
  atomic::Racy<bool> preempt;
  // Stop in _Gpreempted rather than yield. Set under _Gscan, read by g as it runs: relaxed as above,
  // suspendG asks again when g has missed it.
  atomic::Racy<bool> preemptStop;
  bool preemptShrink;  // shrink the stack at the next synchronous safe point; protected by _Gscan
  // Stack scanned in this cycle. Set under _Gscan; reset, like gcAssistBytes, before a cycle begins,
  // while the goroutine may be running: nobody looks at either then.
  atomic::Racy<bool> gcscandone;
  bool throwsplit;  // growing the stack now is an error (in a system call); owner
  // There are unlocked channels whose sudogs point into this stack: a copy must take their locks.
  // Written by the owner before it parks (under those locks, in the park commit) and after it wakes.
  bool activeStackChans;
  // About to park on a channel: between the status change and the park commit, shrinking is unsafe.
  atomic::Bool parkingOnChan;
  bool pinned;  // started by go_pinned: the stack never moves; constant while g lives
  bool systemg;  // a goroutine of the runtime itself, hidden from users; constant while g lives
  bool tracking;  // measuring this g's scheduling latency; owner
  std::uint8_t trackingSeq;
  std::int64_t trackingStamp;  // ns
  std::int64_t runnableTime;  // ns
  atomic::Racy<struct m*> lockedm;  // LockOSThread; written by g itself, shown by schedtrace

  std::uint64_t parentGoid;  // goid of the creator
  uintptr gopc;  // pc of the go statement
  // Where the creator was at that time, then its own creator, and so on; null unless
  // dbg.tracebackancestors. Written before g runs and after it has ended; a crash that looks at a g
  // in between takes either (proc_ancestors.cc).
  atomic::Racy<struct ancestorInfo*> ancestors;
  uintptr startpc;  // pc of the goroutine's function
  void* closure;  // heap copy of fn and its arguments when they are not on the stack
  void (*closurefree)(void*);  // destroys closure when g exits

  // sudogs that g waits on and whose elem may point into g's stack, in lock order; owner, or who
  // moves the stack.
  sudog* waiting;
  struct timer* timer;  // cached for time::Sleep; owner
  atomic::Uint32 selectDone;  // 1 once a case of the select g is blocked in has won
  deferframe* deferframe_;  // innermost func() frame; a record on this stack; owner

  // What the signal was that sigpanic turns into a panic. Written by the handler that interrupted g,
  // read by g: the same thread.
  std::uint32_t sig;
  bool
      paniconfault;  // panic at any faulting address, rather than die (debug.SetPanicOnFault); owner
  uintptr sigcode0;
  uintptr sigcode1;
  uintptr sigpc;

  // Bytes that g may allocate before it has to help marking; negative: its debt. Owner, and who pays
  // for it while it waits; reset before a cycle begins.
  atomic::Racy<std::int64_t> gcAssistBytes;

  // Labels of the CPU and goroutine profiles (proflabel.h), in collected memory; markroot follows it.
  // Owner; the signal handler on the thread that runs g reads it.
  atomic::Racy<void*> labels;
  // Execution tracer (trace.h). They go with the goroutine: owned by who runs it, or makes it
  // runnable, or has stopped the world.
  bool sysblocktraced;  // the tracer knows of the system call that g is in
  std::int64_t sysexitticks;  // cputicks when that call returned, 0 for not known
  std::uint64_t traceseq;  // of its last event
  struct p* tracelastp;  // the P of its last event

  void* racectx;  // TSan fiber; null in plain builds
  uintptr racestack;  // its shadow-stack position when empty
};

inline constexpr std::uint8_t gTrackingPeriod = 8;

using mstartfn_t = void (*)();

// What an M waits for, spinning or with a time limit, other than a lock or a goroutine.
enum mWait : std::uint8_t {
  mWaitNone,
  mWaitSafePoints,  // forEachPInternal: Ps that have not run the function
  mWaitWorld,  // stopTheWorldWithSema: Ps that have not stopped
  mWaitAllThreads,  // doAllThreadsSyscall: Ms that have not made the call
};

struct m {
  struct g* g0;  // goroutine with the scheduling stack; constant
  struct g* gsignal;  // signal-handling g; constant after minit
  // The goroutine that runs on this M, null while it schedules. Written on this thread; preemptone
  // and tracebacks read it from outside and take any recent value.
  atomic::Racy<struct g*> curg;
  // Block of allocvecstate for the next goroutine that a signal preempts here; this thread.
  void* vecstate;
  // Attached p, null when not running goroutine code. Written on this thread; schedtrace reads it.
  atomic::Racy<struct p*> p;
  atomic::Racy<struct p*> nextp;  // p to acquire on wake-up; written before notewakeup(park)
  struct p* oldp;  // p held before the system call
  // Address of this thread's %fs:112, so that others can store stackPreempt there. Written by the thread
  // itself; null before it runs, and once it ends or gives this M up (withdrawstackguard). Whoever stores
  // there without g's scan bit counts in stackguardusers while he has the address.
  atomic::Pointer<atomic::Uintptr> stackguardslot;
  atomic::Uint32 stackguardusers;

  // Kernel thread id, 0 before the thread runs. Written once by the thread; signalM reads it.
  atomic::Racy<std::uint64_t> procid;
  sigset
      sigmask;  // mask that a new thread takes over, or, of a thread made by others, its own before
  std::int64_t id;
  mstartfn_t mstartfn;

  atomic::Racy<std::int32_t> mallocing;
  atomic::Racy<throwType> throwing;
  atomic::Racy<const char*> preemptoff;  // if not "", keep curg on this M; the reason, for people
  // Number of locks held and of other reasons not to be preempted; shown by schedtrace.
  atomic::Racy<std::int32_t> locks;
  atomic::Racy<std::int32_t> dying;
  // Out of work and looking for some. Written on this thread, or under sched.lock by who starts it.
  atomic::Racy<bool> spinning;
  atomic::Racy<bool> blocked;  // asleep on a note
  std::int8_t printlock;
  std::uint8_t traceback;
  std::uint64_t fastrand;  // state of the generator
  note park;
  struct m* alllink;  // next on allm; constant after publication
  struct m* schedlink;  // next on sched.midle or a hand-off list; protected by that list's lock
  atomic::Racy<struct g*> lockedg;
  std::uint32_t lockedExt;  // LockOSThread calls that are open
  std::uint32_t lockedInt;  // the runtime's own lockOSThread calls that are open

  // Arguments that gopark leaves for park_m.
  bool (*waitunlockf)(struct g*, void*);
  void* waitlock;
  traceBlockReason waitTraceBlockReason;
  int waitTraceSkip;
  bool
      startingtrace;  // in StartTrace, which writes events before the tracer is enabled; this thread

  std::uint32_t syscalltick;
  struct m* freelink;  // on sched.freem
  atomic::Uint32 freeWait;  // freeMWait until the thread no longer needs m and g0
  // Number of preemption signals that have been handled here. Counted by the handler, after its
  // attempt; suspendG compares two values to see whether one came in between.
  atomic::Uint32 preemptGen;
  // 1 while a preemption signal is on its way: no second one is sent.
  atomic::Uint32 signalPending;
  // This M sleeps by mPark when it has nothing to do; the others (sysmon, template thread) do not.
  // Written before the thread starts.
  bool doesPark;
  bool isextra;  // for threads that others have made (proc_extram.cc); constant
  // A system call that every thread must make (doAllThreadsSyscall).
  struct {
    mutex lock;
    // 1 while fn is to be run. Written under lock; 0 without the lock says that there is nothing to
    // do, or that it has been done: the store comes after the call.
    atomic::Uint32 used;
    allThreadsFn* fn;  // protected by lock
  } mFixup;

  // CPU profile: the rate at which this thread is profiled, 0 for not, and its timer. Written on this
  // thread, where the signal handler reads them.
  atomic::Racy<std::int32_t> profilehz;
  std::int32_t profileTimer;
  atomic::Bool profileTimerValid;
  uintptr createstack[32];  // where the thread was made; constant after mcommoninit, ends with a 0
#if GORT_TSAN
  // A signal that ends the process, put off until this thread leaves TSan (signal_handler.cc), its si_code,
  // and the timer that asks for another look. 0 if there is none. Its handlers only.
  std::uint32_t fatalsig;
  int fatalsigcode;
  int fatalsigtimer;
#endif

  // Locks held, innermost last; checked builds only; this thread.
  int locksHeldLen;
  heldLockInfo locksHeld[10];

#if GORT_POINTS
  // While this thread is asleep in lock2: the lock, and the frame at which its stack begins for a
  // reader. Null otherwise. Written on this thread; chaos/ reads them from outside.
  atomic::Observed<mutex*> waitinglock;
  atomic::Observed<uintptr> waitingfp;
  // While this thread is in suspendG: the goroutine that it waits for, else null; which other thing it
  // waits for; and whether it is in a signal handler, whatever else it was doing, and waits for the
  // receiver of signals (sigsend). waits is raised before each such wait, so that a reader knows one
  // from the next. As above.
  atomic::Observed<struct g*> waitinggoroutine;
  atomic::Observed<mWait> waitingfor;
  atomic::Observed<bool> waitingreceiver;
  atomic::Observed<std::uint64_t> waits;
#endif
#if GORT_EXPLORE
  void* explorestack;  // of the explorer, for this thread; constant once the thread runs
#endif
};

// Values of m.freeWait.
inline constexpr std::uint32_t freeMStack = 0;  // free the stack and the reference
inline constexpr std::uint32_t freeMRef = 1;  // free the reference
inline constexpr std::uint32_t freeMWait = 2;  // still in use

// Lists of gs, linked through schedlink: a g is on at most one.
struct gQueue {
  g* head = nullptr;
  g* tail = nullptr;
  bool empty() const { return head == nullptr; }
  void push(g* gp);  // at the head
  void pushBack(g* gp);  // at the tail
  void pushBackAll(gQueue q2);
  g* pop();
};
struct gList {
  // Atomic only because gfget looks at sched.gFree's heads before it takes the lock.
  atomic::Racy<g*> head;
  bool empty() const { return head == nullptr; }
  void push(g* gp);
  void pushAll(gQueue q);
  g* pop();
};

struct sysmontick {  // sysmon only
  std::uint32_t schedtick;
  std::int64_t schedwhen;
  std::uint32_t syscalltick;
  std::int64_t syscallwhen;
};

inline constexpr std::uint32_t runqlen = explore::capacity<std::uint32_t>(256, 8);
inline constexpr int sudogcachecap = explore::capacity<int>(128, 4);

struct p {
  std::int32_t id;  // constant
  // One of _Pidle ...; a change from _Psyscall is a CAS, others are made by the owner.
  atomic::Uint32 status;
  p* link;  // next on sched.pidle or procresize's list
  // Incremented on every scheduler call and system call; sysmon reads them to see progress.
  atomic::Racy<std::uint32_t> schedtick;
  atomic::Racy<std::uint32_t> syscalltick;
  struct sysmontick sysmontick;
  // Back-link, null when idle; written by who owns p; preemptone and schedtrace read it.
  atomic::Racy<struct m*> m;
  struct mcache* mcache;

  _defer* deferpool;  // free records, linked through link
  std::int32_t deferpoollen;

  std::uint64_t goidcache;  // next goid to hand out, up to goidcacheend
  std::uint64_t goidcacheend;

  // Queue of runnable goroutines, a ring. The owner adds at runqtail; the owner and thieves take at
  // runqhead by CAS. Release store of the tail publishes the slots, acquire load of the head makes
  // sure that a slot is empty before it is written again. The slots themselves are relaxed: a thief
  // that reads a slot too late fails its CAS.
  atomic::Uint32 runqhead;
  atomic::Uint32 runqtail;
  atomic::Relaxed<g*> runq[runqlen];
  // If not null, a goroutine that was readied by the one that runs now and shares its time slice.
  // Others may CAS it to null; only the owner puts one in.
  atomic::Pointer<g> runnext;

  struct {
    gList list;  // _Gdead gs, with and without stack
    atomic::Racy<std::int32_t> n;  // gcount adds these up from outside
  } gFree;

  sudog* sudogcache[sudogcachecap];
  int sudogcachelen;

  // The when of the first timer, 0 for none; written under timersLock, read without.
  atomic::Int64 timer0When;
  atomic::Int64 timerModifiedEarliest;

  atomic::Uint32 runSafePointFn;  // 1: call sched.safePointFn at the next safe point

  mutex timersLock;  // protects timers; other Ps run them too
  timer** timers;  // a 4-ary heap by when
  std::int32_t timerslen;
  std::int32_t timerscap;
  atomic::Uint32 numTimers;
  atomic::Uint32 deletedTimers;

  // Mark work found and not yet given to others, and pointers that the write barrier has caught.
  // Owner, between safe points.
  gcWork gcw;
  struct wbBuf wbBuf;

  // ns of assists, and of fractional marking in this cycle. Owner.
  std::int64_t gcAssistTime;
  std::int64_t gcFractionalMarkTime;
  // What kind of mark worker runs here now, and since when (ns). Owner.
  std::uint8_t gcMarkWorkerMode;
  std::int64_t gcMarkWorkerStartTime;
  // Sizes and number of the stacks scanned on this P in this cycle (bytes); owner.
  std::uint64_t scannedStackSize;
  std::uint64_t scannedStacks;
  void* pinnerCache;  // cleared in each cycle; nothing is kept there yet

  heapStatsDelta statsDelta;

  // Execution tracer. Owner, or who has stopped the world.
  struct traceBuf* tracebuf;
  bool traceSweep;  // between traceGCSweepStart and traceGCSweepDone
  uintptr traceSwept, traceReclaimed;  // bytes, in that time

  // Ask this P to enter the scheduler soon, whatever runs on it. Relaxed as g.preempt.
  atomic::Racy<bool> preempt;
};

// Bitmask with one bit per P. Bits change atomically; the words move only while the world is
// stopped and all is protected by allpLock besides.
struct pMask {
  atomic::Uint32* words = nullptr;
  std::int32_t len = 0;
  bool read(std::uint32_t id) const {
    return (words[id / 32].Load() & (std::uint32_t(1) << (id % 32))) != 0;
  }
  void set(std::int32_t id) { words[id / 32].Or(std::uint32_t(1) << (id % 32)); }
  void clear(std::int32_t id) { words[id / 32].And(~(std::uint32_t(1) << (id % 32))); }
};

struct schedt {
  atomic::Uint64 goidgen;
  atomic::Int64 lastpoll;  // ns, time of the last poll, 0 while somebody polls
  atomic::Int64 pollUntil;  // ns, the time to which the current poll sleeps

  mutex lock;

  // Protected by lock:
  struct m* midle;  // idle Ms
  // The counts are also shown and compared by readers without the lock, who take any recent value.
  atomic::Racy<std::int32_t> nmidle;
  std::int32_t nmidlelocked;
  atomic::Racy<std::int64_t> mnext;  // number of Ms made so far, and next id
  std::int32_t maxmcount;
  std::int32_t nmsys;  // system Ms, left out of the deadlock count
  atomic::Racy<std::int64_t> nmfreed;

  atomic::Int32 ngsys;  // number of system goroutines

  // Idle Ps; protected by lock. exitsyscallfast looks whether there is one before it locks.
  atomic::Racy<struct p*> pidle;
  atomic::Int32 npidle;
  atomic::Int32 nmspinning;  // see proc_schedule.cc
  atomic::Uint32 needspinning;  // boolean; set to 1 under lock only

  // Global run queue; protected by lock. runqsize is also read without it as a hint.
  gQueue runq;
  atomic::Racy<std::int32_t> runqsize;

  // 1 from before sysmon's thread is made until it runs: allm names it already.
  atomic::Uint32 sysmonStarting;

  // Selective disabling of user goroutines; protected by lock; user is also read as a hint.
  struct {
    atomic::Racy<bool> user;
    gQueue runnable;
    std::int32_t n;
  } disable;

  // Global cache of dead gs.
  struct {
    mutex lock;
    gList stack;  // with stacks
    gList noStack;  // without
    atomic::Racy<std::int32_t> n;
  } gFree;

  mutex sudoglock;
  sudog* sudogcache;  // protected by sudoglock

  mutex deferlock;
  atomic::Racy<_defer*> deferpool;  // protected by deferlock; newdefer looks before it locks

  struct m* freem;  // Ms waiting to be freed; protected by lock

  atomic::Bool gcwaiting;  // somebody wants the world stopped
  // Ps that still have to stop; protected by lock, read as a hint by exitsyscallfast.
  atomic::Racy<std::int32_t> stopwait;
  note stopnote;
  atomic::Bool sysmonwait;
  note sysmonnote;

  // Called on each P at its next safe point when p.runSafePointFn is set; protected by lock.
  void (*safePointFn)(struct p*);
  std::int32_t safePointWait;
  note safePointNote;

  std::int64_t procresizetime;  // ns; world stopped
  std::int64_t totaltime;  // integral of gomaxprocs over time, up to procresizetime

  mutex sysmonlock;  // hold it to keep sysmon out

  // Rate of the CPU profile. Written under lock; execute looks without it and takes any recent value.
  atomic::Racy<std::int32_t> profilehz;

  atomic::Int64 totalMutexWaitTime;  // ns
};

// A g in a wait list, of a channel or a semaphore. One g may be on many lists and one object may
// have many waiters, hence a record for each pair. From acquireSudog, back by releaseSudog.
struct sudog {
  // Protected by the lock of the channel or semaphore root that the sudog is queued on.
  struct g* g;
  sudog* next;
  sudog* prev;
  void* elem;  // data element, may point into g's stack

  // In cputicks. acquiretime: when g began to wait for a mutex, 0 if not to be profiled. releasetime:
  // 0, or -1 for the waker to put the time of the wake-up there.
  std::int64_t acquiretime;
  std::int64_t releasetime;
  std::uint32_t ticket;

  bool isSelect;  // g is in a select: selectDone decides who wins
  bool success;  // a value was transferred, rather than the channel closed
  // semaRoot: number of sudogs in the list behind this head, for the mutex profile; sticks at the top.
  std::uint16_t waiters;

  sudog* parent;  // semaRoot's tree
  sudog* waitlink;  // g.waiting list or semaRoot
  sudog* waittail;  // semaRoot
  hchan* c;  // channel
};

extern atomic::Racy<m*> allm;  // list through alllink; grows at the head under sched.lock
extern atomic::Racy<std::int32_t> gomaxprocs;  // changes while the world is stopped only
extern std::int32_t ncpu;  // constant after schedinit
extern schedt sched;
extern std::int32_t newprocs;  // asked-for GOMAXPROCS; world stopped

// len(allp) == gomaxprocs. Written while the world is stopped, under allpLock; read with a P, or
// under allpLock, or from a copy that was taken with a P.
struct pSlice {
  // sysmon looks at the slots under allpLock while procresize fills them, and passes over a null.
  atomic::Racy<p*>* ptr = nullptr;
  std::int32_t len = 0;
  p* operator[](std::int32_t i) const { return ptr[i]; }
};
extern mutex allpLock;
extern pSlice allp;
extern pMask idlepMask;  // Ps on the idle list
extern pMask timerpMask;  // Ps that may have a timer

extern m m0;
extern g g0;

}  // namespace gort::runtime
