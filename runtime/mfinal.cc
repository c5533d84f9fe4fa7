// Finalizers. Ports mfinal.go, and addspecial, removespecial, addfinalizer, removefinalizer and
// freeSpecial of mheap.go. Invariants and locks: mfinal.h.
//
// finlock protects finq, finc, allfin and the links of all blocks. A block's cnt is also read by
// markroot, without the lock; the runner lowers it only after it has told the write barrier of what it
// takes out.
#include "mfinal.h"

#include "mbitmap.h"
#include "mgc.h"
#include "moduledata.h"
#include "mprof.h"
#include "panic_throw.h"
#include "proc.h"
#include "stubs.h"

namespace gort::runtime {

namespace {

constexpr uintptr _FinBlockSize = explore::capacity<uintptr>(4 << 10, 512);

// A finalizer that is to be run. Written under finlock before cnt covers it, cleared by the runner;
// markroot may look meanwhile and takes either. Relaxed: what the pointers lead to is old.
struct finalizer {
  void (*call)(void* obj, void* closure);
  atomic::Relaxed<void*> obj;
  atomic::Relaxed<void*> closure;
  const _type* ot;
};

struct finblock {
  finblock* alllink;  // on allfin
  finblock* next;  // on finq or finc
  // Finalizers in the block. Raised under finlock, lowered by the runner.
  atomic::Uint32 cnt;
  static constexpr uintptr cap =
      (_FinBlockSize - 2 * sys::PtrSize - sys::PtrSize) / sizeof(struct finalizer);
  struct finalizer fin[cap];
};
static_assert(sizeof(finblock) <= _FinBlockSize);

finblock* finq;  // blocks with finalizers to run
finblock* finc;  // blocks that are free
atomic::Pointer<finblock> allfin;  // all blocks; markroot walks it while it grows at its head

// Where a special of that kind for the object at offset is, or is to be put: behind prev, null for
// the front. s->speciallock must be held.
struct spliceResult {
  special* prev;
  special* found;  // null if there is none
};
spliceResult specialFindSplicePoint(mspan* s, uintptr offset, std::uint8_t kind) {
  special* prev = nullptr;
  for (special* x = s->specials; x != nullptr; prev = x, x = x->next) {
    if (x->offset == offset && x->kind == kind) return {prev, x};
    if (offset < x->offset || (offset == x->offset && kind < x->kind)) break;
  }
  return {prev, nullptr};
}
// The special behind prev becomes x.
void setnextspecial(mspan* s, special* prev, special* x) {
  if (prev != nullptr)
    prev->next = x;
  else
    s->specials = x;
}

specialfinalizer* newspecialfinalizer() {
  specialfinalizer* s = nullptr;
  systemstack([&] {
    lock(&mheap_.speciallock);
    s = static_cast<specialfinalizer*>(mheap_.specialfinalizeralloc.alloc());
    unlock(&mheap_.speciallock);
  });
  return s;
}

void freespecialfinalizer(specialfinalizer* s) {
  systemstack([&] {
    lock(&mheap_.speciallock);
    mheap_.specialfinalizeralloc.free(s);
    unlock(&mheap_.speciallock);
  });
}

// What markroot does for an object with a finalizer, for one that gets it when markroot may have
// passed: keeps what the object and the finalizer refer to. The object itself is not marked.
// TSan: reads the object as the collector does, whatever its users are doing.
__attribute__((disable_sanitizer_instrumentation)) void markfinalized(void* p, void* closure) {
  m* mp = acquirem();
  objectRef o = findObject(reinterpret_cast<uintptr>(p));
  if (!o.s->spanclass.noscan()) {
    heapBits h = heapBitsForAddr(o.base, o.s->elemsize);
    while (uintptr addr = h.next()) shade(*reinterpret_cast<uintptr*>(addr));
  }
  shade(reinterpret_cast<uintptr>(closure));
  releasem(mp);
}

// On the system stack: sweeping, fixed allocators and locks need room.
bool addfinalizer(void* p, const _type* ot, void (*call)(void*, void*), void* closure) {
  specialfinalizer* s = newspecialfinalizer();
  s->special.kind = _KindSpecialFinalizer;
  s->call = call;
  s->closure = closure;
  s->ot = ot;
  if (!addspecial(p, &s->special)) {
    freespecialfinalizer(s);
    return false;
  }
  if (gcphase != _GCoff) markfinalized(p, closure);
  return true;
}

// The checks of SetFinalizer. False if p is no object of the heap, but one that is never collected.
bool checkfinalizable(void* p, const _type* ot) {
  auto addr = reinterpret_cast<uintptr>(p);
  uintptr base = findObject(addr).base;
  if (base == 0) {
    if (firstmoduledata().contains(addr)) return false;
    throw_("runtime.SetFinalizer: pointer not in allocated block");
  }
  // Several tiny objects share a block, so theirs may begin anywhere in it.
  if (addr != base && (ot == nullptr || ot->ptrdata != 0 || ot->size >= maxTinySize))
    throw_("runtime.SetFinalizer: pointer not at beginning of allocated block");
  return true;
}

// On g0.
bool finalizercommit(g*, void* l) {
  unlock(static_cast<mutex*>(l));
  // After the change of its status: nobody wakes it while it still runs.
  fingStatus.Or(fingWait);
  return true;
}

// Runs the finalizers of one block, the newest first, and leaves it empty.
void runblock(finblock* fb) {
  for (std::uint32_t i = fb->cnt.Load(); i > 0; i--) {
    struct finalizer* f = &fb->fin[i - 1];
    fingStatus.Or(fingRunningFinalizer);
    f->call(f->obj, f->closure);
    fingStatus.And(~fingRunningFinalizer);
    // markroot may not have seen them yet, and this stack, where they were, may be scanned already.
    gcWriteBarrierInit(f->obj);
    gcWriteBarrierInit(f->closure);
    f->obj = nullptr;
    f->closure = nullptr;
    fb->cnt.Store(i - 1);
  }
}

// The goroutine that runs all finalizers.
[[noreturn]] void runfinq(void*) {
  fing = getg();
  for (;;) {
    lock(&finlock);
    finblock* fb = finq;
    finq = nullptr;
    if (fb == nullptr) {
      gopark(finalizercommit, &finlock, waitReasonFinalizerWait, traceBlockSystemGoroutine, 1);
      continue;
    }
    unlock(&finlock);
    while (fb != nullptr) {
      runblock(fb);
      finblock* next = fb->next;
      lock(&finlock);
      fb->next = finc;
      finc = fb;
      unlock(&finlock);
      fb = next;
    }
  }
}

void queuefinalizer(void* p, specialfinalizer* s) {
  if (gcphase != _GCoff) throw_("queuefinalizer during GC");
  lock(&finlock);
  if (finq == nullptr || finq->cnt.LoadRelaxed() == finblock::cap) {
    if (finc == nullptr) {
      finc = newpersistent<finblock>();
      finc->alllink = allfin.LoadRelaxed();
      allfin.StoreRel(finc);
    }
    finblock* block = finc;
    finc = block->next;
    block->next = finq;
    finq = block;
  }
  std::uint32_t n = finq->cnt.LoadRelaxed();
  struct finalizer* f = &finq->fin[n];
  f->call = s->call;
  f->obj = p;
  f->closure = s->closure;
  f->ot = s->ot;
  finq->cnt.Store(n + 1);
  unlock(&finlock);
  fingStatus.Or(fingWake);
}

}  // namespace

mutex finlock;
atomic::Uint32 fingStatus;
atomic::Racy<g*> fing;

bool addspecial(void* p, special* s) {
  mspan* span = spanOfHeap(reinterpret_cast<uintptr>(p));
  if (span == nullptr) throw_("addspecial on invalid pointer");
  // The sweeper goes through the list without the lock. Nobody begins to sweep span again while this
  // M is held: that needs the world stopped first.
  m* mp = acquirem();
  ensureSwept(span);
  uintptr offset = reinterpret_cast<uintptr>(p) - span->base();
  lock(&span->speciallock);
  auto [prev, found] = specialFindSplicePoint(span, offset, s->kind);
  if (found == nullptr) {
    s->offset = static_cast<std::uint16_t>(offset);
    s->next = prev != nullptr ? prev->next : static_cast<special*>(span->specials);
    setnextspecial(span, prev, s);
  }
  unlock(&span->speciallock);
  releasem(mp);
  return found == nullptr;
}

special* removespecial(void* p, std::uint8_t kind) {
  mspan* span = spanOfHeap(reinterpret_cast<uintptr>(p));
  if (span == nullptr) throw_("removespecial on invalid pointer");
  m* mp = acquirem();
  ensureSwept(span);
  uintptr offset = reinterpret_cast<uintptr>(p) - span->base();
  lock(&span->speciallock);
  auto [prev, found] = specialFindSplicePoint(span, offset, kind);
  if (found != nullptr) setnextspecial(span, prev, found->next);
  unlock(&span->speciallock);
  releasem(mp);
  return found;
}

void setprofilebucket(void* p, bucket* b) {
  lock(&mheap_.speciallock);
  auto* s = static_cast<specialprofile*>(mheap_.specialprofilealloc.alloc());
  unlock(&mheap_.speciallock);
  s->special.kind = _KindSpecialProfile;
  s->b = b;
  if (!addspecial(p, &s->special)) throw_("setprofilebucket: profile already set");
}

void freespecial(special* s, void* p, uintptr size) {
  if (s->kind == _KindSpecialProfile) {
    auto* sp = reinterpret_cast<specialprofile*>(s);
    mProf_Free(sp->b, size);
    systemstack([=] {
      lock(&mheap_.speciallock);
      mheap_.specialprofilealloc.free(sp);
      unlock(&mheap_.speciallock);
    });
    return;
  }
  if (s->kind != _KindSpecialFinalizer) throw_("bad special kind");
  auto* sf = reinterpret_cast<specialfinalizer*>(s);
  queuefinalizer(p, sf);
  freespecialfinalizer(sf);
}

void forEachQueuedFinalizer(void (*f)(void* obj, void* closure, void* arg), void* arg) {
  for (finblock* fb = allfin.LoadAcq(); fb != nullptr; fb = fb->alllink)
    for (std::uint32_t i = 0; i < fb->cnt.Load(); i++) f(fb->fin[i].obj, fb->fin[i].closure, arg);
}

g* wakefing() {
  if ((fingStatus.Load() & (fingWait | fingWake)) != (fingWait | fingWake)) return nullptr;
  bool ok = fingStatus.CompareAndSwap(fingCreated | fingWait | fingWake, fingCreated);
  return ok ? static_cast<g*>(fing) : nullptr;
}

void createfing() {
  if (fingStatus.Load() != fingUninitialized) return;
  if (!fingStatus.CompareAndSwap(fingUninitialized, fingCreated)) return;
  newprocargs a{};
  a.fn = runfinq;
  a.startpc = reinterpret_cast<uintptr>(runfinq);
  a.systemg = true;
  newproc(a, getcallerpc());
}

void setfinalizer(void* obj, const _type* ot, void (*call)(void*, void*), void* closure) {
  if (!checkfinalizable(obj, ot)) return;
  createfing();
  systemstack([&] {
    if (!addfinalizer(obj, ot, call, closure))
      throw_("runtime.SetFinalizer: finalizer already set");
  });
  // Both are in the special's care from here on; up to here this stack has them.
  asm volatile("" : : "r"(obj), "r"(closure) : "memory");
}

void removefinalizer(void* obj, const _type* ot) {
  if (!checkfinalizable(obj, ot)) return;
  systemstack([&] {
    auto* s = reinterpret_cast<specialfinalizer*>(removespecial(obj, _KindSpecialFinalizer));
    if (s == nullptr) return;
    // Only the special may have kept it, until now.
    gcWriteBarrierInit(s->closure);
    freespecialfinalizer(s);
  });
}

}  // namespace gort::runtime
