// A set of spans to which many push and from which many pop at once. Ports mspanset.go.
#pragma once

#include "atomic.h"
#include "lock_futex.h"

namespace gort::runtime {

struct mspan;

inline constexpr std::uint32_t spanSetBlockEntries = explore::capacity<std::uint32_t>(512, 4);

struct spanSetBlock {
  // On the pool of free blocks. Atomic: who loses the race for a block reads it too, in vain.
  atomic::Racy<spanSetBlock*> next;
  atomic::Uint32 popped;  // entries taken out; at spanSetBlockEntries the block is free
  atomic::Pointer<mspan> spans[spanSetBlockEntries];
};

struct spanSet {
  mutex spineLock;
  atomic::Pointer<atomic::Pointer<spanSetBlock>> spine;  // array of blocks
  atomic::Uintptr spineLen;  // blocks in it
  uintptr spineCap;  // protected by spineLock
  // head << 32 | tail. head counts pops and tail pushes; never head > tail.
  atomic::Uint64 index;

  // May be called by many at once, also together with pop. On the system stack or with the stack
  // check off; may take spineLock and allocate persistent memory.
  void push(mspan* s);
  // Null when the set is empty.
  mspan* pop();
  bool empty();
  // Frees the blocks of an empty set. Nobody may push or pop meanwhile. Throws «attempt to clear
  // non-empty span set».
  void reset();
};

}  // namespace gort::runtime
