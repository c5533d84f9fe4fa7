// Where stacks come from: per-P caches, a pool for each small size, and whole spans for large ones.
// Ports the allocation half of stack.go.
//
// Invariants:
//  - A small stack (fixedStack << order, order < _NumStackOrders, below _StackCacheSize) is part of
//    a span of stackpool; a large stack is in a span of its own.
//  - Go keeps the free stacks of a span in the span. Here a moved stack wants a certain colour
//    (stack.h), so the free stacks of an order are listed by colour. A span holds stackColors bytes
//    of stacks side by side, one of each colour that is equal modulo their size. Any stack will do
//    for a new goroutine; these go through the colours in turn, so that all are used alike.
//  - stackpool[order].mu protects the pool's lists and allocCount of its spans; stackLarge.lock its
//    lists; a P's stackcache belongs to that P. A free stack's first words link it.
//  - A span of stacks goes back to the page heap only while the collector is off. What is freed while
//    it marks stays in stackpool and stackLarge, for other stacks, until freeStackSpans.
//  - All of this runs on g0: it must not itself need more stack.
//  - With GODEBUG=stackfaultonfree=1 every stack is its own mapping, which turns inaccessible when
//    freed and is never used again; freedStacks remembers whose it was.
#include "malloc.h"
#include "mgc.h"
#include "os_linux.h"
#include "print.h"
#include "proc.h"
#include "runtime1.h"
#include "stack.h"

namespace gort::runtime {

namespace {

constexpr int ncolors = stackColors / stackMin;
int colorIndex(uintptr top) { return static_cast<int>(colorOf(top) / stackMin); }

// A free stack in the pool.
struct freestack {
  freestack* next;
  freestack* prev;
};

struct alignas(sys::CacheLineSize) stackpoolItem {
  mutex mu;
  // Protected by mu:
  freestack* free[ncolors];
  std::uint32_t nonempty;  // bit i: free[i] has some
  int turn;  // the colour that the next new goroutine gets, if there is one
};
static_assert(ncolors == 32);
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

// stackpool[order].mu must be held by the callers of these five.
void poolinsert(stackpoolItem* pool, uintptr x, uintptr n) {
  int i = colorIndex(x + n);
  auto* f = reinterpret_cast<freestack*>(x);
  f->prev = nullptr;
  f->next = pool->free[i];
  if (f->next != nullptr) f->next->prev = f;
  pool->free[i] = f;
  pool->nonempty |= 1u << i;
}

void poolremove(stackpoolItem* pool, uintptr x, uintptr n) {
  int i = colorIndex(x + n);
  auto* f = reinterpret_cast<freestack*>(x);
  if (f->next != nullptr) f->next->prev = f->prev;
  if (f->prev != nullptr) {
    f->prev->next = f->next;
  } else {
    if (pool->free[i] != f) throw_("free stack not on its list");
    pool->free[i] = f->next;
    if (f->next == nullptr) pool->nonempty &= ~(1u << i);
  }
}

// Gives back a span that has only free stacks.
void freepoolspan(stackpoolItem* pool, mspan* s) {
  uintptr n = s->elemsize;
  for (uintptr x = s->firstStack; x < s->firstStack + stackColors; x += n) poolremove(pool, x, n);
  mheap_.freeManual(s);
}

uintptr stackpoolalloc(int order, uintptr color) {
  stackpoolItem* pool = &stackpool[order];
  uintptr n = fixedStack << order;
  lockWithRankMayAcquire(&mheap_.lock, lockRankMheap);
  if (color == anyColor ? pool->nonempty == 0 : (pool->nonempty & 1u << colorIndex(color)) == 0) {
    uintptr rest = color == anyColor ? 0 : color % n;
    // Room to begin at an address that is rest modulo n; spans are aligned to pages.
    uintptr room = n > _PageSize ? n : rest != 0 ? _PageSize : 0;
    mspan* s = mheap_.allocManual((stackColors + room) >> _PageShift);
    if (s == nullptr) throw_("out of memory");
    if (s->allocCount != 0) throw_("bad allocCount");
    s->elemsize = n;
    s->firstStack = s->base() + (rest - s->base()) % n;
    for (uintptr x = s->firstStack; x < s->firstStack + stackColors; x += n) poolinsert(pool, x, n);
  }
  int i;
  if (color != anyColor) {
    i = colorIndex(color);
  } else {
    std::uint32_t after = pool->nonempty >> pool->turn << pool->turn;
    i = __builtin_ctz(after != 0 ? after : pool->nonempty);
    pool->turn = (i + 1) % ncolors;
  }
  uintptr x = reinterpret_cast<uintptr>(pool->free[i]);
  if (x == 0) throw_("span has no free stacks");
  poolremove(pool, x, n);
  spanOfUnchecked(x)->allocCount++;
  return x;
}

void stackpoolfree(uintptr x, int order) {
  stackpoolItem* pool = &stackpool[order];
  mspan* s = spanOfUnchecked(x);
  uintptr n = s->elemsize;
  if (s->state.Load() != mSpanManual) throw_("freeing stack not in a stack span");
  poolinsert(pool, x, n);
  s->allocCount--;
  // Not while the collector marks: it looks at the spans that its work brings up, and a span of
  // stacks must not become one of objects under its eyes. freeStackSpans does it afterwards.
  if (s->allocCount == 0 && gcphase == _GCoff) freepoolspan(pool, s);
}

// Large stacks that were freed during marking, by the binary logarithm of their pages.
struct {
  mutex lock;
  mSpanList free[48 - _PageShift];  // protected by lock
} stackLarge;

int stacklog2(uintptr n) { return __builtin_ctzll(n >> _PageShift); }

// A span of bytes for a large stack of n bytes.
mspan* stacklargealloc(uintptr n, uintptr bytes) {
  lockWithRankMayAcquire(&mheap_.lock, lockRankMheap);
  lock(&stackLarge.lock);
  mSpanList* list = &stackLarge.free[stacklog2(n)];
  mspan* s = list->first;
  // Those that were made for a stack of any colour have no room to choose one.
  while (s != nullptr && s->npages << _PageShift < bytes) s = s->next;
  if (s != nullptr) list->remove(s);
  unlock(&stackLarge.lock);
  if (s == nullptr) {
    s = mheap_.allocManual(bytes >> _PageShift);
    if (s == nullptr) throw_("out of memory");
    s->elemsize = n;
  }
  return s;
}

// Takes a stack of the colour from a P's cache; 0 if there is none.
uintptr stackcachetake(mcache* c, int order, uintptr color) {
  uintptr n = fixedStack << order;
  for (uintptr* link = &c->stackcache[order].list; *link != 0; link = linkOf(*link)) {
    uintptr x = *link;
    if (color != anyColor && colorOf(x + n) != color) continue;
    *link = *linkOf(x);
    c->stackcache[order].size -= n;
    return x;
  }
  return 0;
}

// Takes from and gives to the pool in batches of half a cache, so that a goroutine count that swings
// around a boundary does not lock the pool each time.
void stackcacherefill(mcache* c, int order) {
  uintptr list = 0, size = 0;
  lock(&stackpool[order].mu);
  while (size < _StackCacheSize / 2) {
    uintptr x = stackpoolalloc(order, anyColor);
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
  lockInit(&stackLarge.lock, lockRankStackLarge);
  lockInit(&freedLock, lockRankLeafRank);
}

struct stack stackalloc(std::uint32_t n, uintptr color) {
  // On the scheduler stack, so that the stack of the caller never has to grow meanwhile.
  g* thisg = getg();
  if (thisg != thisg->m->g0) throw_("stackalloc not on scheduler stack");
  if ((n & (n - 1)) != 0) throw_("stack size not a power of 2");
  // For a colour, a large stack gets more memory than it needs, and is placed in it. The rest is
  // never touched.
  uintptr room = color == anyColor ? 0 : stackColors;
  auto place = [&](uintptr base, uintptr size) -> struct stack {
    uintptr top = base + size;
    if (color != anyColor) top += colorOf(color - top);
    return {top - size, top};
  };
  if (GORT_UNLIKELY(faultOnFree())) {
    uintptr size = alignUp(n, physPageSize);
    uintptr v = reinterpret_cast<uintptr>(sysAlloc(size + room));
    if (v == 0) throw_("out of memory (stackalloc)");
    return place(v, size);
  }
  if (!isSmallStack(n)) {
    mspan* s = stacklargealloc(n, n + room);
    return place(s->base(), n);
  }
  int order = orderOf(n);
  uintptr v = 0;
  if (useCache(thisg->m)) {
    mcache* c = thisg->m->p->mcache;
    if (color == anyColor && c->stackcache[order].list == 0) stackcacherefill(c, order);
    v = stackcachetake(c, order, color);
  }
  if (v == 0) {
    lock(&stackpool[order].mu);
    v = stackpoolalloc(order, color);
    unlock(&stackpool[order].mu);
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
    std::uint64_t goid = 0;
    if (owner != nullptr) goid = owner->goid;
    freed.ring[freed.next++ % freedStackCount] = {stk, goid};
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
  if (s->state.Load() != mSpanManual) throw_("bad span state");
  if (gcphase == _GCoff) {
    mheap_.freeManual(s);
    return;
  }
  // As in stackpoolfree.
  POINT(stackfree_kept);
  lock(&stackLarge.lock);
  stackLarge.free[stacklog2(n)].insert(s);
  unlock(&stackLarge.lock);
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

void freeStackSpans() {
  for (stackpoolItem& pool : stackpool) {
    lock(&pool.mu);
    for (freestack* list : pool.free) {
      for (freestack* f = list; f != nullptr;) {
        // The stacks of one span have different colours: the next one here is another span's.
        freestack* next = f->next;
        mspan* s = spanOfUnchecked(reinterpret_cast<uintptr>(f));
        if (s->allocCount == 0) freepoolspan(&pool, s);
        f = next;
      }
    }
    unlock(&pool.mu);
  }
  lock(&stackLarge.lock);
  for (mSpanList& list : stackLarge.free) {
    while (mspan* s = list.first) {
      list.remove(s);
      mheap_.freeManual(s);
    }
  }
  unlock(&stackLarge.lock);
}

// Called by the fault handler, which must not block: it reads without the lock, and a torn entry
// only spoils the message.
GORT_SIGNALSAFE bool findFreedStack(uintptr addr, freedStack* out) {
  for (const freedStack& f : freed.ring)
    if (f.stk.lo <= addr && addr < f.stk.hi) {
      *out = f;
      return true;
    }
  return false;
}

}  // namespace gort::runtime
