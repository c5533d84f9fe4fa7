// Pool. Ports sync/pool.go; invariants of a pool in sync_pool.h.
//
// allPools holds the pools that have a local part, oldPools those that have only victims. Both are
// protected by allPoolsMu together with pinning, or by a stopped world: the world cannot stop while
// a goroutine is pinned.
//
// The parts are in collected memory, and pools may be. Pointers in them are atomic words, not ptrs, so
// what is stored there and what is taken out is told to the write barrier by name (gcWriteBarrierInit)
// while the goroutine is pinned, which leaves no safe point in between.
#include "sync_pool.h"

#include "malloc.h"
#include "mbarrier.h"
#include "panic_throw.h"
#include "proc.h"
#include "sync.h"

namespace gort::sync {
namespace {

Mutex allPoolsMu;
poolBase* allPools;
poolBase* oldPools;

}  // namespace

void poolBase::link(poolBase** list) {
  runtime::gcWriteBarrierInit(this);
  list_ = list;
  prev_ = nullptr;
  next_ = *list;
  if (next_ != nullptr) next_->prev_ = this;
  *list = this;
}

void poolBase::unlink() {
  if (list_ == nullptr) return;
  runtime::gcWriteBarrierInit(this);
  runtime::gcWriteBarrierInit(next_);
  runtime::gcWriteBarrierInit(prev_);
  (prev_ != nullptr ? prev_->next_ : *list_) = next_;
  if (next_ != nullptr) next_->prev_ = prev_;
  list_ = nullptr;
  next_ = prev_ = nullptr;
}

// Static pools die when the process does, on a thread without a g: nothing is left to be kept in
// order then.
poolBase::~poolBase() {
  if (runtime::getg() == nullptr) return;
  allPoolsMu.Lock();
  runtime::procPin();
  unlink();
  runtime::procUnpin();
  allPoolsMu.Unlock();
}

void poolBase::put(void* x) {
  poolLocal* l = pin().l;
  runtime::gcWriteBarrierInit(x);
  if (l->private_.LoadRelaxed() == nullptr)
    l->private_.StoreRel(x);
  else
    l->shared.pushHead(x);
  runtime::procUnpin();
}

void* poolBase::get() {
  pinned p = pin();
  void* x = p.l->private_.LoadAcq();
  if (x != nullptr) {
    p.l->private_.StoreRelaxed(nullptr);
  } else {
    // The head, not the tail: what was used last is still in this processor's caches.
    x = p.l->shared.popHead();
    if (x == nullptr) x = getSlow(p.pid);
  }
  runtime::gcWriteBarrierInit(x);
  runtime::procUnpin();
  return x;
}

// Takes from other Ps' parts and from the victims. Pinned to pid.
void* poolBase::getSlow(int pid) {
  std::uint64_t size = localSize_.LoadAcq();
  poolLocal* locals = local_.LoadAcq();
  for (std::uint64_t i = 0; i < size; i++) {
    poolLocal* l = indexLocal(locals, (static_cast<std::uint64_t>(pid) + i + 1) % size);
    if (void* x = l->shared.popTail()) return x;
  }

  // Victims last, because they are meant to age out.
  size = victimSize_.Load();
  if (static_cast<std::uint64_t>(pid) >= size) return nullptr;
  locals = victim_.Load();
  poolLocal* l = indexLocal(locals, static_cast<std::size_t>(pid));
  if (void* x = l->private_.LoadAcq()) {
    l->private_.StoreRelaxed(nullptr);
    return x;
  }
  for (std::uint64_t i = 0; i < size; i++) {
    l = indexLocal(locals, (static_cast<std::uint64_t>(pid) + i) % size);
    if (void* x = l->shared.popTail()) return x;
  }
  // Empty from now on: spare the others the search.
  victimSize_.Store(0);
  return nullptr;
}

// Pins the goroutine and returns its P's part; procUnpin ends it.
poolBase::pinned poolBase::pin() {
  int pid = runtime::procPin();
  std::uint64_t s = localSize_.LoadAcq();
  poolLocal* l = local_.LoadAcq();
  if (GORT_LIKELY(static_cast<std::uint64_t>(pid) < s))
    return {indexLocal(l, static_cast<std::size_t>(pid)), pid};
  return pinSlow();
}

// pin for a pool that has no part for this P yet: the first use, or GOMAXPROCS has been raised.
poolBase::pinned poolBase::pinSlow() {
  runtime::checkNotOnStack(this,
                           "sync: Pool in this goroutine's own stack, which can move (make it "
                           "static or allocate it instead)");
  // A pinned goroutine must not block.
  runtime::procUnpin();
  allPoolsMu.Lock();
  std::uint64_t size = static_cast<std::uint64_t>(runtime::GOMAXPROCS(0));
  int pid = runtime::procPin();
  std::uint64_t s = localSize_.LoadAcq();
  poolLocal* l = local_.LoadAcq();
  if (static_cast<std::uint64_t>(pid) >= s) {
    // GOMAXPROCS may have been raised between the question and the pin.
    if (size <= static_cast<std::uint64_t>(pid)) size = static_cast<std::uint64_t>(pid) + 1;
    if (list_ != &allPools) {
      unlink();
      link(&allPools);
    }
    runtime::sync_runtime_registerPoolCleanup(poolCleanup);
    // Size classes that are multiples of 128 are aligned to it.
    void* mem = runtime::mallocgc(size * sizeof(poolLocal), runtime::typeOf<poolLocal>());
    if (reinterpret_cast<runtime::uintptr>(mem) % alignof(poolLocal) != 0)
      runtime::throw_("sync: Pool's memory is not aligned");
    l = static_cast<poolLocal*>(mem);
    for (std::uint64_t i = 0; i < size; i++) ::new (&l[i]) poolLocal();
    // The old array and what is in it is lost, as after a collection.
    runtime::gcWriteBarrierInit(local_.LoadRelaxed());
    runtime::gcWriteBarrierInit(l);
    local_.StoreRel(l);
    localSize_.StoreRel(size);
  }
  allPoolsMu.Unlock();
  return {indexLocal(l, static_cast<std::size_t>(pid)), pid};
}

void poolCleanup() {
  for (poolBase* p = oldPools; p != nullptr;) {
    poolBase* next = p->next_;
    p->victim_.Store(nullptr);
    p->victimSize_.Store(0);
    p->unlink();
    p = next;
  }
  for (poolBase* p = allPools; p != nullptr; p = p->next_) {
    p->victim_.Store(p->local_.Load());
    p->victimSize_.Store(p->localSize_.Load());
    p->local_.Store(nullptr);
    p->localSize_.Store(0);
    p->list_ = &oldPools;
  }
  oldPools = allPools;
  allPools = nullptr;
}

}  // namespace gort::sync
