// See malloc.h. Ports persistentalloc and the allocation entry of malloc.go; memory comes from the
// page heap (mheap.cc).
//
// Invariants:
//  - mallocgc hands out zeroed memory and never takes any back: there is no collector in this build
//    yet, so an object lives as long as the process.
//  - A P's chunk [chunk, chunkend) belongs to that P; code that uses it holds its M (acquirem).
#include "malloc.h"

#include "os_linux.h"
#include "proc.h"

namespace gort::runtime {

namespace {

constexpr uintptr persistentChunkSize = 256 << 10;
constexpr uintptr maxChunkObject = 32 << 10;
constexpr uintptr mcacheChunkSize = 64 << 10;
constexpr uintptr maxAlloc = uintptr(1) << 48;

struct {
  mutex mu;
  uintptr base;  // protected by mu
  uintptr off;
} globalAlloc;

[[noreturn]] GORT_NOINLINE void outOfMemory() { throw_("runtime: out of memory"); }

uintptr largeAlloc(uintptr size) {
  if (size >= maxAlloc) outOfMemory();
  mspan* s = nullptr;
  systemstack([&] { s = allocManual(alignUp(size, _PageSize) >> _PageShift); });
  if (s == nullptr) outOfMemory();
  if (s->needzero) memclrNoHeapPointers(reinterpret_cast<void*>(s->startAddr), size);
  return s->startAddr;
}

void refillChunk(mcache* c) {
  uintptr base = largeAlloc(mcacheChunkSize);
  c->chunk = base;
  c->chunkend = base + mcacheChunkSize;
}

GORT_NOINLINE void* mallocLarge(uintptr size) { return reinterpret_cast<void*>(largeAlloc(size)); }

}  // namespace

void mallocinit() {
  lockInit(&globalAlloc.mu, lockRankGlobalAlloc);
  lockInit(&mheaplock, lockRankMheap);
}

void* persistentalloc(uintptr size, uintptr align) {
  if (align == 0) align = 8;
  if ((align & (align - 1)) != 0) throw_("persistentalloc: align is not a power of 2");
  uintptr p = 0;
  systemstack([&] {
    if (size >= persistentChunkSize / 4) {
      p = reinterpret_cast<uintptr>(sysAlloc(alignUp(size, physPageSize)));
      if (p == 0) throw_("runtime: cannot allocate memory");
      return;
    }
    lock(&globalAlloc.mu);
    globalAlloc.off = alignUp(globalAlloc.off, align);
    if (globalAlloc.base == 0 || globalAlloc.off + size > persistentChunkSize) {
      globalAlloc.base = reinterpret_cast<uintptr>(sysAlloc(persistentChunkSize));
      globalAlloc.off = 0;
      if (globalAlloc.base == 0) {
        unlock(&globalAlloc.mu);
        throw_("runtime: cannot allocate memory");
      }
    }
    p = globalAlloc.base + globalAlloc.off;
    globalAlloc.off += size;
    unlock(&globalAlloc.mu);
  });
  return reinterpret_cast<void*>(p);
}

void* mallocgc(uintptr size, bool) {
  POINT(mallocgc_begin);
  if (size == 0) size = 1;
  if (size > maxChunkObject) return mallocLarge(size);
  size = alignUp(size, size >= 16 ? 16 : 8);
  m* mp = acquirem();
  p* pp = mp->p;
  if (pp == nullptr || pp->mcache == nullptr) {
    releasem(mp);
    return persistentalloc(size, 16);
  }
  mcache* c = pp->mcache;
  uintptr v = size >= 16 ? alignUp(c->chunk, 16) : c->chunk;
  if (GORT_UNLIKELY(v + size > c->chunkend)) {
    refillChunk(c);
    v = c->chunk;
  }
  c->chunk = v + size;
  releasem(mp);
  return reinterpret_cast<void*>(v);
}

mcache* allocmcache() { return newpersistent<mcache>(); }
void freemcache(mcache*) {}

}  // namespace gort::runtime
