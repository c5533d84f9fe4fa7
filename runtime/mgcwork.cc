// Work buffers. Ports mgcwork.go and lfstack.go; invariants in mgcwork.h.
//
// Buffers are slices of manual spans. Their memory is given back only while the collector is off, so
// that a popper which lost its race never reads memory that became something else.
#include "malloc.h"
#include "mgc.h"
#include "panic_throw.h"
#include "proc.h"

namespace gort::runtime {

namespace {

// A reference to a buffer: 48 bits of address above 19 bits of push count (an address has 3 zero
// bits at the end). A buffer that was popped and pushed again since the head was read has another
// count, so a compare-and-swap with the old head fails.
constexpr int countBits = 19;
std::uint64_t pack(workbuf* b, std::uint64_t cnt) {
  return static_cast<std::uint64_t>(reinterpret_cast<uintptr>(b)) << 16 |
         (cnt & ((std::uint64_t(1) << countBits) - 1));
}
workbuf* unpack(std::uint64_t v) {
  return reinterpret_cast<workbuf*>(static_cast<uintptr>(v >> countBits << 3));
}

}  // namespace

void lfstack::push(workbuf* node) {
  node->pushcnt++;
  std::uint64_t nw = pack(node, node->pushcnt);
  if (unpack(nw) != node) throw_("lfstack.push");
  for (;;) {
    std::uint64_t old = head.Load();
    node->next.StoreRelaxed(old);
    if (head.CompareAndSwap(old, nw)) return;
  }
}

workbuf* lfstack::pop() {
  for (;;) {
    std::uint64_t old = head.Load();
    if (old == 0) return nullptr;
    workbuf* node = unpack(old);
    std::uint64_t next = node->next.LoadRelaxed();
    if (head.CompareAndSwap(old, next)) return node;
  }
}

namespace {

void checknonempty(const workbuf* b) {
  if (b->nobj == 0) throw_("workbuf is empty");
}
void checkempty(const workbuf* b) {
  if (b->nobj != 0) throw_("workbuf is not empty");
}

void putempty(workbuf* b) {
  checkempty(b);
  work.empty.push(b);
}

void putfull(workbuf* b) {
  checknonempty(b);
  work.full.push(b);
}

workbuf* trygetfull() {
  workbuf* b = work.full.pop();
  if (b != nullptr) checknonempty(b);
  return b;
}

// A span to cut into buffers, on the busy list. Not under heap locks.
mspan* getspan() {
  mspan* s = nullptr;
  systemstack([&] {
    if (work.wbufSpans.free != nullptr) {
      lock(&work.wbufSpans.lock);
      s = work.wbufSpans.free;
      if (s != nullptr) {
        work.wbufSpans.free = s->next;
        s->next = work.wbufSpans.busy;
        work.wbufSpans.busy = s;
      }
      unlock(&work.wbufSpans.lock);
    }
    if (s != nullptr) return;
    s = mheap_.allocManual(workbufAlloc >> _PageShift, spanAllocWorkBuf);
    if (s == nullptr) throw_("out of memory");
    lock(&work.wbufSpans.lock);
    s->next = work.wbufSpans.busy;
    work.wbufSpans.busy = s;
    unlock(&work.wbufSpans.lock);
  });
  return s;
}

workbuf* getempty() {
  workbuf* b = work.empty.pop();
  lockWithRankMayAcquire(&work.wbufSpans.lock, lockRankWbufSpans);
  lockWithRankMayAcquire(&mheap_.lock, lockRankMheap);
  if (b != nullptr) {
    checkempty(b);
    return b;
  }
  mspan* s = getspan();
  for (uintptr i = 0; i + workbufSize <= workbufAlloc; i += workbufSize) {
    auto* nb = reinterpret_cast<workbuf*>(s->base() + i);
    nb->nobj = 0;
    if (i == 0)
      b = nb;
    else
      putempty(nb);
  }
  return b;
}

// A new buffer with half of b's objects; the rest becomes work for anybody.
workbuf* handoff(workbuf* b) {
  workbuf* b1 = getempty();
  std::int64_t n = b->nobj / 2;
  b->nobj -= n;
  b1->nobj = n;
  memmove(b1->obj, b->obj + b->nobj, static_cast<uintptr>(n) * sizeof(uintptr));
  putfull(b);
  return b1;
}

constexpr std::int64_t workbufLen = std::size(workbuf{}.obj);

}  // namespace

void gcWork::init() {
  wbuf1 = getempty();
  workbuf* b = trygetfull();
  if (b == nullptr) b = getempty();
  wbuf2 = b;
}

void gcWork::put(uintptr obj) {
  bool flushed = false;
  workbuf* b = wbuf1;
  if (b == nullptr) {
    init();
    b = wbuf1;
  } else if (b->nobj == workbufLen) {
    wbuf1 = wbuf2;
    wbuf2 = b;
    b = wbuf1;
    if (b->nobj == workbufLen) {
      putfull(b);
      flushedWork = true;
      b = getempty();
      wbuf1 = b;
      flushed = true;
    }
  }
  b->obj[b->nobj++] = obj;
  // Last, when this queue is in order again: the worker that it wakes may look at it.
  if (flushed && gcphase == _GCmark) {
    POINT(gcwork_before_enlist);
    gcController.enlistWorker();
  }
}

void gcWork::putBatch(const uintptr* obj, uintptr n) {
  if (n == 0) return;
  bool flushed = false;
  if (wbuf1 == nullptr) init();
  workbuf* b = wbuf1;
  while (n > 0) {
    while (b->nobj == workbufLen) {
      putfull(b);
      flushedWork = true;
      wbuf1 = wbuf2;
      wbuf2 = getempty();
      b = wbuf1;
      flushed = true;
    }
    uintptr k = static_cast<uintptr>(workbufLen - b->nobj);
    if (k > n) k = n;
    memmove(b->obj + b->nobj, obj, k * sizeof(uintptr));
    b->nobj += static_cast<std::int64_t>(k);
    obj += k;
    n -= k;
  }
  if (flushed && gcphase == _GCmark) {
    POINT(gcwork_before_enlist);
    gcController.enlistWorker();
  }
}

uintptr gcWork::tryGet() {
  if (wbuf1 == nullptr) init();
  workbuf* b = wbuf1;
  if (b->nobj == 0) {
    wbuf1 = wbuf2;
    wbuf2 = b;
    b = wbuf1;
    if (b->nobj == 0) {
      workbuf* full = trygetfull();
      if (full == nullptr) return 0;
      putempty(b);
      wbuf1 = b = full;
    }
  }
  return b->obj[--b->nobj];
}

void gcWork::dispose() {
  if (wbuf1 != nullptr) {
    for (workbuf* b : {wbuf1, wbuf2}) {
      if (b->nobj == 0) {
        putempty(b);
      } else {
        putfull(b);
        flushedWork = true;
      }
    }
    wbuf1 = wbuf2 = nullptr;
  }
  if (bytesMarked != 0) {
    work.bytesMarked.Add(bytesMarked);
    bytesMarked = 0;
  }
  if (heapScanWork != 0) {
    gcController.heapScanWork.Add(heapScanWork);
    heapScanWork = 0;
  }
}

void gcWork::balance() {
  if (wbuf1 == nullptr) return;
  if (wbuf2->nobj != 0) {
    putfull(wbuf2);
    flushedWork = true;
    wbuf2 = getempty();
  } else if (wbuf1->nobj > 4) {
    wbuf1 = handoff(wbuf1);
    flushedWork = true;
  } else {
    return;
  }
  if (gcphase == _GCmark) gcController.enlistWorker();
}

// On g0.
void prepareFreeWorkbufs() {
  lock(&work.wbufSpans.lock);
  if (!work.full.empty()) throw_("cannot free workbufs when work.full != 0");
  // All buffers are on the empty list: forget it, and which buffer lay in which span.
  work.empty.head.Store(0);
  while (mspan* s = work.wbufSpans.busy) {
    work.wbufSpans.busy = s->next;
    s->next = work.wbufSpans.free;
    work.wbufSpans.free = s;
  }
  unlock(&work.wbufSpans.lock);
}

bool freeSomeWbufs(bool preemptible) {
  constexpr int batchSize = 64;
  bool more = false;
  systemstack([&] {
    lock(&work.wbufSpans.lock);
    if (gcphase == _GCoff) {
      g* gp = getg()->m->curg;
      for (int i = 0; i < batchSize && !(preemptible && gp->preempt); i++) {
        mspan* s = work.wbufSpans.free;
        if (s == nullptr) break;
        work.wbufSpans.free = s->next;
        s->next = nullptr;
        mheap_.freeManual(s, spanAllocWorkBuf);
      }
      more = work.wbufSpans.free != nullptr;
    }
    unlock(&work.wbufSpans.lock);
  });
  return more;
}

}  // namespace gort::runtime
