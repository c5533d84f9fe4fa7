// selectgo. Ports select.go; invariants are written down in select.h.
#include "select.h"

#include "mprof.h"

namespace gort::runtime {

namespace {

GORT_INLINE uintptr sortkey(const hchan* c) { return reinterpret_cast<uintptr>(c); }

// Locks the channels of the n cases in lockorder. None may be held.
void sellock(const scase* scases, const std::uint16_t* lockorder, std::int64_t n) {
  hchan* c = nullptr;
  for (std::int64_t i = 0; i < n; i++) {
    hchan* c0 = scases[lockorder[i]].c;
    if (c0 != c) {
      c = c0;
      lock(&c->lock);
    }
  }
}

// Unlocks what sellock locked. All are held by the running goroutine, which stays on its stack, so
// scases and lockorder are good to the end (a parked select goes through selparkcommit instead).
void selunlock(const scase* scases, const std::uint16_t* lockorder, std::int64_t n) {
  for (std::int64_t i = n - 1; i >= 0; i--) {
    hchan* c = scases[lockorder[i]].c;
    if (i > 0 && c == scases[lockorder[i - 1]].c) continue;  // once, at its first case
    unlock(&c->lock);
  }
}

// The unlock function of a parked select; on g0. The channels of gp.waiting are held, and released
// here.
bool selparkcommit(g* gp, void*) {
  POINT(selparkcommit_before_flag);
  // As in chanparkcommit, and for the same reasons in this order.
  gp->activeStackChans = true;
  gp->parkingOnChan.Store(false);

  // The channels are found through gp.waiting, never through gp's stack, which may move already
  // (gopark). Once a channel is unlocked, its sudogs may change or be gone, links too: several of
  // them may belong to one channel, so it is unlocked only when the last of them has been passed.
  hchan* lastc = nullptr;
  for (sudog* sg = gp->waiting; sg != nullptr; sg = sg->waitlink) {
    if (sg->c != lastc && lastc != nullptr) {
      unlock(&lastc->lock);
      POINT(selparkcommit_unlocking);
    }
    lastc = sg->c;
  }
  if (lastc != nullptr) unlock(&lastc->lock);
  return true;
}

// Fills pollorder with a random permutation of the cases that have a channel; returns their number.
std::int64_t makePollorder(scase* scases, std::uint16_t* pollorder, std::int64_t ncases) {
  std::int64_t norder = 0;
  for (std::int64_t i = 0; i < ncases; i++) {
    if (scases[i].c == nullptr) {
      scases[i].elem = nullptr;
      continue;
    }
    std::uint32_t j = fastrandn(static_cast<std::uint32_t>(norder + 1));
    if (static_cast<std::int64_t>(j) != norder) pollorder[norder] = pollorder[j];
    pollorder[j] = static_cast<std::uint16_t>(i);
    norder++;
  }
  return norder;
}

// Fills lockorder with the n cases of pollorder, sorted by channel address. A heap sort: n log n at
// worst and no stack. Starting from pollorder leaves cases of one channel in random order.
void makeLockorder(const scase* scases, const std::uint16_t* pollorder, std::uint16_t* lockorder,
                   std::int64_t n) {
  auto key = [scases](std::uint16_t o) { return sortkey(scases[o].c); };
  for (std::int64_t i = 0; i < n; i++) {
    std::uint16_t o = pollorder[i];
    std::int64_t j = i;
    while (j > 0 && key(lockorder[(j - 1) / 2]) < key(o)) {
      lockorder[j] = lockorder[(j - 1) / 2];
      j = (j - 1) / 2;
    }
    lockorder[j] = o;
  }
  for (std::int64_t i = n - 1; i >= 0; i--) {
    // The largest of the heap [0, i] goes to i; the element that stood there sinks from the root.
    std::uint16_t o = lockorder[i];
    lockorder[i] = lockorder[0];
    std::int64_t j = 0;
    for (;;) {
      std::int64_t k = j * 2 + 1;
      if (k >= i) break;
      if (k + 1 < i && key(lockorder[k]) < key(lockorder[k + 1])) k++;
      if (key(o) >= key(lockorder[k])) break;
      lockorder[j] = lockorder[k];
      j = k;
    }
    lockorder[j] = o;
  }
  if constexpr (staticLockRanking) {
    for (std::int64_t i = 0; i + 1 < n; i++)
      if (key(lockorder[i]) > key(lockorder[i + 1])) throw_("select: broken sort");
  }
}

}  // namespace

void block() {
  gopark(nullptr, nullptr, waitReasonSelectNoCases, traceBlockForever, 1);
  throw_("unreachable");
}

selectgoResult selectgo(scase* scases, std::uint16_t* order0, std::int64_t nsends,
                        std::int64_t nrecvs, bool block) {
  const std::int64_t ncases = nsends + nrecvs;
  std::uint16_t* pollorder = order0;
  std::uint16_t* lockorder = order0 + ncases;
  const std::int64_t n = makePollorder(scases, pollorder, ncases);
  makeLockorder(scases, pollorder, lockorder, n);
  auto unlockf = [scases, lockorder, n] { selunlock(scases, lockorder, n); };

  sellock(scases, lockorder, n);
  POINT(selectgo_locked);

  // Pass 1: a case that can proceed at once.
  for (std::int64_t i = 0; i < n; i++) {
    const std::int64_t casi = pollorder[i];
    hchan* c = scases[casi].c;
    void* elem = scases[casi].elem;
    if (casi >= nsends) {
      if (sudog* sg = c->sendq.dequeue()) {
        recv(c, sg, elem, unlockf, 2);
        return {casi, true};
      }
      if (c->qcount.LoadRelaxed() > 0) {
        bufrecv(c, elem);
        unlockf();
        return {casi, true};
      }
      if (c->closed.LoadRelaxed() != 0) {
        unlockf();
        clearReceived(c, elem);
        return {casi, false};
      }
    } else {
      if (c->closed.LoadRelaxed() != 0) {
        unlockf();
        panicSendOnClosed();
      }
      if (sudog* sg = c->recvq.dequeue()) {
        send(c, sg, elem, unlockf, 2);
        return {casi, false};
      }
      if (c->qcount.LoadRelaxed() < c->dataqsiz) {
        bufsend(c, elem);
        unlockf();
        return {casi, false};
      }
    }
  }

  if (!block) {
    unlockf();
    return {-1, false};
  }

  // Pass 2: wait on all channels.
  g* gp = getg();
  if (gp->waiting != nullptr) throw_("gp.waiting != nil");
  const std::int64_t t0 = blockprofiletime();
  sudog** nextp = &gp->waiting;
  for (std::int64_t i = 0; i < n; i++) {
    const std::int64_t casi = lockorder[i];
    hchan* c = scases[casi].c;
    sudog* sg = acquireSudog();
    sg->g = gp;
    sg->isSelect = true;
    sg->releasetime = t0 == 0 ? 0 : -1;
    // Nothing may be called from here to the store through nextp, which is where copystack finds
    // sg to adjust elem.
    sg->elem = scases[casi].elem;
    sg->c = c;
    *nextp = sg;
    nextp = &sg->waitlink;
    if (casi < nsends)
      c->sendq.enqueue(sg);
    else
      c->recvq.enqueue(sg);
  }

  gp->param = nullptr;
  POINT(selectgo_queued);
  // Between the change of gp's status and selparkcommit the stack must not be shrunk: it would be
  // moved without the channels' locks.
  gp->parkingOnChan.Store(true);
  gopark(selparkcommit, nullptr, waitReasonSelect, traceBlockSelect, 1);
  gp->activeStackChans = false;

  // The sudogs are still on unlocked queues while the stack may grow in the calls below; nobody
  // uses their elem any more, because selectDone is 1.
  POINT(selectgo_before_relock);
  sellock(scases, lockorder, n);

  gp->selectDone.Store(0);
  sudog* won = static_cast<sudog*>(gp->param);
  gp->param = nullptr;

  // Pass 3: off the queues of the channels that did not win, or sudogs would pile up on those that
  // are never used. elem is cleared in all of them before g.waiting lets go of them.
  std::int64_t casi = -1;
  bool caseSuccess = false;
  std::int64_t caseReleaseTime = -1;
  sudog* sglist = gp->waiting;
  for (sudog* sg = sglist; sg != nullptr; sg = sg->waitlink) {
    sg->isSelect = false;
    sg->elem = nullptr;
    sg->c = nullptr;
  }
  gp->waiting = nullptr;

  POINT(selectgo_before_dequeue);
  for (std::int64_t i = 0; i < n; i++) {
    const std::int64_t casei = lockorder[i];
    if (sglist == won) {
      // Its waker has dequeued it.
      casi = casei;
      caseSuccess = sglist->success;
      if (sglist->releasetime > 0) caseReleaseTime = sglist->releasetime;
    } else {
      hchan* c = scases[casei].c;
      if (casei < nsends)
        c->sendq.dequeueSudoG(sglist);
      else
        c->recvq.dequeueSudoG(sglist);
    }
    sudog* sgnext = sglist->waitlink;
    sglist->waitlink = nullptr;
    releaseSudog(sglist);
    sglist = sgnext;
  }
  if (casi < 0) throw_("selectgo: bad wakeup");

  unlockf();
  if (GORT_UNLIKELY(caseReleaseTime > 0)) blockevent(caseReleaseTime - t0);
  if (casi < nsends) {
    if (!caseSuccess) panicSendOnClosed();
    return {casi, false};
  }
  return {casi, caseSuccess};
}

namespace {

// rselect for up to N records. The order of the scases is selectgo's: sends from the front, and the
// receives moved up behind them.
template <std::int64_t N>
GORT_NOINLINE selectgoResult rselectN(runtimeSelect* cases, uintptr stride, std::int64_t n) {
  scase sel[N];
  std::uint16_t orig[N];
  std::uint16_t order[2 * N];
  std::int64_t nsends = 0, nrecvs = 0, dflt = -1;
  for (std::int64_t i = 0; i < n; i++) {
    auto* rc = add<runtimeSelect>(cases, static_cast<uintptr>(i) * stride);
    std::int64_t j;
    if (rc->dir == selectDefault) {
      if (dflt >= 0) throw_("select: multiple default cases");
      dflt = i;
      continue;
    } else if (rc->dir == selectSend) {
      j = nsends++;
    } else {
      j = n - ++nrecvs;
    }
    sel[j] = {rc->ch, add(rc, static_cast<uintptr>(static_cast<std::int64_t>(rc->elemoff)))};
    orig[j] = static_cast<std::uint16_t>(i);
  }
  if (nsends + nrecvs == 0) return {dflt, false};
  if (nsends + nrecvs < n) {
    for (std::int64_t k = 0; k < nrecvs; k++) {
      sel[nsends + k] = sel[n - nrecvs + k];
      orig[nsends + k] = orig[n - nrecvs + k];
    }
  }
  auto r = selectgo(sel, order, nsends, nrecvs, dflt < 0);
  return {r.chosen < 0 ? dflt : orig[r.chosen], r.recvOK};
}

}  // namespace

selectgoResult rselect(runtimeSelect* cases, uintptr stride, std::int64_t n) {
  if (n == 0) block();
  // The arrays hold pointers to elements that may lie on this stack, so they must be there too; and
  // frames have a fixed size. Each step takes a frame of about 22 bytes a case.
  if (n <= 8) return rselectN<8>(cases, stride, n);
  if (n <= 64) return rselectN<64>(cases, stride, n);
  if (n <= 1024) return rselectN<1024>(cases, stride, n);
  if (n <= 8192) return rselectN<8192>(cases, stride, n);
  if (n > maxSelectCases) throw_("select: too many cases");
  return rselectN<maxSelectCases>(cases, stride, n);
}

void waitq::dequeueSudoG(sudog* sgp) {
  sudog* x = sgp->prev;
  sudog* y = sgp->next;
  if (x != nullptr) {
    x->next = y;
    if (y != nullptr)
      y->prev = x;
    else
      last = x;
    sgp->next = nullptr;
    sgp->prev = nullptr;
    return;
  }
  if (y != nullptr) {  // first of several
    y->prev = nullptr;
    first.StoreRel(y);
    sgp->next = nullptr;
    return;
  }
  // Alone on the queue, or taken off already: then it is not the first.
  if (first.LoadRelaxed() == sgp) {
    first.StoreRel(nullptr);
    last = nullptr;
  }
}

}  // namespace gort::runtime
