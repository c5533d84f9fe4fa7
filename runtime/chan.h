// Channels. Ports chan.go. Programs use the typed chan<T> of gochan.h.
//
// Invariants:
//  - At least one of c.sendq and c.recvq is empty, except while one goroutine waits in a select
//    both to send to and to receive from an unbuffered c.
//  - Buffered: c.qcount > 0 implies that c.recvq is empty; c.qcount < c.dataqsiz implies that
//    c.sendq is empty.
//  - A slot of the buffer holds a value exactly when it is one of the qcount slots from recvx on;
//    the others are raw memory (zero for bitwise types and for all that may hold pointers).
//  - The collector knows the buffer and the values in it. It does not look at sudogs: who waits on a
//    channel is kept by its own stack, and the sudogs by their goroutines.
//  - closed goes from 0 to 1, once.
//  - Of a select's sudogs, the one whose dequeuer changed g.selectDone from 0 to 1 wins; the others
//    stay queued until the select itself takes them off, under the channels' locks.
//
// What an element pointer means (ep, sudog.elem, scase.elem):
//  - a sender's points to a value. The operation moves it out and leaves what C++ leaves of a
//    moved-from object (the bytes unchanged, for bitwise types); the sender destroys that.
//  - a receiver's points to raw memory, or is null to drop the value. If a value was received it
//    has been constructed there. If not, because c is closed, the memory is cleared for bitwise
//    types and left alone for others.
//  - it points to the heap or into the stack of the goroutine that does the operation. sudog.elem
//    follows that stack when it moves: see g.activeStackChans.
//
// Locks: c.lock protects every field of c and the sudogs queued on it, sudog.elem above all. While
// it is held no goroutine's status may be changed (no goready): shrinking a stack holds the _Gscan
// bit and then takes channel locks. When several channel locks are needed they are taken in order
// of address.
//
// The block profile is not kept: sudog.releasetime stays 0.
#pragma once

#include "mbarrier.h"
#include "mprof.h"
#include "proc.h"
#include "tsan.h"
#include "type.h"

namespace gort::runtime {

// first is read by the lock-free paths of the other direction, see empty() and full().
struct waitq {
  atomic::Pointer<sudog> first;
  sudog* last;

  // All three: the lock of the queue's channel must be held.
  void enqueue(sudog* sgp);
  // The first waiter that has not been won by another channel; null when there is none.
  sudog* dequeue();
  // Takes sgp off wherever it stands; nothing happens if it is not queued.
  void dequeueSudoG(sudog* sgp);
};

// How an element's bytes are moved and cleared.
enum elemMove : std::uint8_t {
  elemMoveSlow,  // by a call: any size, with pointers or without, or with elemops
  elemMove4,  // 4 bytes
  elemMove8,  // 8 bytes without a pointer
  elemMovePtr,  // one pointer
};

struct hchan {
  // Values in the queue. Written under lock with release, so that a lock-free reader who acquires
  // it sees what came before in program and lock order (closed in particular).
  atomic::Uint64 qcount;
  std::uint64_t dataqsiz;  // slots of the circular queue; constant
  void* buf;  // dataqsiz slots; constant
  std::uint16_t elemsize;  // constant
  elemMove move;  // constant
  // Written once, under lock, with release: who acquires a 1 without the lock sees what the closer
  // wrote before close, and every value that was ever queued.
  atomic::Uint32 closed;
  const _type* elemtype;  // constant
  const elemops* ops;  // of elemtype; null when elements are moved as bytes; constant
  std::uint64_t sendx;  // slot that the next send fills
  std::uint64_t recvx;  // slot that the next receive empties
  waitq recvq;
  waitq sendq;
  mutex lock;
};

struct chanrecvResult {
  bool selected;  // the operation took place
  bool received;  // a value was received, rather than the end of a closed channel
};

// A channel with room for size elements. Panics with «makechan: size out of range».
hchan* makechan(const chantype* t, std::int64_t size);

// The c <- *ep statement. Panics with «send on closed channel». A nil c blocks for ever.
void chansend1(hchan* c, void* ep);
// The *ep = <-c statement. A nil c blocks for ever.
void chanrecv1(hchan* c, void* ep);
// The same, and reports whether a value was received.
bool chanrecv2(hchan* c, void* ep);

// With block false both give up instead of waiting, and report false in selected.
bool chansend(hchan* c, void* ep, bool block);
chanrecvResult chanrecv(hchan* c, void* ep, bool block);

// select with one case and a default.
bool selectnbsend(hchan* c, void* ep);
chanrecvResult selectnbrecv(void* ep, hchan* c);

// Panics with «close of nil channel» or «close of closed channel».
void closechan(hchan* c);

// A snapshot, old as soon as it is there.
GORT_INLINE std::int64_t chanlen(const hchan* c) {
  return c == nullptr ? 0 : static_cast<std::int64_t>(c->qcount.LoadRelaxed());
}
GORT_INLINE std::int64_t chancap(const hchan* c) {
  return c == nullptr ? 0 : static_cast<std::int64_t>(c->dataqsiz);
}

// ---- shared by chan.cc and select.cc; c.lock must be held for all of it ----

inline void waitq::enqueue(sudog* sgp) {
  sgp->next = nullptr;
  sudog* x = last;
  if (x == nullptr) {
    sgp->prev = nullptr;
    first.StoreRel(sgp);
    last = sgp;
    return;
  }
  sgp->prev = x;
  x->next = sgp;
  last = sgp;
}

inline sudog* waitq::dequeue() {
  for (;;) {
    sudog* sgp = first.LoadRelaxed();
    if (sgp == nullptr) return nullptr;
    sudog* y = sgp->next;
    if (y == nullptr) {
      first.StoreRel(nullptr);
      last = nullptr;
    } else {
      y->prev = nullptr;
      first.StoreRel(y);
      sgp->next = nullptr;  // dequeueSudoG knows by it that sgp is off the queue
    }
    // A select that another case has woken already may not have come to the point where it takes
    // its other sudogs off: whoever changes selectDone owns the wake-up, everybody else looks
    // further.
    if (sgp->isSelect && !sgp->g->selectDone.CompareAndSwap(0, 1)) continue;
    return sgp;
  }
}

// The value's way, for what needs a call. The write barrier is told of every pointer that is written
// and of every one that is overwritten, because either end may be in the heap or in the stack of
// another goroutine; raw memory at the destination costs it a look at old words, and nothing else.
void typedmemmoveSlow(const hchan* c, void* dst, void* src);
void typedmemclrSlow(const hchan* c, void* p);

// Constructs *dst, raw memory, from *src.
GORT_INLINE void typedmemmove(const hchan* c, void* dst, void* src) {
  if (GORT_LIKELY(c->move == elemMove8)) {
    __builtin_memcpy_inline(dst, src, 8);
  } else if (c->move == elemMovePtr) {
    gcWriteBarrier(dst, *static_cast<void**>(src));
    __builtin_memcpy_inline(dst, src, 8);
  } else if (c->move == elemMove4) {
    __builtin_memcpy_inline(dst, src, 4);
  } else {
    typedmemmoveSlow(c, dst, src);
  }
}

// Ends the value in p, a slot of the buffer. Zero for the sake of the collector.
GORT_INLINE void typedmemclr(const hchan* c, void* p) {
  if (GORT_LIKELY(c->move == elemMove8)) {
    __builtin_memset_inline(p, 0, 8);
  } else if (c->move == elemMovePtr) {
    gcWriteBarrier(p, nullptr);
    __builtin_memset_inline(p, 0, 8);
  } else {
    typedmemclrSlow(c, p);
  }
}

// What a receiver gets from a closed channel; see the top of the file.
GORT_INLINE void clearReceived(const hchan* c, void* ep) {
  if (ep != nullptr && c->ops == nullptr) typedmemclr(c, ep);
}

GORT_INLINE void* chanbuf(const hchan* c, std::uint64_t i) { return add(c->buf, i * c->elemsize); }

// Puts *ep at the tail of the buffer, which has room.
GORT_INLINE void bufsend(hchan* c, void* ep) {
  typedmemmove(c, chanbuf(c, c->sendx), ep);
  if (++c->sendx == c->dataqsiz) c->sendx = 0;
  c->qcount.StoreRel(c->qcount.LoadRelaxed() + 1);
}

// Takes the head of the buffer, which is not empty, to *ep; drops it if ep is null.
GORT_INLINE void bufrecv(hchan* c, void* ep) {
  void* qp = chanbuf(c, c->recvx);
  if (ep != nullptr) typedmemmove(c, ep, qp);
  typedmemclr(c, qp);
  if (++c->recvx == c->dataqsiz) c->recvx = 0;
  c->qcount.StoreRel(c->qcount.LoadRelaxed() - 1);
}

// Hands *ep to the waiting receiver sg, which has been dequeued from c, an empty channel; releases
// c by unlockf and makes the receiver runnable.
template <class Unlock>
GORT_INLINE void send(hchan* c, sudog* sg, void* ep, Unlock unlockf, int skip) {
  // The only operations that write to the stack of another goroutine are send and recv. The
  // destination is read and used under c.lock, and whoever moves that stack takes c.lock first.
  if (sg->elem != nullptr) {
    typedmemmove(c, sg->elem, ep);
    sg->elem = nullptr;
  }
  g* gp = sg->g;
  unlockf();
  POINT(chan_handed_over);
  gp->param = sg;
  sg->success = true;
  setreleasetime(sg);
  goready(gp, skip + 1);
}

// Takes a value from c, a full channel, whose waiting sender sg has been dequeued: from the sender
// itself if c is unbuffered; otherwise from the head of the buffer, and the sender's value goes to
// the tail, the same slot. Releases c by unlockf and makes the sender runnable.
template <class Unlock>
GORT_INLINE void recv(hchan* c, sudog* sg, void* ep, Unlock unlockf, int skip) {
  if (c->dataqsiz == 0) {
    POINT(recv_before_direct);
    if (ep != nullptr) typedmemmove(c, ep, sg->elem);
  } else {
    void* qp = chanbuf(c, c->recvx);
    if (ep != nullptr) typedmemmove(c, ep, qp);
    if (c->ops != nullptr) typedmemclr(c, qp);
    typedmemmove(c, qp, sg->elem);
    if (++c->recvx == c->dataqsiz) c->recvx = 0;
    c->sendx = c->recvx;
  }
  sg->elem = nullptr;
  g* gp = sg->g;
  unlockf();
  POINT(chan_handed_over);
  gp->param = sg;
  sg->success = true;
  setreleasetime(sg);
  goready(gp, skip + 1);
}

// c.lock must not be held.
[[noreturn]] void panicSendOnClosed();

}  // namespace gort::runtime
