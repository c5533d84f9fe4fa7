// The bits that the heap keeps about its objects: allocated, marked, and which words are pointers.
// Ports mbitmap.go as of Go 1.21 (one pointer bit for each word, in the arena).
//
// Invariants:
//  - Bit i of a span's gcmarkBits is set when object i is marked in this cycle; allocBits are the
//    mark bits of the cycle before. Mark bits are set by atomic or; sweeping replaces both arrays.
//  - An object's pointer bits are complete before its address is published (mallocgc's
//    publicationBarrier), and only its allocator writes them. Bits of a noscan span mean nothing.
//  - A pointer bit says «may be a pointer»: types without an exact map have every bit set, so what is
//    found is looked up and may be no object at all.
#pragma once

#include "mheap.h"
#include "type.h"

namespace gort::runtime {

struct markBits {
  atomic::Value<std::uint8_t>* bytep;
  std::uint8_t mask;
  uintptr index;
  bool isMarked() const { return (bytep->LoadRelaxed() & mask) != 0; }
  void setMarked() { bytep->Or(mask); }
  // For who has the span to himself.
  void setMarkedNonAtomic() {
    bytep->StoreRelaxed(static_cast<std::uint8_t>(bytep->LoadRelaxed() | mask));
  }
};

inline markBits mspan::markBitsForIndex(uintptr i) const {
  return {gcmarkBits + i / 8, static_cast<std::uint8_t>(1 << i % 8), i};
}

void gcBitsInit();
// Arrays of bits, one for each object of a span of nelems, zeroed. They live for two cycles: mark
// bits are made for the next cycle, become allocation bits, and are freed all at once.
gcBits* newMarkBits(uintptr nelems);
gcBits* newAllocBits(uintptr nelems);
void nextMarkBitArenaEpoch();

struct objectRef {
  uintptr base;  // 0 when there is no object
  mspan* s;
  uintptr objIndex;
};
// The object that p points into, also when it is free. base is 0 if p is not in a span of objects,
// or behind its last one.
GORT_INLINE objectRef findObject(uintptr p) {
  mspan* s = spanOfHeap(p);
  if (s == nullptr) return {0, nullptr, 0};
  uintptr i = s->objIndex(p);
  return {s->startAddr + i * s->elemsize, s, i};
}

inline constexpr uintptr bitmapWordBytes = 64 * sys::PtrSize;  // of heap, for one bitmap word

// The word of the arena's bitmap that has the bit of address p.
GORT_INLINE atomic::Relaxed<uintptr>& heapBitsWord(uintptr p) {
  return mheap_.arenas[p / heapArenaBytes].LoadAcq()->bitmap[p % heapArenaBytes / bitmapWordBytes];
}

// Walks the words of [addr, addr+size) that may hold pointers; addr must lie in a heap object of a
// span with pointers.
struct heapBits {
  uintptr addr, size;
  std::uint64_t mask;  // bits of the 64 words from base on that are still to be looked at
  uintptr base;
  // Address of the next such word, 0 at the end.
  GORT_INLINE uintptr next() {
    while (mask == 0) {
      base += bitmapWordBytes;
      if (base >= addr + size) return 0;
      mask = heapBitsWord(base);
    }
    uintptr p = base + static_cast<uintptr>(__builtin_ctzll(mask)) * sys::PtrSize;
    mask &= mask - 1;
    if (GORT_LIKELY(p < addr + size)) return p;
    mask = 0;
    base = addr + size;
    return 0;
  }
};
GORT_INLINE heapBits heapBitsForAddr(uintptr addr, uintptr size) {
  uintptr base = alignDown(addr, bitmapWordBytes);
  std::uint64_t mask = heapBitsWord(addr);
  return {addr, size, mask >> (addr - base) / sys::PtrSize << (addr - base) / sys::PtrSize, base};
}

constexpr std::uint64_t lowBits(uintptr n) {
  return n >= 64 ? ~std::uint64_t(0) : (std::uint64_t(1) << n) - 1;
}

// Writes the low n <= 64 bits of bits for the n words from x on.
GORT_INLINE void writeBits(uintptr x, std::uint64_t bits, uintptr n) {
  uintptr off = x % bitmapWordBytes / sys::PtrSize;
  std::uint64_t mask = lowBits(n);
  atomic::Relaxed<uintptr>& w = heapBitsWord(x);
  w = (w & ~(mask << off)) | bits << off;
  if (off + n > 64) {
    atomic::Relaxed<uintptr>& w2 = heapBitsWord(x + bitmapWordBytes);
    w2 = (w2 & ~(mask >> (64 - off))) | bits >> (64 - off);
  }
}

// Every word of values of typ is to be taken for a pointer: because it has no mask to look at, or
// because the values of an array do not begin at words.
GORT_INLINE bool wholly(const _type* typ) {
  return (typ->kind & kindGCProg) != 0 || typ->size % sys::PtrSize != 0;
}

// Sets the pointer bits of the object at x with size bytes, of which dataSize hold values of typ,
// one after another. x must be new and unknown to all others. Returns the bytes from x to the end
// of the last word that may be a pointer (scanAlloc).
uintptr heapBitsSetTypeSlow(uintptr x, uintptr size, uintptr dataSize, const _type* typ);
GORT_INLINE uintptr heapBitsSetType(uintptr x, uintptr size, uintptr dataSize, const _type* typ) {
  // One value, whose mask is one byte: the most frequent case.
  if (GORT_UNLIKELY(dataSize != typ->size || size > 8 * sys::PtrSize || wholly(typ)))
    return heapBitsSetTypeSlow(x, size, dataSize, typ);
  writeBits(x, typ->gcdata[0] & lowBits(typ->ptrdata / sys::PtrSize), size / sys::PtrSize);
  return typ->ptrdata;
}

// Before dst is overwritten by src (0: cleared), for size bytes: gives both old and new pointers to
// the write barrier. Nosplit, as the next one: the caller makes sure that its goroutine does not stop
// before the copy is made. Does nothing while the barrier is off. dst, src, size are multiples of 8. dst
// may be in the heap, in data or bss, or anywhere else, where nothing is done.
void bulkBarrierPreWrite(uintptr dst, uintptr src, uintptr size);
// Gives the pointers of the value of typ at src to the barrier, for copies to another goroutine's
// stack; and the ones at dst too.
void typeBitsBulkBarrier(const _type* typ, uintptr dst, uintptr src, uintptr size);

}  // namespace gort::runtime
