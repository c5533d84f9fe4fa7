// Starting, stopping and reading a trace. Ports that part of trace.go (Go 1.19). The reader waits as in
// later releases: it parks without trace_.lock and looks once more when it is parked, so that the lock
// is never held where a goroutine's stack may grow, nor where an event is written.
//
//   StartTrace ... enabled ... StopTrace: enabled = false, shutdown = true -> waits for shutdownSema
//   reader:  header, full buffers ..., frequency, stacks and strings, null -> raises shutdownSema
//
// Invariants:
//  - Between the two changes of enabled all goroutines have a consistent history in the trace: at its
//    start StartTrace writes what each does, and no collection runs at either end (stopTheWorldGC), so
//    that the collector's events come in pairs.
//  - A goroutine may come back from a system call while the world is stopped, without a P. It gets to
//    write to trace_.buf only, and bufLock, held here, keeps it out.
//  - shutdown stays set from StopTrace until all is read: no new trace begins before.
#include "trace.h"

#include "goruntime.h"
#include "mgc.h"
#include "os_linux.h"
#include "print.h"
#include "sema.h"
#include "trace_buf.h"

namespace gort::runtime {

traceState trace_;

namespace {

constexpr const char* gcMarkWorkerModeStrings[gcMarkWorkerModes] = {
    "Not worker",
    "GC (dedicated)",
    "GC (fractional)",
    "GC (idle)",
};

constexpr char header[16] = {'g', 'o', ' ', '1', '.', '1', '9', ' ', 't', 'r', 'a', 'c', 'e'};

// What the goroutine does, as events: who made it does not matter any more, stackID is the present
// stack. World stopped.
void traceExisting(g* gp, std::uint32_t stackID) {
  std::uint32_t status = readgstatus(gp);
  // The goroutine of a thread that the runtime did not make comes back as from a system call, be the
  // thread inside at this moment or not.
  m* mp = gp->m;
  if (status == _Gdead && mp != nullptr && mp->isextra) status = _Gsyscall;
  if (status != _Gdead) {
    gp->traceseq = 0;
    gp->tracelastp = getg()->m->p;
    traceEvent(traceEvGoCreate, -1, gp->goid, traceStartPCID(gp->startpc), stackID);
  }
  if (status == _Gwaiting) {
    gp->traceseq++;
    traceEvent(traceEvGoWaiting, -1, gp->goid);
  }
  if (status == _Gsyscall) {
    gp->traceseq++;
    traceEvent(traceEvGoInSyscall, -1, gp->goid);
  } else {
    gp->sysblocktraced = false;
  }
}

// On g0, world stopped.
bool startTrace1() {
  lock(&sched.sysmonlock);
  lock(&trace_.bufLock);
  if (trace_.enabled || trace_.shutdown.Load()) {
    unlock(&trace_.bufLock);
    unlock(&sched.sysmonlock);
    return false;
  }
  m* mp = getg()->m;
  // enabled comes later: an exitsyscall that goes on now must not write events of a goroutine before
  // those here have said that it is in a system call.
  mp->startingtrace = true;
  uintptr* stk = static_cast<uintptr*>(
      POINT_FAILS(starttrace_mmap) ? nullptr : sysAlloc(traceStackSize * sizeof(uintptr)));
  if (stk == nullptr) throw_("trace: out of memory");
  std::uint32_t stackID = traceStackID(mp, stk);
  sysFree(stk, alignUp(traceStackSize * sizeof(uintptr), 4096));
  forEachGRace([=](g* gp) { traceExisting(gp, stackID); });
  traceProcStart();
  traceGoStart();
  // After the events of goroutines in system calls: traceGoSysExit takes an earlier time for one of
  // before the trace.
  trace_.ticksStart = cputicks();
  trace_.timeStart = nanotime();
  trace_.headerWritten = false;
  trace_.footerWritten = false;
  trace_.seqGC = 0;
  mp->startingtrace = false;
  trace_.enabled = true;
  traceBufRef b = traceAcquireBuffer();
  for (int i = 0; i < gcMarkWorkerModes; i++)
    trace_.markWorkerLabels[i] = traceString(b.bufp, b.pid, gcMarkWorkerModeStrings[i]);
  traceReleaseBuffer(b.pid);
  unlock(&trace_.bufLock);
  unlock(&sched.sysmonlock);
  return true;
}

// On g0, world stopped.
bool stopTrace1() {
  lock(&sched.sysmonlock);
  lock(&trace_.bufLock);
  if (!trace_.enabled) {
    unlock(&trace_.bufLock);
    unlock(&sched.sysmonlock);
    return false;
  }
  traceGoSched();
  lock(&trace_.lock);
  // Ps beyond GOMAXPROCS too.
  for (std::int32_t i = 0; i < allpcap; i++) {
    p* pp = allp.ptr[i];
    if (pp == nullptr || pp->tracebuf == nullptr) continue;
    traceFullQueue(pp->tracebuf);
    pp->tracebuf = nullptr;
  }
  if (trace_.buf != nullptr) {
    traceFullQueue(trace_.buf);
    trace_.buf = nullptr;
  }
  unlock(&trace_.lock);
  for (;;) {
    trace_.ticksEnd = cputicks();
    trace_.timeEnd = nanotime();
    if (trace_.timeEnd != trace_.timeStart) break;
    osyield();
  }
  trace_.enabled = false;
  trace_.shutdown.Store(true);
  unlock(&trace_.bufLock);
  unlock(&sched.sysmonlock);
  return true;
}

// All has been read. On g0; no trace begins before shutdown is cleared.
void freeTrace() {
  lock(&trace_.lock);
  if (trace_.buf != nullptr) throw_("trace: non-empty global trace buffer");
  if (trace_.fullHead.Load() != nullptr || trace_.fullTail != nullptr)
    throw_("trace: non-empty full trace buffer");
  if (trace_.reading != nullptr || trace_.reader.Load() != nullptr)
    throw_("trace: reading after shutdown");
  traceBuf* empty = trace_.empty;
  trace_.empty = nullptr;
  unlock(&trace_.lock);
  while (traceBuf* buf = empty) {
    empty = buf->link;
    sysFree(buf, sizeof(traceBuf));
  }
  traceStringsReset();
  trace_.shutdown.Store(false);
}

// Ticks per second, in units of traceTickDiv.
std::uint64_t frequency() {
  double ticks = static_cast<double>(trace_.ticksEnd - trace_.ticksStart);
  double freq = ticks * 1e9 / static_cast<double>(trace_.timeEnd - trace_.timeStart) /
                static_cast<double>(traceTickDiv);
  if (freq <= 0) throw_("trace: ReadTrace got invalid frequency");
  return static_cast<std::uint64_t>(freq);
}

// What ReadTrace does next, on g0.
enum readStep { readChunk, readPark, readFooter, readDone, readBusy };

readStep nextStep(traceChunk* chunk) {
  lock(&trace_.lock);
  readStep step = readChunk;
  if (trace_.readerActive) {
    unlock(&trace_.lock);
    return readBusy;
  }
  if (traceBuf* buf = trace_.reading; buf != nullptr) {
    buf->link = trace_.empty;
    trace_.empty = buf;
    trace_.reading = nullptr;
  }
  if (!trace_.headerWritten) {
    trace_.headerWritten = true;
    *chunk = {header, sizeof header};
  } else if (traceBuf* buf = traceFullDequeue(); buf != nullptr) {
    trace_.reading = buf;
    *chunk = {buf->arr, buf->pos};
  } else if (!trace_.shutdown.Load()) {
    step = readPark;
    trace_.readerActive = true;
  } else if (!trace_.footerWritten) {
    trace_.footerWritten = true;
    step = readFooter;
  } else {
    step = readDone;
  }
  unlock(&trace_.lock);
  return step;
}

// The unlock function of the parked reader.
bool readerParked(g* gp, void*) {
  trace_.reader.Store(gp);
  // Has there been anything since it looked?
  g* ready = traceReader();
  if (ready != nullptr && ready != gp) throw_("unexpected trace reader");
  return ready == nullptr;
}

}  // namespace

void traceinit() {
  lockInit(&trace_.bufLock, lockRankTraceBuf);
  lockInit(&traceStringsLock, lockRankTraceStrings);
  lockInit(&trace_.lock, lockRankTrace);
  lockInit(&traceStackTab.lock, lockRankTraceStackTab);
}

bool StartTrace() {
  stopTheWorldGC(stwStartTrace);
  bool ok = false;
  systemstack([&] { ok = startTrace1(); });
  startTheWorldGC();
  return ok;
}

void StopTrace() {
  stopTheWorldGC(stwStopTrace);
  bool ok = false;
  systemstack([&] { ok = stopTrace1(); });
  startTheWorldGC();
  if (!ok) return;
  // The world runs, but with shutdown set no trace can be started.
  semacquire(&trace_.shutdownSema);
  systemstack([] { freeTrace(); });
}

traceChunk ReadTrace() {
  for (;;) {
    traceChunk chunk{nullptr, 0};
    readStep step = readDone;
    systemstack([&] { step = nextStep(&chunk); });
    switch (step) {
      case readChunk:
        return chunk;
      case readPark:
        gopark(readerParked, nullptr, waitReasonTraceReaderBlocked, traceBlockSystemGoroutine, 2);
        systemstack([] {
          lock(&trace_.lock);
          trace_.readerActive = false;
          unlock(&trace_.lock);
        });
        break;
      case readFooter: {
        std::uint8_t* p = trace_.footer;
        *p++ = traceEvFrequency;
        std::uint64_t freq = frequency();
        for (; freq >= 0x80; freq >>= 7) *p++ = static_cast<std::uint8_t>(freq | 0x80);
        *p++ = static_cast<std::uint8_t>(freq);
        // The first look at debug information takes long, and nobody shall wait for this P meanwhile.
        cgocall([](void*) { traceStackTab.dump(); }, nullptr);
        return {trace_.footer, static_cast<uintptr>(p - trace_.footer)};
      }
      case readDone:
        POINT(readtrace_before_release);
        semrelease(&trace_.shutdownSema);
        return chunk;
      case readBusy:
        println("runtime: ReadTrace called from multiple goroutines simultaneously");
        return chunk;
    }
  }
}

g* traceReaderAvailable() {
  g* gp = trace_.reader.Load();
  if (gp != nullptr && (trace_.fullHead.Load() != nullptr || trace_.shutdown.Load())) return gp;
  return nullptr;
}

g* traceReader() {
  g* gp = traceReaderAvailable();
  if (gp == nullptr || !trace_.reader.CompareAndSwap(gp, nullptr)) return nullptr;
  return gp;
}

}  // namespace gort::runtime
