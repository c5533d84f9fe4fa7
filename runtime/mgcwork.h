// Work buffers: the queues of grey objects. Ports mgcwork.go.
//
// Invariants:
//  - A grey object (marked, not scanned) is in exactly one buffer; buffers are full or partly full on
//    work.full, or belong to a P's gcWork, or are empty on work.empty.
//  - A gcWork belongs to its P and is touched between safe points only, so that a ragged barrier sees
//    all of it. Work in it is hidden from others until it is disposed or balanced.
//  - gcMarkDone trusts flushedWork: it is set whenever a gcWork has put work where others find it.
#pragma once

#include <iterator>

#include "atomic.h"
#include "sys.h"

namespace gort::runtime {

inline constexpr uintptr workbufSize = explore::capacity<uintptr>(2048, 256);  // bytes
inline constexpr uintptr workbufAlloc = 32 << 10;  // bytes to get at a time

struct workbuf {
  // Packed reference to the next one in an lfstack. Read by poppers that lose the race for this
  // buffer, hence atomic.
  atomic::Uint64 next;
  std::uint64_t pushcnt;  // owner
  std::int64_t nobj;
  uintptr obj[(workbufSize - 24) / sys::PtrSize];
};
static_assert(sizeof(workbuf) == workbufSize);

// A stack without locks. The head packs an address and a count of pushes, against ABA; nodes are
// never unmapped while others may pop.
struct lfstack {
  atomic::Uint64 head;
  void push(workbuf* node);
  workbuf* pop();
  bool empty() const { return head.Load() == 0; }
};

struct gcWork {
  // wbuf1 is used first; with two, a push and pop at the edge of a buffer does not go to the global
  // list each time. Both null, or both not.
  workbuf* wbuf1;
  workbuf* wbuf2;
  std::uint64_t bytesMarked;  // bytes marked (blackened) since the last flush
  std::int64_t heapScanWork;  // bytes of heap scanned since the last flush
  bool flushedWork;  // put work on a global list since the last look

  void init();
  // obj is the address of a grey object, or of an oblet of one.
  void put(uintptr obj);
  void putBatch(const uintptr* obj, uintptr n);
  uintptr tryGet();  // 0 when there is none here or in work.full
  GORT_INLINE bool putFast(uintptr obj);
  GORT_INLINE uintptr tryGetFast();
  void dispose();  // everything to the global lists
  void balance();  // some, if others may be short of work
  bool empty() const { return wbuf1 == nullptr || (wbuf1->nobj == 0 && wbuf2->nobj == 0); }
};

bool gcWork::putFast(uintptr obj) {
  workbuf* b = wbuf1;
  if (b == nullptr || b->nobj == static_cast<std::int64_t>(std::size(b->obj))) return false;
  b->obj[b->nobj++] = obj;
  return true;
}
uintptr gcWork::tryGetFast() {
  workbuf* b = wbuf1;
  if (b == nullptr || b->nobj == 0) return 0;
  return b->obj[--b->nobj];
}

// Moves all buffers to where they can be freed. All must be on work.empty; world stopped.
void prepareFreeWorkbufs();
// Frees some buffers when the collector is off; false when there are no more.
bool freeSomeWbufs(bool preemptible);

}  // namespace gort::runtime
