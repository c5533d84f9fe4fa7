// Work buffers: the queues of grey objects. Ports mgcwork.go.
//
// Invariants:
//  - A grey object (marked, not scanned) is in exactly one buffer; buffers are full or partly full on
//    work.full, or belong to a P's gcWork, or are empty on work.empty.
//  - A gcWork belongs to its P and is touched between safe points only, so that a ragged barrier sees
//    all of it. Work in it is hidden from others until it is disposed or balanced.
//  - gcMarkDone trusts flushedWork: it is set whenever a gcWork has put work where others find it.
#pragma once

#include "atomic.h"
#include "sys.h"

namespace gort::runtime {

inline constexpr uintptr workbufSize = 2048;  // bytes
inline constexpr uintptr workbufAlloc = 32 << 10;  // bytes to get at a time

struct workbuf {
  workbuf* node;  // next in an lfstack; the stack's protocol protects it
  std::uint64_t pushcnt;
  int nobj;
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
  void put(uintptr obj);
  bool putFast(uintptr obj);
  void putBatch(const uintptr* obj, int n);
  uintptr tryGet();  // 0 when there is none here or in work.full
  uintptr tryGetFast();
  void dispose();  // everything to the global lists
  void balance();  // some, if others may be short of work
  bool empty() const;
};

void putfull(workbuf* b);
workbuf* trygetfull();
workbuf* handoff(workbuf* b);
void prepareFreeWorkbufs();
// Frees some buffers when the collector is off; false when there are no more.
bool freeSomeWbufs(bool preemptible);

}  // namespace gort::runtime
