// Channel operations. Ports chan.go; invariants and locks are written down in chan.h.
//
// The functions that park (chansend, chanrecv) have small frames: with gopark's they must fit in
// the 2 KiB stack that a goroutine starts with. What is rare stands in functions of its own.
#include "chan.h"

#include "error.h"
#include "goslice.h"
#include "malloc.h"
#include "mbarrier.h"
#include "mbitmap.h"

namespace gort::runtime {

namespace {

// Alignment of the buffer behind the hchan. Go needs 8; C++ has types with 16.
constexpr uintptr maxAlign = sys::StackAlign;
constexpr uintptr hchanSize = alignUp(sizeof(hchan), maxAlign);

// An hchan whose buffer is a block of its own: buf is the only pointer that the collector follows.
static_assert(offsetof(hchan, buf) == 2 * sys::PtrSize);
constexpr std::uint8_t hchanMask = 1 << 2;
constexpr stringStruct hchanName{"hchan", 5};
constexpr _type hchanType{.size = hchanSize,
                          .ptrdata = offsetof(hchan, buf) + sys::PtrSize,
                          .hash = 0,
                          .tflag = 0,
                          .align = sys::PtrSize,
                          .fieldAlign = sys::PtrSize,
                          .kind = kindStruct,
                          .equal = nullptr,
                          .gcdata = &hchanMask,
                          .str = &hchanName,
                          .uncommontype = nullptr,
                          .ptrToThis = nullptr};

elemMove elemMoveOf(const _type* elem) {
  if (typeops(elem) != nullptr) return elemMoveSlow;
  if (elem->size == 4) return elemMove4;
  if (elem->size != 8) return elemMoveSlow;
  return elem->ptrdata == 0 ? elemMove8 : elemMovePtr;
}

[[noreturn]] GORT_NOINLINE void blockForever(waitReason reason) {
  gopark(nullptr, nullptr, reason, traceBlockForever, 3);
  throw_("unreachable");
}

// Whether a send would block. One relaxed read of mutable state: the answer is that of some moment
// between the call and the return.
GORT_INLINE bool full(const hchan* c) {
  if (c->dataqsiz == 0) return c->recvq.first.LoadRelaxed() == nullptr;
  return c->qcount.LoadRelaxed() == c->dataqsiz;
}

// Whether a receive would block. One acquire read of mutable state.
GORT_INLINE bool empty(const hchan* c) {
  if (c->dataqsiz == 0) return c->sendq.first.LoadAcq() == nullptr;
  return c->qcount.LoadAcq() == 0;
}

// The unlock function of a goroutine that parks on one channel; on g0. chanLock is held, and
// released here.
bool chanparkcommit(g* gp, void* chanLock) {
  POINT(chanparkcommit_before_flag);
  // From here on sudogs of unlocked channels point into gp's stack: who copies it must lock those
  // channels. Not set before parking, because a stack growth on the way there would lock the
  // channel that gp itself holds.
  gp->activeStackChans = true;
  // Shrinking is safe again: whoever gets hold of gp's stack and reads false here also reads true
  // in activeStackChans.
  gp->parkingOnChan.Store(false);
  // Last: as soon as the channel is unlocked gp may be woken and run, and must find both set.
  unlock(static_cast<mutex*>(chanLock));
  return true;
}

// Queues the current goroutine on q, parks, and gives the sudog back once it is woken. Reports
// whether a value was transferred. c.lock must be held; it is released.
GORT_INLINE bool parkOn(hchan* c, waitq* q, void* ep, waitReason reason, traceBlockReason trace) {
  g* gp = getg();
  std::int64_t t0 = blockprofiletime();
  sudog* mysg = acquireSudog();
  mysg->releasetime = t0 == 0 ? 0 : -1;
  // Nothing may be called between here and the store to gp.waiting: a call can move the stack, and
  // copystack adjusts elem only if it finds the sudog there.
  mysg->elem = ep;
  mysg->waitlink = nullptr;
  mysg->g = gp;
  mysg->isSelect = false;
  mysg->c = c;
  gp->waiting = mysg;
  gp->param = nullptr;
  q->enqueue(mysg);
  POINT(chan_queued);
  // Between the change of gp's status and chanparkcommit the stack must not be shrunk: it would be
  // moved without the channel's lock.
  gp->parkingOnChan.Store(true);
  gopark(chanparkcommit, &c->lock, reason, trace, 2);

  if (mysg != gp->waiting) throw_("G waiting list is corrupted");
  gp->waiting = nullptr;
  gp->activeStackChans = false;
  bool success = mysg->success;
  gp->param = nullptr;
  std::int64_t releasetime = mysg->releasetime;
  mysg->c = nullptr;
  releaseSudog(mysg);
  if (GORT_UNLIKELY(releasetime > 0)) blockevent(releasetime - t0);
  return success;
}

}  // namespace

hchan* makechan(const chantype* t, std::int64_t size) {
  const _type* elem = t->elem;
  if (elem->size >= 1 << 16) throw_("makechan: invalid channel element type");
  if (elem->align > maxAlign) throw_("makechan: bad alignment");

  uintptr mem;
  bool overflow = __builtin_mul_overflow(elem->size, static_cast<uintptr>(size), &mem);
  if (overflow || mem > maxAlloc - hchanSize || size < 0)
    panicPlainError("makechan: size out of range");

  hchan* c;
  if (mem == 0) {
    // No queue, or elements without size. chanbuf still needs an address; nothing is stored there.
    c = new (mallocgc(hchanSize, nullptr)) hchan();
    c->buf = &c->buf;
  } else if (elem->ptrdata == 0) {
    // Nothing that the collector would have to look at behind buf: one block does for both.
    void* p = mallocgc(hchanSize + mem, nullptr);
    c = new (p) hchan();
    c->buf = add(p, hchanSize);
  } else {
    checkmap(elem);
    c = new (mallocgc(hchanSize, &hchanType)) hchan();
    c->buf = mallocgc(mem, elem);  // newer than c: needs no barrier
  }
  c->elemsize = static_cast<std::uint16_t>(elem->size);
  c->move = elemMoveOf(elem);
  c->elemtype = elem;
  c->ops = typeops(elem);
  c->dataqsiz = static_cast<std::uint64_t>(size);
  lockInit(&c->lock, lockRankHchan);
  return c;
}

void chansend1(hchan* c, void* ep) { chansend(c, ep, true); }

bool chansend(hchan* c, void* ep, bool block) {
  if (GORT_UNLIKELY(c == nullptr)) {
    if (!block) return false;
    blockForever(waitReasonChanSendNilChan);
  }

  // A non-blocking send that cannot go ahead is refused without the lock. Two reads: not closed,
  // and not ready for a send. A closed channel never turns from ready to not ready, so there was a
  // moment between the two at which c was open and not ready; that moment is when this send took
  // place. In the other order the same holds (not ready, then still open), so neither read needs an
  // order. Nothing is read of what others wrote, so there is nothing to acquire either; the locks
  // that receivers and closers release bring the two words to this thread in the end.
  if (!block && c->closed.LoadRelaxed() == 0 && full(c)) return false;

  lock(&c->lock);

  if (GORT_UNLIKELY(c->closed.LoadRelaxed() != 0)) {
    unlock(&c->lock);
    panicSendOnClosed();
  }

  if (sudog* sg = c->recvq.dequeue()) {
    send(c, sg, ep, [c] { unlock(&c->lock); }, 3);
    return true;
  }

  if (c->qcount.LoadRelaxed() < c->dataqsiz) {
    bufsend(c, ep);
    unlock(&c->lock);
    return true;
  }

  if (!block) {
    unlock(&c->lock);
    return false;
  }

  if (!parkOn(c, &c->sendq, ep, waitReasonChanSend, traceBlockChanSend)) {
    if (c->closed.LoadRelaxed() == 0) throw_("chansend: spurious wakeup");
    panicSendOnClosed();
  }
  return true;
}

void chanrecv1(hchan* c, void* ep) { chanrecv(c, ep, true); }

bool chanrecv2(hchan* c, void* ep) { return chanrecv(c, ep, true).received; }

chanrecvResult chanrecv(hchan* c, void* ep, bool block) {
  if (GORT_UNLIKELY(c == nullptr)) {
    if (!block) return {false, false};
    blockForever(waitReasonChanReceiveNilChan);
  }

  // A non-blocking receive that cannot go ahead, or that finds c closed and drained, does without
  // the lock. The order of the three reads matters:
  //  - empty, then open. Were closed read first, a channel that is closed and drained between the
  //    two would look open and empty, which it never was. empty() acquires, and the store that made
  //    c empty is a release after the closer's unlock: if draining followed closing, closed reads 1.
  //    And as c is never reopened, an open c was open at the moment of empty() too.
  //  - closed acquires the closer's release: what the closer wrote before close is seen by the
  //    caller, who learns of the close here (without it: golang.org/issue/36714), and every value
  //    that was queued before the close is seen by the second empty().
  if (!block && empty(c)) {
    POINT(chanrecv_fast_empty);
    if (c->closed.LoadAcq() == 0) return {false, false};
    if (empty(c)) {
      clearReceived(c, ep);
      return {true, false};
    }
  }

  lock(&c->lock);

  if (c->closed.LoadRelaxed() != 0) {
    if (c->qcount.LoadRelaxed() == 0) {
      unlock(&c->lock);
      clearReceived(c, ep);
      return {true, false};
    }
    // Closed, but there are values left.
  } else if (sudog* sg = c->sendq.dequeue()) {
    recv(c, sg, ep, [c] { unlock(&c->lock); }, 3);
    return {true, true};
  }

  if (c->qcount.LoadRelaxed() > 0) {
    bufrecv(c, ep);
    unlock(&c->lock);
    return {true, true};
  }

  if (!block) {
    unlock(&c->lock);
    return {false, false};
  }

  return {true, parkOn(c, &c->recvq, ep, waitReasonChanReceive, traceBlockChanRecv)};
}

bool selectnbsend(hchan* c, void* ep) { return chansend(c, ep, false); }

chanrecvResult selectnbrecv(void* ep, hchan* c) { return chanrecv(c, ep, false); }

void closechan(hchan* c) {
  if (c == nullptr) panicPlainError("close of nil channel");

  lock(&c->lock);
  if (c->closed.LoadRelaxed() != 0) {
    unlock(&c->lock);
    panicPlainError("close of closed channel");
  }
  c->closed.StoreRel(1);
  POINT(closechan_closed);

  // The waiters are collected first and made runnable when c.lock is free (chan.h, Locks).
  gList glist;
  while (sudog* sg = c->recvq.dequeue()) {
    if (sg->elem != nullptr) {
      clearReceived(c, sg->elem);
      sg->elem = nullptr;
    }
    setreleasetime(sg);
    g* gp = sg->g;
    gp->param = sg;
    sg->success = false;
    glist.push(gp);
  }
  // Senders panic once they run.
  while (sudog* sg = c->sendq.dequeue()) {
    sg->elem = nullptr;
    setreleasetime(sg);
    g* gp = sg->g;
    gp->param = sg;
    sg->success = false;
    glist.push(gp);
  }
  unlock(&c->lock);

  while (!glist.empty()) {
    g* gp = glist.pop();
    gp->schedlink = nullptr;
    goready(gp, 3);
  }
}

GORT_NOINLINE void panicSendOnClosed() { panicPlainError("send on closed channel"); }

// Between the barrier and the move there is no safe point: m.locks keeps the goroutine running, and
// both calls may at most grow its stack.
GORT_NOINLINE void typedmemmoveSlow(const hchan* c, void* dst, void* src) {
  if (c->elemsize == 0) return;
  const _type* t = c->elemtype;
  m* mp = acquirem();
  if (t->ptrdata != 0 && writeBarrier.enabled)
    typeBitsBulkBarrier(t, reinterpret_cast<uintptr>(dst), reinterpret_cast<uintptr>(src), t->size);
  if (c->ops != nullptr) {
    c->ops->move(dst, src);
  } else {
    raceReadRange(src, c->elemsize);
    raceWriteRange(dst, c->elemsize);
    memmove(dst, src, c->elemsize);
  }
  releasem(mp);
}

GORT_NOINLINE void typedmemclrSlow(const hchan* c, void* p) {
  if (c->elemsize == 0) return;
  if (c->ops != nullptr) c->ops->destroy(p);
  if (c->ops != nullptr && c->elemtype->ptrdata == 0) return;
  raceWriteRange(p, c->elemsize);
  typedmemclr(c->elemtype, p);
}

}  // namespace gort::runtime
