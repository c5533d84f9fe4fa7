// Assists: goroutines that allocate while the collector marks pay with mark work. Ports that part of
// mgcmark.go.
//
// Invariants:
//  - g.gcAssistBytes is what g may allocate; at below zero it assists before it allocates more. One
//    byte costs assistWorkPerByte of scan work, a rate that the pacer revises.
//  - Work that background workers have done and nobody has claimed is in gcController.bgScanCredit;
//    assists take it first. It may be below zero for a moment when two take at once.
//  - A goroutine that can neither claim nor work waits on work.assistQueue; workers pay for the
//    queue before they add to bgScanCredit. Nobody waits there when gcBlackenEnabled is off:
//    gcMarkDone wakes all, after it has turned that off, and nobody queues afterwards
//    (both under the queue's lock).
#include "malloc.h"
#include "mgcmark.h"
#include "os_linux.h"
#include "print.h"
#include "proc.h"
#include "trace.h"

namespace gort::runtime {

namespace {

double workPerByte() { return gcController.assistWorkPerByte; }
double bytesPerWork() { return gcController.assistBytesPerWork; }

// Does scanWork of work for gp, on g0. gp.param is not null afterwards if that was the last work that
// anybody had: gp's stack cannot tell, it may have been moved.
void gcAssistAlloc1(g* gp, std::int64_t scanWork) {
  gp->param = nullptr;
  if (gcBlackenEnabled.Load() == 0) {
    // mallocgc's look was without order; marking is over, and so are debts.
    gp->gcAssistBytes = 0;
    return;
  }
  std::int64_t start = nanotime();
  std::uint32_t decnwait = work.nwait.Add(~std::uint32_t(0));
  if (decnwait == work.nproc) {
    println("runtime: work.nwait =", decnwait, "work.nproc=", work.nproc);
    throw_("nwait > work.nprocs");
  }
  // gcDrainN needs a goroutine that can be scanned.
  casGToWaiting(gp, _Grunning, waitReasonGCAssistMarking);
  p* pp = getg()->m->p;
  std::int64_t workDone = gcDrainN(&pp->gcw, scanWork);
  casgstatus(gp, _Gwaiting, _Grunning);

  // One more, so that it is something even when the rate is very low.
  gp->gcAssistBytes +=
      1 + static_cast<std::int64_t>(bytesPerWork() * static_cast<double>(workDone));

  POINT(gcassistalloc1_before_nwait);
  std::uint32_t incnwait = work.nwait.Add(1);
  if (incnwait > work.nproc) {
    println("runtime: work.nwait=", incnwait, "work.nproc=", work.nproc);
    throw_("work.nwait > work.nproc");
  }
  if (incnwait == work.nproc && !gcMarkWorkAvailable(nullptr)) gp->param = gp;
  pp->gcAssistTime += nanotime() - start;
  if (pp->gcAssistTime > gcAssistTimeSlack) {
    gcController.assistTime.Add(pp->gcAssistTime);
    pp->gcAssistTime = 0;
  }
}

// Waits until somebody has paid. False: try again instead, there is credit.
bool gcParkAssist() {
  POINT(gcparkassist_begin);
  lock(&work.assistQueue.lock);
  // A cycle does not end while the lock is held.
  if (gcBlackenEnabled.Load() == 0) {
    unlock(&work.assistQueue.lock);
    return true;
  }
  g* gp = getg();
  gQueue before = work.assistQueue.q;
  work.assistQueue.q.pushBack(gp);
  work.assistQueue.nonempty = true;
  // Workers look at the queue and then add to the credit; we do the opposite, so one of us sees.
  if (gcController.bgScanCredit.Load() > 0) {
    work.assistQueue.q = before;
    if (before.tail != nullptr) before.tail->schedlink = nullptr;
    work.assistQueue.nonempty = !before.empty();
    unlock(&work.assistQueue.lock);
    return false;
  }
  goparkunlock(&work.assistQueue.lock, waitReasonGCAssistWait, traceBlockGCMarkAssist, 2);
  return true;
}

}  // namespace

g* deductAssistCredit(uintptr size) {
  g* gp = getg()->m->curg;
  if (gp == nullptr) return nullptr;
  gp->gcAssistBytes -= static_cast<std::int64_t>(size);
  // This may block, so it comes before the allocation holds anything.
  if (gp->gcAssistBytes < 0) gcAssistAlloc(gp);
  return gp;
}

void gcAssistAlloc(g* gp) {
  // Not where a block would be a surprise.
  m* mp = getg()->m;
  if (getg() == mp->g0) return;
  if (mp->locks > 0 || mp->preemptoff[0] != 0) return;
  // One event for the whole of it, if it comes to marking. Tracing neither starts nor stops meanwhile.
  struct assistTrace {
    bool started = false;
    GORT_INLINE ~assistTrace() {
      if (started) traceGCMarkAssistDone();
    }
  } traced;
  for (;;) {
    std::int64_t debtBytes = -gp->gcAssistBytes;
    auto scanWork = static_cast<std::int64_t>(workPerByte() * static_cast<double>(debtBytes));
    if (scanWork < gcOverAssistWork) {
      // More than is due, so that the next allocations need not ask.
      scanWork = gcOverAssistWork;
      debtBytes = static_cast<std::int64_t>(bytesPerWork() * static_cast<double>(scanWork));
    }
    std::int64_t credit = gcController.bgScanCredit.Load();
    if (credit > 0) {
      std::int64_t stolen = scanWork;
      if (credit < scanWork) {
        stolen = credit;
        gp->gcAssistBytes +=
            1 + static_cast<std::int64_t>(bytesPerWork() * static_cast<double>(stolen));
      } else {
        gp->gcAssistBytes += debtBytes;
      }
      gcController.bgScanCredit.Add(-stolen);
      scanWork -= stolen;
      if (scanWork == 0) return;
    }
    if (traceEnabled() && !traced.started) {
      traced.started = true;
      traceGCMarkAssistStart();
    }
    // By value: the stack may move meanwhile.
    systemstack([gp, scanWork] { gcAssistAlloc1(gp, scanWork); });
    bool completed = gp->param != nullptr;
    gp->param = nullptr;
    if (completed) gcMarkDone();
    if (gp->gcAssistBytes >= 0) return;
    if (gp->preempt) {
      Gosched();
      continue;
    }
    if (gcParkAssist()) return;
  }
}

void gcWakeAllAssists() {
  lock(&work.assistQueue.lock);
  gList list;
  // In the order in which they came.
  gQueue q = work.assistQueue.q;
  list.head = q.head;
  work.assistQueue.q = gQueue{};
  work.assistQueue.nonempty = false;
  injectglist(&list);
  unlock(&work.assistQueue.lock);
}

void gcFlushBgCredit(std::int64_t scanWork) {
  if (!work.assistQueue.nonempty) {
    // One that queues now is paid next time.
    gcController.bgScanCredit.Add(scanWork);
    return;
  }
  auto scanBytes = static_cast<std::int64_t>(static_cast<double>(scanWork) * bytesPerWork());
  lock(&work.assistQueue.lock);
  gQueue& q = work.assistQueue.q;
  while (!q.empty() && scanBytes > 0) {
    g* gp = q.pop();
    if (scanBytes + gp->gcAssistBytes >= 0) {  // the latter is negative
      scanBytes += gp->gcAssistBytes;
      gp->gcAssistBytes = 0;
      // Not as runnext: nobody shall get fresh time slices out of the collector's priority.
      ready(gp, 0, false);
    } else {
      gp->gcAssistBytes += scanBytes;
      scanBytes = 0;
      // Large debts behind small ones.
      q.pushBack(gp);
    }
  }
  work.assistQueue.nonempty = !q.empty();
  if (scanBytes > 0)
    gcController.bgScanCredit.Add(
        static_cast<std::int64_t>(static_cast<double>(scanBytes) * workPerByte()));
  unlock(&work.assistQueue.lock);
}

}  // namespace gort::runtime
