// Where stacks come from: per-P caches, a pool for each small size, and whole spans for large ones.
// Ports the allocation half of stack.go.
//
// Invariants:
//  - A small stack (fixedStack << order, order < _NumStackOrders, below _StackCacheSize) is part of
//    a span of _StackCacheSize bytes; a large stack is a span of its own.
//  - stackpool[order].mu protects the pool's spans and their manualFreeList; a P's stackcache belongs
//    to that P. A stack's memory, while free, holds the link to the next free one in its first word.
//  - All of this runs on g0: it must not itself need more stack.
//  - With GODEBUG=stackfaultonfree=1 every stack is its own mapping, which turns inaccessible when
//    freed and is never used again; freedStacks remembers whose it was.
#include "malloc.h"
#include "os_linux.h"
#include "print.h"
#include "proc.h"
#include "runtime1.h"
#include "stack.h"

namespace gort::runtime {

namespace {

struct alignas(sys::CacheLineSize) stackpoolItem {
  mutex mu;
  mSpanList span;  // spans with at least one free stack; protected by mu
};
stackpoolItem stackpool[_NumStackOrders];

uintptr* linkOf(uintptr x) { return reinterpret_cast<uintptr*>(x); }

constexpr bool isSmallStack(uintptr n) {
  return n < fixedStack << _NumStackOrders && n < _StackCacheSize;
}

int orderOf(uintptr n) {
  int order = 0;
  for (; n > fixedStack; n >>= 1) order++;
  return order;
}

// One free stack of the order from the pool; stackpool[order].mu must be held.
uintptr stackpoolalloc(int order) {
  mSpanList* list = &stackpool[order].span;
  mspan* s = list->first;
  lockWithRankMayAcquire(&mheaplock, lockRankMheap);
  if (s == nullptr) {
    s = allocManual(_StackCacheSize >> _PageShift);
    if (s == nullptr) throw_("out of memory");
    if (s->allocCount != 0) throw_("bad allocCount");
    if (s->manualFreeList != 0) throw_("bad manualFreeList");
    s->elemsize = fixedStack << order;
    for (uintptr i = 0; i < _StackCacheSize; i += s->elemsize) {
      uintptr x = s->base() + i;
      *linkOf(x) = s->manualFreeList;
      s->manualFreeList = x;
    }
    list->insert(s);
  }
  uintptr x = s->manualFreeList;
  if (x == 0) throw_("span has no free stacks");
  s->manualFreeList = *linkOf(x);
  s->allocCount++;
  if (s->manualFreeList == 0) list->remove(s);  // all in use
  return x;
}

// Gives a stack back to the pool; stackpool[order].mu must be held.
void stackpoolfree(uintptr x, int order) {
  mspan* s = spanOfUnchecked(x);
  if (s->state != mSpanManual) throw_("freeing stack not in a stack span");
  if (s->manualFreeList == 0) stackpool[order].span.insert(s);
  *linkOf(x) = s->manualFreeList;
  s->manualFreeList = x;
  s->allocCount--;
  if (s->allocCount == 0) {
    stackpool[order].span.remove(s);
    s->manualFreeList = 0;
    freeManual(s);
  }
}

// Takes from and gives to the pool in batches of half a cache, so that a goroutine count that swings
// around a boundary does not lock the pool each time.
void stackcacherefill(mcache* c, int order) {
  uintptr list = 0, size = 0;
  lock(&stackpool[order].mu);
  while (size < _StackCacheSize / 2) {
    uintptr x = stackpoolalloc(order);
    *linkOf(x) = list;
    list = x;
    size += fixedStack << order;
  }
  unlock(&stackpool[order].mu);
  c->stackcache[order].list = list;
  c->stackcache[order].size = size;
}

void stackcacherelease(mcache* c, int order) {
  uintptr x = c->stackcache[order].list;
  uintptr size = c->stackcache[order].size;
  lock(&stackpool[order].mu);
  while (size > _StackCacheSize / 2) {
    uintptr y = *linkOf(x);
    stackpoolfree(x, order);
    x = y;
    size -= fixedStack << order;
  }
  unlock(&stackpool[order].mu);
  c->stackcache[order].list = x;
  c->stackcache[order].size = size;
}

// The last stacks that were freed under stackfaultonfree, for the message of the fault handler.
constexpr int freedStackCount = 1024;
mutex freedLock;
struct {
  freedStack ring[freedStackCount];
  int next;
} freed;  // protected by freedLock

bool faultOnFree() { return dbg.stackfaultonfree > 0 || dbg.efence > 0; }

bool useCache(m* mp) { return mp->p != nullptr && mp->preemptoff[0] == 0; }

}  // namespace

void stackinit() {
  static_assert(_StackCacheSize % _PageSize == 0, "cache size must be a multiple of page size");
  for (auto& pool : stackpool) lockInit(&pool.mu, lockRankStackpool);
  lockInit(&freedLock, lockRankLeafRank);
}

struct stack stackalloc(std::uint32_t n) {
  // On the scheduler stack, so that the stack of the caller never has to grow meanwhile.
  g* thisg = getg();
  if (thisg != thisg->m->g0) throw_("stackalloc not on scheduler stack");
  if ((n & (n - 1)) != 0) throw_("stack size not a power of 2");
  if (GORT_UNLIKELY(faultOnFree())) {
    uintptr size = alignUp(n, physPageSize);
    uintptr v = reinterpret_cast<uintptr>(sysAlloc(size));
    if (v == 0) throw_("out of memory (stackalloc)");
    return {v, v + size};
  }
  uintptr v;
  if (isSmallStack(n)) {
    int order = orderOf(n);
    if (!useCache(thisg->m)) {
      lock(&stackpool[order].mu);
      v = stackpoolalloc(order);
      unlock(&stackpool[order].mu);
    } else {
      mcache* c = thisg->m->p->mcache;
      if (c->stackcache[order].list == 0) stackcacherefill(c, order);
      v = c->stackcache[order].list;
      c->stackcache[order].list = *linkOf(v);
      c->stackcache[order].size -= n;
    }
  } else {
    mspan* s = allocManual(n >> _PageShift);
    if (s == nullptr) throw_("out of memory");
    s->elemsize = n;
    v = s->base();
  }
  return {v, v + n};
}

void stackfree(struct stack stk) {
  g* gp = getg();
  uintptr v = stk.lo, n = stk.hi - stk.lo;
  if (stk.lo + n < stk.hi) throw_("bad stack size");
  if (GORT_UNLIKELY(faultOnFree())) {
    sysFault(reinterpret_cast<void*>(v), n);
    lock(&freedLock);
    g* owner = gp->m->curg;
    freed.ring[freed.next++ % freedStackCount] = {stk, owner != nullptr ? owner->goid : 0};
    unlock(&freedLock);
    return;
  }
  if ((n & (n - 1)) != 0) throw_("stack not a power of 2");
  if (isSmallStack(n)) {
    int order = orderOf(n);
    if (!useCache(gp->m)) {
      lock(&stackpool[order].mu);
      stackpoolfree(v, order);
      unlock(&stackpool[order].mu);
    } else {
      mcache* c = gp->m->p->mcache;
      if (c->stackcache[order].size >= _StackCacheSize) stackcacherelease(c, order);
      *linkOf(v) = c->stackcache[order].list;
      c->stackcache[order].list = v;
      c->stackcache[order].size += n;
    }
    return;
  }
  mspan* s = spanOfUnchecked(v);
  if (s->state != mSpanManual) throw_("bad span state");
  freeManual(s);
}

void stackcache_clear(mcache* c) {
  for (int order = 0; order < _NumStackOrders; order++) {
    lock(&stackpool[order].mu);
    for (uintptr x = c->stackcache[order].list; x != 0;) {
      uintptr y = *linkOf(x);
      stackpoolfree(x, order);
      x = y;
    }
    c->stackcache[order].list = 0;
    c->stackcache[order].size = 0;
    unlock(&stackpool[order].mu);
  }
}

// Called by the fault handler, which must not block: it reads without the lock, and a torn entry
// only spoils the message.
__attribute__((no_sanitize("thread"))) bool findFreedStack(uintptr addr, freedStack* out) {
  for (const freedStack& f : freed.ring)
    if (f.stk.lo <= addr && addr < f.stk.hi) {
      *out = f;
      return true;
    }
  return false;
}

}  // namespace gort::runtime
