// The execution tracer's interface inside the runtime: the hooks that the scheduler, the collector and
// the allocator call. Ports trace.go of Go 1.19, whose format it writes («go 1.19 trace»), so that
// `go tool trace` of that release opens the file. Programs use gotrace.h.
//
// A trace is a header and batches of events. A batch holds events of one P in the order of their time;
// the reader of the file merges the batches. Events that may be read in the wrong order, because two Ps
// take part, carry a number that counts the goroutine's events (g.traceseq).
//
// Invariants:
//  - Every event is written on g0 (the hooks switch by themselves): its stack cannot move, and it keeps
//    its M and P until it is done.
//  - Who has a P writes to p.tracebuf; who has none to trace_.buf, under bufLock. enabled changes while
//    the world is stopped and bufLock is held: so whoever has a P, or bufLock, and reads true, may write.
//  - trace_.lock comes after every lock that is held where events are written; nothing but the stack
//    table's lock is taken under it. Buffers and tables are memory of the system, never of the heap.
//  - sysmon writes events only under sched.sysmonlock.
//  - A hook costs one load and a branch while the tracer is off: every call stands behind
//    traceEnabled().
#pragma once

#include <string_view>

#include "proc.h"

namespace gort::runtime {

// Event types, with their arguments. Every event has a time, the difference to the event before it.
enum traceEv : std::uint8_t {
  traceEvNone = 0,
  traceEvBatch = 1,  // start of a batch [pid, time]
  traceEvFrequency = 2,  // of the timer [ticks per second]
  traceEvStack =
      3,  // [stack id, number of frames, {pc, function string id, file string id, line}...]
  traceEvGomaxprocs = 4,  // [time, GOMAXPROCS, stack id]
  traceEvProcStart = 5,  // [time, thread id]
  traceEvProcStop = 6,  // [time]
  traceEvGCStart = 7,  // [time, seq, stack id]
  traceEvGCDone = 8,  // [time]
  traceEvGCSTWStart = 9,  // [time, kind]
  traceEvGCSTWDone = 10,  // [time]
  traceEvGCSweepStart = 11,  // [time, stack id]
  traceEvGCSweepDone = 12,  // [time, bytes swept, bytes reclaimed]
  traceEvGoCreate = 13,  // [time, new goroutine id, new stack id, stack id]
  traceEvGoStart = 14,  // starts to run [time, goroutine id, seq]
  traceEvGoEnd = 15,  // [time]
  traceEvGoStop = 16,  // blocks for ever [time, stack]
  traceEvGoSched = 17,  // calls Gosched [time, stack]
  traceEvGoPreempt = 18,  // [time, stack]
  traceEvGoSleep = 19,  // [time, stack]
  traceEvGoBlock = 20,  // [time, stack]
  traceEvGoUnblock = 21,  // [time, goroutine id, seq, stack]
  traceEvGoBlockSend = 22,  // [time, stack]
  traceEvGoBlockRecv = 23,  // [time, stack]
  traceEvGoBlockSelect = 24,  // [time, stack]
  traceEvGoBlockSync = 25,  // Mutex, RWMutex, WaitGroup [time, stack]
  traceEvGoBlockCond = 26,  // [time, stack]
  traceEvGoBlockNet = 27,  // [time, stack]
  traceEvGoSysCall = 28,  // enters a system call [time, stack]
  traceEvGoSysExit = 29,  // [time, goroutine id, seq, real time]
  traceEvGoSysBlock = 30,  // loses its P in a system call [time]
  traceEvGoWaiting = 31,  // is blocked when tracing starts [time, goroutine id]
  traceEvGoInSyscall = 32,  // is in a system call when tracing starts [time, goroutine id]
  traceEvHeapAlloc = 33,  // gcController.heapLive [time, bytes]
  traceEvHeapGoal = 34,  // [time, bytes]
  traceEvString = 37,  // [string id, length, bytes]
  traceEvGoStartLocal = 38,  // starts on the P of its last event [time, goroutine id]
  traceEvGoUnblockLocal = 39,  // the same [time, goroutine id, stack]
  traceEvGoSysExitLocal = 40,  // the same [time, goroutine id, real time]
  traceEvGoStartLabel = 41,  // starts with a label [time, goroutine id, seq, label string id]
  traceEvGoBlockGC = 42,  // waits in an assist [time, stack]
  traceEvGCMarkAssistStart = 43,  // [time, stack]
  traceEvGCMarkAssistDone = 44,  // [time]
  traceEvUserTaskCreate = 45,  // [time, task id, parent's id, stack, name string id]
  traceEvUserTaskEnd = 46,  // [time, task id, stack]
  traceEvUserRegion = 47,  // [time, task id, 0 start or 1 end, stack, name string id]
  traceEvUserLog = 48,  // [time, task id, key string id, stack, value]
};

// The time stamp counter divided by this: smaller numbers take fewer bytes.
inline constexpr std::uint64_t traceTickDiv = 64;
inline constexpr int traceStackSize = 128;  // frames of a stack
inline constexpr std::int32_t traceGlobProc = -1;  // the pid of events without a P
inline constexpr uintptr traceBytesPerNumber = 10;  // at most, for a 64-bit number
inline constexpr int traceArgCountShift = 6;
inline constexpr int gcMarkWorkerModes = 4;

struct traceBuf;

// The tracer's state.
struct traceState {
  // Changes while the world is stopped and bufLock is held; read without order by every hook, and again
  // by traceEvent once that has a P or bufLock.
  atomic::Racy<bool> enabled;
  // Tracing is over, and the reader has not yet got everything. Between StopTrace and the reader it is
  // what wakes the latter, hence sequentially consistent.
  atomic::Bool shutdown;
  // The goroutine that waits in ReadTrace; whoever swaps it for null makes it runnable.
  atomic::Pointer<g> reader;

  mutex lock;
  // Protected by lock:
  traceBuf* reading;  // the buffer that the reader has now
  traceBuf* empty;  // stack of empty buffers
  atomic::Pointer<traceBuf>
      fullHead;  // queue of full ones; traceReaderAvailable looks without lock
  traceBuf* fullTail;
  bool readerActive;  // somebody is in ReadTrace
  bool headerWritten, footerWritten;
  std::uint8_t footer[1 + traceBytesPerNumber];

  atomic::Uint32 shutdownSema;  // raised by the reader when it has got everything
  // Written while the world is stopped.
  std::uint64_t ticksStart, ticksEnd;  // cputicks
  std::int64_t timeStart, timeEnd;  // nanotime
  std::uint64_t markWorkerLabels[gcMarkWorkerModes];  // string ids
  std::uint64_t seqGC;  // number of GCStart; gcsema

  mutex bufLock;
  traceBuf* buf;  // protected by bufLock; used without a P
};
extern traceState trace_;

GORT_INLINE bool traceEnabled() { return GORT_UNLIKELY(trace_.enabled); }

// ---- trace.cc: starting, stopping, reading ----

void traceinit();
// False: tracing is already enabled. Stops the world.
bool StartTrace();
// Returns when the reader has got everything. Nothing when tracing is off. Stops the world.
void StopTrace();
// The next piece of the trace; blocks until there is one. Good until the next call; null at the end. One
// goroutine at a time.
struct traceChunk {
  const void* ptr;
  uintptr len;
};
traceChunk ReadTrace();
// The reader's goroutine, if it should be run now; else null. traceReader takes it, as a goroutine that
// is _Gwaiting and that nobody else will make runnable. Both only after a look at traceActive.
g* traceReader();
g* traceReaderAvailable();
GORT_INLINE bool traceActive() {
  return GORT_UNLIKELY(trace_.enabled || trace_.shutdown.LoadAcq());
}

// ---- trace_event.cc: the hooks ----

void traceGomaxprocs(std::int32_t procs);
void traceProcStart();
void traceProcStop(p* pp);  // the caller owns pp
void traceProcFree(p* pp);  // world stopped
void traceGCStart();
void traceGCDone();
void traceGCSTWStart(int kind);  // 0: mark termination, 1: sweep termination
void traceGCSTWDone();
void traceGCSweepSpan(uintptr bytesSwept);
void traceGCSweepReclaimed(uintptr bytes);
void traceGCMarkAssistStart();
void traceGCMarkAssistDone();
void traceGoCreate(g* newg, uintptr pc);
// gp is an extra M's new goroutine, in allgs by now. On that M's g0, without a P.
void traceOneNewExtraM(g* gp);
void traceGoStart();
void traceGoEnd();
void traceGoSched();
void traceGoPreempt();
void traceGoPark(traceBlockReason reason, int skip);
void traceGoUnpark(g* gp, int skip);
void traceGoSysCall();
void traceGoSysExit(std::int64_t ts);  // ts: cputicks, 0 for now
void traceGoSysBlock(p* pp);  // the caller owns pp
void traceHeapAlloc();
void traceHeapGoal();

// A time of sweeping on one P. It is one event when something has been swept and none when not. Between
// the two calls the goroutine keeps its P.
void traceGCSweepStart();
void traceGCSweepDone();
struct traceSweeping {
  m* mp = acquirem();
  bool traced = traceEnabled();
  GORT_INLINE traceSweeping() {
    if (traced) traceGCSweepStart();
  }
  GORT_INLINE ~traceSweeping() {
    if (traced) traceGCSweepDone();
    releasem(mp);
  }
  traceSweeping(const traceSweeping&) = delete;
  traceSweeping& operator=(const traceSweeping&) = delete;
};

// For gotrace.cc. Any goroutine; without effect while tracing is off.
void trace_userTaskCreate(std::uint64_t id, std::uint64_t parentID, std::string_view taskType);
void trace_userTaskEnd(std::uint64_t id);
void trace_userRegion(std::uint64_t id, std::uint64_t mode, std::string_view name);
void trace_userLog(std::uint64_t id, std::string_view category, std::string_view message);

}  // namespace gort::runtime
