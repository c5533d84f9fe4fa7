// The queue inside sync::Pool. Ports sync/poolqueue.go; invariants in sync_poolqueue.h.
//
// The caller is pinned; it tells the write barrier of elements (sync_pool.cc). Rings are told of here.
#include "sync_poolqueue.h"

#include "malloc.h"
#include "mbarrier.h"

namespace gort::sync {
namespace {

constexpr std::uint32_t initSize = runtime::explore::capacity<std::uint32_t>(8, 2);
// The largest ring: far enough from 2^32 for full and empty to be told apart.
constexpr std::uint32_t dequeueLimit = std::uint32_t(1) << 30;

constexpr std::uint32_t headOf(std::uint64_t ht) { return static_cast<std::uint32_t>(ht >> 32); }
constexpr std::uint32_t tailOf(std::uint64_t ht) { return static_cast<std::uint32_t>(ht); }
constexpr std::uint64_t pack(std::uint32_t head, std::uint32_t tail) {
  return std::uint64_t(head) << 32 | tail;
}

poolChainElt* newElt(std::uint32_t size) {
  poolChainElt* e = runtime::new_<poolChainElt>();
  e->q.size = size;
  // Newer than e: needs no barrier.
  e->q.vals = static_cast<runtime::atomic::Pointer<void>*>(
      runtime::mallocgc(size * sizeof(runtime::atomic::Pointer<void>),
                        runtime::typeOf<runtime::atomic::Pointer<void>>()));
  return e;
}

}  // namespace

bool poolDequeue::pushHead(void* val) {
  std::uint64_t ht = headTail.Load();
  std::uint32_t head = headOf(ht);
  if (tailOf(ht) + size == head) return false;
  runtime::atomic::Pointer<void>& slot = vals[head & (size - 1)];
  // A consumer has moved tail past the slot, but has not taken its element yet.
  if (slot.LoadAcq() != nullptr) return false;
  slot.StoreRelaxed(val);
  // Publishes the slot.
  headTail.Add(std::uint64_t(1) << 32);
  return true;
}

void* poolDequeue::popHead() {
  for (;;) {
    std::uint64_t ht = headTail.Load();
    std::uint32_t head = headOf(ht);
    if (tailOf(ht) == head) return nullptr;
    head--;
    if (!headTail.CompareAndSwap(ht, pack(head, tailOf(ht)))) continue;
    // No consumer can come here any more, and the next to look is this producer.
    runtime::atomic::Pointer<void>& slot = vals[head & (size - 1)];
    void* val = slot.LoadRelaxed();
    slot.StoreRelaxed(nullptr);
    return val;
  }
}

void* poolDequeue::popTail() {
  for (;;) {
    std::uint64_t ht = headTail.Load();
    std::uint32_t tail = tailOf(ht);
    if (tail == headOf(ht)) return nullptr;
    if (!headTail.CompareAndSwap(ht, pack(headOf(ht), tail + 1))) continue;
    runtime::atomic::Pointer<void>& slot = vals[tail & (size - 1)];
    void* val = slot.LoadRelaxed();
    // From here on the slot is the producer's.
    slot.StoreRel(nullptr);
    return val;
  }
}

void poolChain::pushHead(void* val) {
  poolChainElt* d = head;
  if (d == nullptr) {
    d = newElt(initSize);
    head = d;
    tail.Store(d);
  }
  if (d->q.pushHead(val)) return;

  std::uint32_t size = d->q.size < dequeueLimit / 2 ? d->q.size * 2 : dequeueLimit;
  poolChainElt* d2 = newElt(size);
  runtime::gcWriteBarrierInit(d);
  d2->prev.Store(d);
  head = d2;
  d->next.Store(d2);
  d2->q.pushHead(val);
}

void* poolChain::popHead() {
  // Older rings may still have elements.
  for (poolChainElt* d = head; d != nullptr; d = d->prev.Load())
    if (void* val = d->q.popHead()) return val;
  return nullptr;
}

void* poolChain::popTail() {
  poolChainElt* d = tail.Load();
  while (d != nullptr) {
    // Before the attempt: only a ring that had a successor and then is found empty is empty for
    // good. The newest ring may be filled again.
    poolChainElt* d2 = d->next.Load();
    if (void* val = d->q.popTail()) return val;
    if (d2 == nullptr) return nullptr;
    runtime::gcWriteBarrierInit(d);
    runtime::gcWriteBarrierInit(d2);
    if (tail.CompareAndSwap(d, d2)) {
      // So that popHead does not go back to it, and the collector can have it.
      d2->prev.Store(nullptr);
    }
    d = d2;
  }
  return nullptr;
}

}  // namespace gort::sync
