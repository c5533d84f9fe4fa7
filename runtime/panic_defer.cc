// The records of deferred calls: where they come from, their place on g._defer, and what happens to
// them when the stack moves. Ports newdefer and freedefer of panic.go, and adjustdefers and
// adjustpanics of stack.go.
//
// Invariants:
//  - Records and blocks are never freed, and no memory of the collector's: it looks at the closures of
//    a goroutine's records when it scans the goroutine's stack.
//  - A record on a free list holds no closure; its block, if it had a large one, is on the free list
//    of the block's size.
//  - A record is on g._defer before its closure is built and until the closure is destroyed: a stack
//    copy may come at any call in between and must find the words that are already there. Words left
//    from an earlier use may be adjusted too; nobody reads them.
//
// Locks: p.deferpool belongs to who owns the P; sched.deferpool and the blocks to sched.deferlock.
#include "malloc.h"
#include "panic.h"
#include "panic_throw.h"
#include "proc.h"
#include "stubs.h"

namespace gort::runtime {

namespace {

// Records that a P keeps; half of them change hands with the central list at a time.
constexpr std::int32_t deferpoolcap = explore::capacity<std::int32_t>(32, 4);

// Blocks for closures that do not fit a record: sizes 64 << class.
constexpr int blockClasses = 11;
struct block {
  block* link;
};
block* freeblocks[blockClasses];  // protected by sched.deferlock

int blockClass(uintptr size) {
  int c = 0;
  while ((uintptr(64) << c) < size) c++;
  if (c >= blockClasses) throw_("defer: closure too large");
  return c;
}

void* allocblock(uintptr size) {
  int c = blockClass(size);
  lock(&sched.deferlock);
  block* b = freeblocks[c];
  if (b != nullptr) freeblocks[c] = b->link;
  unlock(&sched.deferlock);
  return b != nullptr ? b : persistentalloc(uintptr(64) << c, sys::StackAlign);
}

void freeblock(void* p, uintptr size) {
  int c = blockClass(size);
  auto* b = static_cast<block*>(p);
  lock(&sched.deferlock);
  b->link = freeblocks[c];
  freeblocks[c] = b;
  unlock(&sched.deferlock);
}

_defer* newdefer() {
  m* mp = acquirem();
  p* pp = mp->p;
  if (pp->deferpool == nullptr && sched.deferpool != nullptr) {
    lock(&sched.deferlock);
    while (pp->deferpoollen < deferpoolcap / 2 && sched.deferpool != nullptr) {
      _defer* d = sched.deferpool;
      sched.deferpool = d->link;
      d->link = pp->deferpool;
      pp->deferpool = d;
      pp->deferpoollen++;
    }
    unlock(&sched.deferlock);
  }
  _defer* d = pp->deferpool;
  if (d != nullptr) {
    pp->deferpool = d->link;
    pp->deferpoollen--;
  }
  releasem(mp);
  return d != nullptr ? d : static_cast<_defer*>(persistentalloc(sizeof(_defer), sys::StackAlign));
}

// d must be off every list and its closure destroyed.
void freedefer(_defer* d) {
  if (d->arg != d->inl) freeblock(d->arg, d->size);
  m* mp = acquirem();
  p* pp = mp->p;
  d->link = pp->deferpool;
  pp->deferpool = d;
  if (++pp->deferpoollen >= deferpoolcap) {
    _defer* last = pp->deferpool;
    for (int i = 1; i < deferpoolcap / 2; i++) last = last->link;
    lock(&sched.deferlock);
    _defer* first = pp->deferpool;
    pp->deferpool = last->link;
    pp->deferpoollen -= deferpoolcap / 2;
    last->link = sched.deferpool;
    sched.deferpool = first;
    unlock(&sched.deferlock);
  }
  releasem(mp);
}

// True if frame is one of gp's active func frames. Also reads no memory outside gp's stack.
bool isactive(g* gp, deferframe* frame) {
  for (deferframe* f = gp->deferframe_; f != nullptr; f = f->link)
    if (f == frame) return true;
  return false;
}

}  // namespace

_defer* deferproc(deferframe* frame, uintptr size) {
  g* gp = getg();
  if (gp->m->curg != gp) throw_("defer on system stack");
  if (!isactive(gp, frame)) fatal("defer outside of the func that it belongs to");

  _defer* d = newdefer();
  d->fn = nullptr;
  d->destroy = nullptr;
  d->started = false;
  d->wrapped = false;
  d->size = static_cast<std::uint32_t>(size);
  d->arg = size <= sizeof d->inl ? d->inl : allocblock(size);
  // From here no call is made: d->frame must agree with the list's records on where the stack is.
  // Records of frames further in come before this frame's.
  _defer** at = &gp->_defer;
  while (*at != nullptr &&
         reinterpret_cast<uintptr>((*at)->frame) < reinterpret_cast<uintptr>(frame))
    at = &(*at)->link;
  d->frame = frame;
  d->link = *at;
  *at = d;
  return d;
}

void popdefer(g* gp) {
  _defer* d = gp->_defer;
  if (d == nullptr || !d->started) throw_("bad defer stack");
  if (auto destroy = d->destroy; destroy != nullptr) {
    // Cleared first: if the destructor panics, it is not called again.
    d->destroy = nullptr;
    destroy(d->arg);
    if (gp->_defer != d) throw_("bad defer stack");
  }
  gp->_defer = d->link;
  freedefer(d);
}

_defer* nextdefer(g* gp, deferframe* only) {
  while (_defer* d = gp->_defer) {
    if (only != nullptr && d->frame != only) return nullptr;
    if (!d->started && d->fn != nullptr) {
      d->started = true;
      return d;
    }
    if (d->fn == nullptr) d->destroy = nullptr;
    d->started = true;
    popdefer(gp);
  }
  return nullptr;
}

namespace {

GORT_INLINE void adjustword(uintptr* w, uintptr lo, uintptr hi, uintptr delta) {
  if (lo < *w && *w < hi) *w += delta;
}

}  // namespace

// TSan: these words belong to a goroutine that stands still; who moves its stack owns them.
__attribute__((disable_sanitizer_instrumentation)) void adjustdefers(g* gp, uintptr lo, uintptr hi,
                                                                     uintptr delta) {
  for (_defer* d = gp->_defer; d != nullptr; d = d->link) {
    adjustword(reinterpret_cast<uintptr*>(&d->frame), lo, hi, delta);
    auto* w = static_cast<uintptr*>(d->arg);
    for (uintptr n = d->size / sys::PtrSize; n > 0; n--, w++) adjustword(w, lo, hi, delta);
  }
  adjustword(reinterpret_cast<uintptr*>(&gp->deferframe_), lo, hi, delta);
}

__attribute__((disable_sanitizer_instrumentation)) void adjustpanics(g* gp, uintptr lo, uintptr hi,
                                                                     uintptr delta) {
  adjustword(reinterpret_cast<uintptr*>(&gp->_panic), lo, hi, delta);
}

}  // namespace gort::runtime
