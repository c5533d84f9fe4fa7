// The tracer's hooks: what the runtime calls when something happens. Ports the event functions of
// trace.go (Go 1.19); invariants in trace.h. The callers have looked at traceEnabled().
#include "mgc.h"
#include "trace_buf.h"

namespace gort::runtime {

namespace {

// Writes ev as an event of pp, which the caller owns without running on it: sysmon and who stops the
// world take Ps from system calls.
void eventOn(p* pp, traceEv ev) {
  systemstack([=] {
    m* mp = getg()->m;
    p* oldp = mp->p;
    mp->p = pp;
    traceEvent(ev, -1);
    mp->p = oldp;
  });
}

traceEv eventOf(traceBlockReason reason) {
  switch (reason) {
    case traceBlockForever:
      return traceEvGoStop;
    case traceBlockNet:
      return traceEvGoBlockNet;
    case traceBlockSelect:
      return traceEvGoBlockSelect;
    case traceBlockCondWait:
      return traceEvGoBlockCond;
    case traceBlockSync:
      return traceEvGoBlockSync;
    case traceBlockChanSend:
      return traceEvGoBlockSend;
    case traceBlockChanRecv:
      return traceEvGoBlockRecv;
    case traceBlockGCMarkAssist:
      return traceEvGoBlockGC;
    case traceBlockSleep:
      return traceEvGoSleep;
    case traceBlockGeneric:
    case traceBlockGCSweep:
    case traceBlockSystemGoroutine:
    case traceBlockPreempted:
    case traceBlockDebugCall:
    case traceBlockUntilGCEnds:
      return traceEvGoBlock;
  }
  return traceEvGoBlock;
}

}  // namespace

void traceGomaxprocs(std::int32_t procs) { traceEvent(traceEvGomaxprocs, 1, procs); }

void traceProcStart() {
  systemstack([] { traceEvent(traceEvProcStart, -1, getg()->m->id); });
}

void traceProcStop(p* pp) { eventOn(pp, traceEvProcStop); }

void traceProcFree(p* pp) {
  traceBuf* buf = pp->tracebuf;
  pp->tracebuf = nullptr;
  if (buf == nullptr) return;
  systemstack([=] {
    lock(&trace_.lock);
    traceFullQueue(buf);
    unlock(&trace_.lock);
  });
}

void traceGCStart() { traceEvent(traceEvGCStart, 3, trace_.seqGC++); }
void traceGCDone() { traceEvent(traceEvGCDone, -1); }
void traceGCSTWStart(int kind) { traceEvent(traceEvGCSTWStart, -1, kind); }
void traceGCSTWDone() { traceEvent(traceEvGCSTWDone, -1); }

void traceGCSweepStart() {
  // The event is written by the first traceGCSweepSpan, if there is one.
  p* pp = getg()->m->p;
  if (pp->traceSweep) throw_("double traceGCSweepStart");
  pp->traceSweep = true;
  pp->traceSwept = 0;
  pp->traceReclaimed = 0;
}

void traceGCSweepSpan(uintptr bytesSwept) {
  p* pp = getg()->m->p;
  // Spans are also swept one by one, outside of such a time; handoffp does it without a P.
  if (pp == nullptr || !pp->traceSweep) return;
  if (pp->traceSwept == 0) traceEvent(traceEvGCSweepStart, 1);
  pp->traceSwept += bytesSwept;
}

void traceGCSweepReclaimed(uintptr bytes) {
  if (p* pp = getg()->m->p; pp != nullptr) pp->traceReclaimed += bytes;
}

void traceGCSweepDone() {
  p* pp = getg()->m->p;
  if (!pp->traceSweep) throw_("missing traceGCSweepStart");
  if (pp->traceSwept != 0) traceEvent(traceEvGCSweepDone, -1, pp->traceSwept, pp->traceReclaimed);
  pp->traceSweep = false;
}

void traceGCMarkAssistStart() { traceEvent(traceEvGCMarkAssistStart, 1); }
void traceGCMarkAssistDone() { traceEvent(traceEvGCMarkAssistDone, -1); }

void traceGoCreate(g* newg, uintptr pc) {
  newg->traceseq = 0;
  newg->tracelastp = getg()->m->p;
  traceEvent(traceEvGoCreate, 2, newg->goid, traceStartPCID(pc));
}

void traceOneNewExtraM(g* gp) {
  // The goroutine's first event is going to be the end of a system call. StartTrace may have seen it in
  // allgs already; traceseq, which both write under bufLock, says so.
  lock(&trace_.bufLock);
  if (trace_.enabled && gp->traceseq == 0) {
    traceBufRef b{getg()->m, traceGlobProc, &trace_.buf};
    const std::uint64_t create[] = {gp->goid, traceStartPCID(gp->startpc), 0};
    traceEventLocked(0, b, traceEvGoCreate, -1, create, 3);
    const std::uint64_t id[] = {gp->goid};
    traceEventLocked(0, b, traceEvGoInSyscall, -1, id, 1);
    gp->traceseq = 1;
  }
  unlock(&trace_.bufLock);
}

void traceGoStart() {
  systemstack([] {
    m* mp = getg()->m;
    g* gp = mp->curg;
    p* pp = mp->p;
    gp->traceseq++;
    if (pp->gcMarkWorkerMode != gcMarkWorkerNotWorker) {
      traceEvent(traceEvGoStartLabel, -1, gp->goid, gp->traceseq,
                 trace_.markWorkerLabels[pp->gcMarkWorkerMode]);
    } else if (gp->tracelastp == pp) {
      traceEvent(traceEvGoStartLocal, -1, gp->goid);
    } else {
      gp->tracelastp = pp;
      traceEvent(traceEvGoStart, -1, gp->goid, gp->traceseq);
    }
  });
}

void traceGoEnd() { traceEvent(traceEvGoEnd, -1); }

void traceGoSched() {
  systemstack([] {
    m* mp = getg()->m;
    mp->curg->tracelastp = mp->p;
    traceEvent(traceEvGoSched, 1);
  });
}

void traceGoPreempt() {
  systemstack([] {
    m* mp = getg()->m;
    mp->curg->tracelastp = mp->p;
    traceEvent(traceEvGoPreempt, 1);
  });
}

void traceGoPark(traceBlockReason reason, int skip) { traceEvent(eventOf(reason), skip); }

void traceGoUnpark(g* gp, int skip) {
  systemstack([=] {
    p* pp = getg()->m->p;
    gp->traceseq++;
    if (gp->tracelastp == pp) {
      traceEvent(traceEvGoUnblockLocal, skip, gp->goid);
    } else {
      gp->tracelastp = pp;
      traceEvent(traceEvGoUnblock, skip, gp->goid, gp->traceseq);
    }
  });
}

void traceGoSysCall() { traceEvent(traceEvGoSysCall, 1); }

void traceGoSysExit(std::int64_t ts) {
  // The time was taken without a P, perhaps before this trace was started: then the goroutine comes
  // back now.
  auto ticks = static_cast<std::uint64_t>(ts);
  if (ticks < trace_.ticksStart) ticks = 0;
  systemstack([=] {
    m* mp = getg()->m;
    g* gp = mp->curg;
    gp->traceseq++;
    gp->tracelastp = mp->p;
    traceEvent(traceEvGoSysExit, -1, gp->goid, gp->traceseq, ticks / traceTickDiv);
  });
}

void traceGoSysBlock(p* pp) { eventOn(pp, traceEvGoSysBlock); }

void traceHeapAlloc() { traceEvent(traceEvHeapAlloc, -1, gcController.heapLive.Load()); }

void traceHeapGoal() {
  std::uint64_t goal = gcController.heapGoal();
  traceEvent(traceEvHeapGoal, -1, goal == ~std::uint64_t(0) ? 0 : goal);
}

// ---- for gotrace.cc ----

namespace {

// Runs write(b) on g0 with a buffer, if tracing is on.
template <class F>
void userEvent(F write) {
  if (!traceEnabled()) return;
  systemstack([&] {
    traceBufRef b = traceAcquireBuffer();
    if (trace_.enabled) write(b);
    traceReleaseBuffer(b.pid);
  });
}

}  // namespace

void trace_userTaskCreate(std::uint64_t id, std::uint64_t parentID, std::string_view taskType) {
  userEvent([=](const traceBufRef& b) {
    const std::uint64_t args[] = {id, parentID, traceString(b.bufp, b.pid, taskType)};
    traceEventLocked(0, b, traceEvUserTaskCreate, 3, args, 3);
  });
}

void trace_userTaskEnd(std::uint64_t id) {
  if (traceEnabled()) traceEvent(traceEvUserTaskEnd, 2, id);
}

void trace_userRegion(std::uint64_t id, std::uint64_t mode, std::string_view name) {
  userEvent([=](const traceBufRef& b) {
    const std::uint64_t args[] = {id, mode, traceString(b.bufp, b.pid, name)};
    traceEventLocked(0, b, traceEvUserRegion, 3, args, 3);
  });
}

void trace_userLog(std::uint64_t id, std::string_view category, std::string_view message) {
  if (message.size() > traceMaxString) message = message.substr(0, traceMaxString);
  userEvent([=](const traceBufRef& b) {
    const std::uint64_t args[] = {id, traceString(b.bufp, b.pid, category)};
    // The message stands behind the event.
    traceEventLocked(traceBytesPerNumber + message.size(), b, traceEvUserLog, 3, args, 2);
    traceBuf* buf = *b.bufp;
    buf->varint(message.size());
    buf->bytes(message.data(), message.size());
  });
}

}  // namespace gort::runtime
