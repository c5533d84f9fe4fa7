// See mspanset.h. Ports mspanset.go.
//
// A set is a row of numbered entries, in blocks of spanSetBlockEntries; the spine is the array of
// the blocks. Whoever raises index.tail owns the entry of the old tail, to put a span there; who
// raises index.head owns the entry of the old head, to take it.
//
// Invariants:
//  - An entry is written once and taken once. Who takes may be faster than who writes, and then
//    waits for an instant: a pusher is never interrupted between the two.
//  - spineLen only grows (until reset), and after the block is in the spine: an entry below spineLen
//    blocks has a block, in whatever spine is read. A spine that was replaced is never freed, since
//    somebody may still read it.
//  - The popper who makes block.popped equal to spanSetBlockEntries is the last to touch the block,
//    and frees it.
//  - Blocks are never unmapped, so that blockPool may read the next of a block that another thread
//    has just taken; the count in the head makes the exchange fail then.
#include "mspanset.h"

#include "malloc.h"
#include "panic_throw.h"
#include "point.h"
#include "print.h"
#include "stubs.h"

namespace gort::runtime {

namespace {

constexpr uintptr spanSetInitSpineCap = explore::capacity<uintptr>(256, 2);

constexpr std::uint32_t headOf(std::uint64_t ht) { return static_cast<std::uint32_t>(ht >> 32); }
constexpr std::uint32_t tailOf(std::uint64_t ht) { return static_cast<std::uint32_t>(ht); }
constexpr std::uint64_t pack(std::uint32_t head, std::uint32_t tail) {
  return std::uint64_t(head) << 32 | tail;
}

// The free blocks. A head is a block's address, of which the low 6 and the high 16 bits are zero,
// and in those 22 bits the number of pushes.
struct spanSetBlockAlloc {
  atomic::Uint64 head;
  atomic::Uint64 pushes;

  static constexpr std::uint64_t addrMask = ((std::uint64_t(1) << 48) - 1) & ~std::uint64_t(63);
  static spanSetBlock* blockOf(std::uint64_t h) {
    return reinterpret_cast<spanSetBlock*>(h & addrMask);
  }

  spanSetBlock* alloc() {
    for (std::uint64_t h = head.Load(); blockOf(h) != nullptr; h = head.Load()) {
      spanSetBlock* b = blockOf(h);
      spanSetBlock* next = b->next;
      std::uint64_t nh = (h & ~addrMask) | reinterpret_cast<std::uint64_t>(next);
      if (head.CompareAndSwap(h, nh)) return b;
    }
    return new (persistentalloc(sizeof(spanSetBlock), sys::CacheLineSize)) spanSetBlock();
  }
  void free(spanSetBlock* b) {
    b->popped.Store(0);
    std::uint64_t n = pushes.Add(1);
    std::uint64_t tag = (n & 63) | (n >> 6) << 48;
    for (;;) {
      std::uint64_t h = head.Load();
      b->next = blockOf(h);
      if (head.CompareAndSwap(h, reinterpret_cast<std::uint64_t>(b) | tag)) return;
    }
  }
};
spanSetBlockAlloc spanSetBlockPool;

atomic::Pointer<spanSetBlock>& lookup(spanSet* b, uintptr top) { return b->spine.Load()[top]; }

// The block for entry top * spanSetBlockEntries, made if need be. Takes b.spineLock.
spanSetBlock* blockForPush(spanSet* b, uintptr top) {
  for (;;) {
    if (top < b->spineLen.Load()) return lookup(b, top).Load();
    lock(&b->spineLock);
    uintptr len = b->spineLen.Load();
    if (top >= len) {
      if (len == b->spineCap) {
        uintptr ncap = b->spineCap == 0 ? spanSetInitSpineCap : b->spineCap * 2;
        auto* nspine = static_cast<atomic::Pointer<spanSetBlock>*>(
            persistentalloc(ncap * sys::PtrSize, sys::CacheLineSize));
        atomic::Pointer<spanSetBlock>* old = b->spine.Load();
        for (uintptr i = 0; i < b->spineCap; i++) nspine[i].StoreRelaxed(old[i].Load());
        b->spine.Store(nspine);
        b->spineCap = ncap;
      }
      lookup(b, len).Store(spanSetBlockPool.alloc());
      b->spineLen.Store(len + 1);
    }
    unlock(&b->spineLock);
  }
}

}  // namespace

void spanSet::push(mspan* s) {
  std::uint64_t ht = index.Add(1);
  if (tailOf(ht) == 0) {
    print("runtime: head = ", headOf(ht), ", tail = ", tailOf(ht), "\n");
    throw_("headTailIndex overflow");
  }
  std::uint32_t cursor = tailOf(ht) - 1;
  spanSetBlock* block = blockForPush(this, cursor / spanSetBlockEntries);
  block->spans[cursor % spanSetBlockEntries].Store(s);
}

mspan* spanSet::pop() {
  std::uint32_t head;
  for (;;) {
    std::uint64_t ht = index.Load();
    head = headOf(ht);
    if (head >= tailOf(ht)) return nullptr;
    // The one entry may be of a push that has not made its block yet: nothing to wait for.
    if (spineLen.Load() <= head / spanSetBlockEntries) return nullptr;
    if (index.CompareAndSwap(ht, pack(head + 1, tailOf(ht)))) break;
  }
  POINT(spansetpop_claimed);
  atomic::Pointer<spanSetBlock>& blockp = lookup(this, head / spanSetBlockEntries);
  spanSetBlock* block = blockp.Load();
  atomic::Pointer<mspan>& slot = block->spans[head % spanSetBlockEntries];
  mspan* s;
  while ((s = slot.Load()) == nullptr) procyield(1);
  slot.StoreRelaxed(nullptr);
  if (block->popped.Add(1) == spanSetBlockEntries) {
    blockp.Store(nullptr);
    spanSetBlockPool.free(block);
  }
  return s;
}

bool spanSet::empty() {
  std::uint64_t ht = index.Load();
  return headOf(ht) >= tailOf(ht);
}

void spanSet::reset() {
  std::uint64_t ht = index.Load();
  if (headOf(ht) < tailOf(ht)) {
    print("head = ", headOf(ht), ", tail = ", tailOf(ht), "\n");
    throw_("attempt to clear non-empty span set");
  }
  uintptr top = headOf(ht) / spanSetBlockEntries;
  if (top < spineLen.Load()) {
    // A block that is not used up to its end is still there.
    atomic::Pointer<spanSetBlock>& blockp = lookup(this, top);
    if (spanSetBlock* block = blockp.Load(); block != nullptr) {
      if (block->popped.Load() == 0) throw_("span set block with unpopped elements found in reset");
      if (block->popped.Load() == spanSetBlockEntries)
        throw_("fully empty unfreed span set block found in reset");
      blockp.Store(nullptr);
      spanSetBlockPool.free(block);
    }
  }
  index.Store(0);
  spineLen.Store(0);
}

}  // namespace gort::runtime
