// See mbitmap.h. Ports mbitmap.go and the gcBits part of mheap.go.
//
// Arrays of mark and allocation bits come from arenas of gcBitsChunkBytes. gcBitsArenas.next holds
// those that are made now, for the next cycle's marks; at the start of a cycle they become current
// (the marks of this cycle, then the allocation bits), what was current becomes previous (the
// allocation bits of spans that are not swept yet), and what was previous is free: every span has
// been swept and has left it.
//
// Locks: gcBitsArenas.lock protects the lists; an arena of next is cut by atomic addition. The words
// of an arena's pointer bitmap belong to the P that has the span in its cache: a word covers 512
// bytes, which are of one span.
#include "mbitmap.h"

#include "malloc.h"
#include "mbarrier.h"
#include "moduledata.h"
#include "os_linux.h"
#include "panic_throw.h"
#include "point.h"
#include "stubs.h"

namespace gort::runtime {

namespace {

constexpr uintptr gcBitsChunkBytes = explore::capacity<uintptr>(64 << 10, 2 << 10);

struct gcBitsArena {
  atomic::Uintptr free;  // index of the next free byte in bits
  gcBitsArena* next;
  gcBits bits[gcBitsChunkBytes - 2 * sys::PtrSize];

  // Null when there is not enough room.
  gcBits* tryAlloc(uintptr bytes) {
    if (free.Load() + bytes > sizeof bits) return nullptr;
    uintptr end = free.Add(bytes);
    return end > sizeof bits ? nullptr : &bits[end - bytes];
  }
};
static_assert(sizeof(gcBitsArena) == gcBitsChunkBytes && offsetof(gcBitsArena, bits) % 8 == 0);

struct {
  mutex lock;
  gcBitsArena* free;
  atomic::Pointer<gcBitsArena> next;  // written under lock; its head is read without
  gcBitsArena* current;
  gcBitsArena* previous;
} gcBitsArenas;

gcBits* tryAllocNext(uintptr bytes) {
  gcBitsArena* a = gcBitsArenas.next.Load();
  return a == nullptr ? nullptr : a->tryAlloc(bytes);
}

// An empty arena, zeroed. gcBitsArenas.lock must be held, and may be released for a while.
gcBitsArena* newArenaMayUnlock() {
  gcBitsArena* a = gcBitsArenas.free;
  if (a != nullptr) {
    gcBitsArenas.free = a->next;
    memclrNoHeapPointers(a, gcBitsChunkBytes);
    return a;
  }
  unlock(&gcBitsArenas.lock);
  a = POINT_FAILS(gcbits_mmap) ? nullptr : static_cast<gcBitsArena*>(sysAlloc(gcBitsChunkBytes));
  if (a == nullptr) throw_("runtime: cannot allocate memory");
  memstats.gcMiscSys.Add(gcBitsChunkBytes);
  lock(&gcBitsArenas.lock);
  return a;
}

}  // namespace

void gcBitsInit() { lockInit(&gcBitsArenas.lock, lockRankGcBitsArenas); }

gcBits* newMarkBits(uintptr nelems) {
  uintptr bytes = alignUp(nelems, 64) / 8;
  if (gcBits* b = tryAllocNext(bytes); b != nullptr) return b;
  lock(&gcBitsArenas.lock);
  gcBits* b = tryAllocNext(bytes);
  if (b == nullptr) {
    gcBitsArena* fresh = newArenaMayUnlock();
    // Somebody else may have had the same need while the lock was open.
    b = tryAllocNext(bytes);
    if (b != nullptr) {
      fresh->next = gcBitsArenas.free;
      gcBitsArenas.free = fresh;
    } else {
      b = fresh->tryAlloc(bytes);
      if (b == nullptr) throw_("markBits overflow");
      fresh->next = gcBitsArenas.next.Load();
      gcBitsArenas.next.Store(fresh);
    }
  }
  unlock(&gcBitsArenas.lock);
  return b;
}

gcBits* newAllocBits(uintptr nelems) { return newMarkBits(nelems); }

void nextMarkBitArenaEpoch() {
  lock(&gcBitsArenas.lock);
  if (gcBitsArena* last = gcBitsArenas.previous; last != nullptr) {
    while (last->next != nullptr) last = last->next;
    last->next = gcBitsArenas.free;
    gcBitsArenas.free = gcBitsArenas.previous;
  }
  gcBitsArenas.previous = gcBitsArenas.current;
  gcBitsArenas.current = gcBitsArenas.next.Load();
  gcBitsArenas.next.Store(nullptr);
  unlock(&gcBitsArenas.lock);
}

// Eight bytes at once, without an atomic access: nobody changes allocBits, and gcmarkBits are counted
// when marking is over.
void mspan::refillAllocCache(uintptr whichByte) {
  std::uint64_t bits;
  __builtin_memcpy_inline(&bits, allocBits + whichByte, sizeof bits);
  allocCache = ~bits;
}

uintptr mspan::nextFreeIndex() {
  uintptr i = freeindex;
  if (i == nelems) return i;
  if (i > nelems) throw_("s.freeindex > s.nelems");
  while (allocCache == 0) {
    i = alignDown(i + 64, 64);
    if (i >= nelems) {
      freeindex = nelems;
      return nelems;
    }
    refillAllocCache(i / 8);
  }
  auto bit = static_cast<uintptr>(__builtin_ctzll(allocCache));
  uintptr result = i + bit;
  if (result >= nelems) {
    freeindex = nelems;
    return nelems;
  }
  // In two steps: bit may be 63.
  allocCache = allocCache >> bit >> 1;
  freeindex = result + 1;
  if (freeindex % 64 == 0 && freeindex != nelems) refillAllocCache(freeindex / 8);
  return result;
}

std::uint16_t mspan::countAlloc() const {
  unsigned n = 0;
  for (uintptr byte = 0; byte < alignUp(nelems, 64) / 8; byte += 8) {
    std::uint64_t bits;
    __builtin_memcpy_inline(&bits, gcmarkBits + byte, sizeof bits);
    n += static_cast<unsigned>(__builtin_popcountll(bits));
  }
  return static_cast<std::uint16_t>(n);
}

// ---- pointer bits ----

namespace {

// Bits [from, from+64) of the pointer mask of typ, which counts as endless zeros behind ptrdata.
std::uint64_t typeBits(const _type* typ, uintptr from) {
  uintptr nbits = typ->ptrdata / sys::PtrSize;
  if (from >= nbits) return 0;
  std::uint64_t bits = 0;
  uintptr nbytes = (nbits + 7) / 8;
  for (uintptr k = 0; k < 8 && from / 8 + k < nbytes; k++)
    bits |= static_cast<std::uint64_t>(typ->gcdata[from / 8 + k]) << 8 * k;
  return bits & lowBits(nbits - from);
}

// The first 64 bits of the mask of typ, whose size is words words.
GORT_INLINE std::uint64_t firstBits(const _type* typ, uintptr words) {
  return words <= 8 ? typ->gcdata[0] & lowBits(typ->ptrdata / sys::PtrSize) : typeBits(typ, 0);
}

// The same 64 or fewer bits over and over: one value of typ, of words words, repeated as often as
// whole values fit. used is the number of bits in use.
struct pattern {
  std::uint64_t bits;
  uintptr used;
};
GORT_INLINE pattern repeated(const _type* typ, uintptr words) {
  std::uint64_t bits = firstBits(typ, words);
  uintptr used = words;
  for (; used * 2 <= 64; used *= 2) bits |= bits << used;
  return {bits, used};
}

// Sets the bits of [x, x+size): data as the type says, and none behind dataSize.
GORT_NOINLINE void setManyBits(uintptr x, uintptr size, uintptr dataSize, const _type* typ) {
  uintptr dataEnd = x + alignDown(dataSize, sys::PtrSize);
  uintptr words = typ->size / sys::PtrSize;
  auto put = [&](uintptr* at, std::uint64_t bits, uintptr n) {
    if (n > (dataEnd - *at) / sys::PtrSize) n = (dataEnd - *at) / sys::PtrSize;
    writeBits(*at, bits & lowBits(n), n);
    *at += n * sys::PtrSize;
  };
  uintptr at = x;
  if (wholly(typ)) {
    while (at < dataEnd) put(&at, ~std::uint64_t(0), 64);
  } else if (words <= 64) {
    pattern pat = repeated(typ, words);
    while (at < dataEnd) put(&at, pat.bits, pat.used);
  } else {
    while (at < dataEnd)
      for (uintptr i = 0; i < words && at < dataEnd; i += 64)
        put(&at, typeBits(typ, i), words - i < 64 ? words - i : 64);
  }
  for (; at < x + size; at += bitmapWordBytes) {
    uintptr n = (x + size - at) / sys::PtrSize;
    writeBits(at, 0, n < 64 ? n : 64);
  }
}

}  // namespace

GORT_NOINLINE uintptr heapBitsSetTypeSlow(uintptr x, uintptr size, uintptr dataSize,
                                          const _type* typ) {
  uintptr words = typ->size / sys::PtrSize;
  uintptr n = size / sys::PtrSize;
  if (GORT_UNLIKELY(n > 64 || words > 64 || wholly(typ))) {
    setManyBits(x, size, dataSize, typ);
  } else if (words >= dataSize / sys::PtrSize) {
    writeBits(x, firstBits(typ, words) & lowBits(dataSize / sys::PtrSize), n);
  } else {
    pattern pat = repeated(typ, words);
    // A pattern that does not divide 64 leaves the end of a longer array to a second turn.
    uintptr have = dataSize / sys::PtrSize;
    std::uint64_t bits = pat.bits;
    if (pat.used < have) bits |= pat.bits << pat.used;
    writeBits(x, bits & lowBits(have), n);
  }
  if (dataSize <= typ->size) return typ->ptrdata < dataSize ? typ->ptrdata : dataSize;
  return dataSize - typ->size + typ->ptrdata;
}

// ---- bulk barriers ----
//
// Between the barrier and the copy that it is for, and within the barrier, the goroutine must not
// stop: the collector is to see both as one step. So all of this is nosplit, and the caller sees to
// the rest.

namespace {

GORT_INLINE void* wordAt(uintptr p) { return *reinterpret_cast<void**>(p); }

// Gives the old value at dst, and the new one at src unless src is 0.
GORT_INLINE void barrierWord(uintptr dst, uintptr src) {
  if (src == 0)
    gcWriteBarrier1(wordAt(dst));
  else
    gcWriteBarrier2(wordAt(dst), wordAt(src));
}

}  // namespace

GORT_NOSPLIT void bulkBarrierPreWrite(uintptr dst, uintptr src, uintptr size) {
  if (((dst | src | size) & (sys::PtrSize - 1)) != 0)
    throw_("bulkBarrierPreWrite: unaligned arguments");
  if (!writeBarrier.enabled) return;
  mspan* s = spanOfHeap(dst);
  if (s == nullptr) {
    // Data and bss are scanned as if every word were a pointer.
    if (firstmoduledata().isWritable(dst))
      for (uintptr i = 0; i < size; i += sys::PtrSize) barrierWord(dst + i, src == 0 ? 0 : src + i);
    return;
  }
  if (s->spanclass.noscan()) return;
  heapBits h = heapBitsForAddr(dst, size);
  for (uintptr p = h.next(); p != 0; p = h.next()) barrierWord(p, src == 0 ? 0 : src + (p - dst));
}

GORT_NOSPLIT void typeBitsBulkBarrier(const _type* typ, uintptr dst, uintptr src, uintptr size) {
  if (typ == nullptr) throw_("runtime: typeBitsBulkBarrier without type");
  if (typ->size != size) throw_("runtime: invalid typeBitsBulkBarrier");
  if (!writeBarrier.enabled) return;
  bool all = wholly(typ);
  for (uintptr i = 0; i + sys::PtrSize <= typ->ptrdata; i += sys::PtrSize) {
    uintptr bit = i / sys::PtrSize;
    if (all || (typ->gcdata[bit / 8] & 1 << bit % 8) != 0)
      gcWriteBarrier2(wordAt(dst + i), wordAt(src + i));
  }
}

}  // namespace gort::runtime
