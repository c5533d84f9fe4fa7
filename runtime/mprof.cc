// See mprof.h. The heap profile and the table of buckets.
//
// Locks: profInsertLock protects the insertion of buckets; the others are said in mprof.h. All of them
// are taken on the system stack.
#include "mprof.h"

#include <cmath>

#include "malloc.h"
#include "mfinal.h"
#include "os_linux.h"
#include "proc.h"
#include "traceback.h"

namespace gort::runtime {

atomic::Pointer<bucket> mbuckets, bbuckets, xbuckets;
memProfileRate MemProfileRate;
extern mutex profBlockLock;

namespace {

constexpr uintptr buckHashSize = 179999;

mutex profInsertLock;
mutex profMemActiveLock;
constexpr std::uint32_t nfuture = std::size(memRecord{}.future);
mutex profMemFutureLock[nfuture];

// Heads of the hash chains; null until the first bucket.
atomic::Pointer<atomic::Pointer<bucket>> buckhash;

// The cycle, modulo cycleWrap, from bit 1 on; bit 0: future[cycle] is published already.
atomic::Uint32 mProfCycle;
constexpr std::uint32_t cycleWrap = nfuture * (2 << 24);

std::uint32_t currentCycle() { return mProfCycle.Load() >> 1; }

// profInsertLock must be held. The system stack.
void makeTable() {
  uintptr bytes = alignUp(buckHashSize * sizeof(atomic::Pointer<bucket>), physPageSize);
  void* p = POINT_FAILS(mprof_mmap) ? nullptr : sysAlloc(bytes);
  if (p == nullptr) throw_("runtime: cannot allocate memory");
  memstats.otherSys.Add(bytes);
  memstats.buckHashSys.Add(bytes);
  buckhash.Store(static_cast<atomic::Pointer<bucket>*>(p));
}

uintptr hashStack(const uintptr* stk, int nstk, uintptr size) {
  uintptr h = 0;
  auto mix = [&h](uintptr v) {
    h += v;
    h += h << 10;
    h ^= h >> 6;
  };
  for (int i = 0; i < nstk; i++) mix(stk[i]);
  mix(size);
  h += h << 3;
  h ^= h >> 11;
  return h;
}

// Adds cycle index to what is published. profMemActiveLock and profMemFutureLock[index] must be held.
void mProf_FlushLocked(std::uint32_t index) {
  assertLockHeld(&profMemActiveLock);
  assertLockHeld(&profMemFutureLock[index]);
  // Buckets that are made meanwhile have nothing in this cycle.
  for (bucket* b = mbuckets.LoadAcq(); b != nullptr; b = b->allnext) {
    memRecord* mp = b->mp();
    mp->active.add(mp->future[index]);
    mp->future[index] = {};
  }
}

void flush(std::uint32_t index) {
  systemstack([=] {
    lock(&profMemActiveLock);
    lock(&profMemFutureLock[index]);
    mProf_FlushLocked(index);
    unlock(&profMemFutureLock[index]);
    unlock(&profMemActiveLock);
  });
}

// -log(q) * mean for a random q in (0, 1]: exponentially distributed.
std::int64_t fastexprand(int mean) {
  constexpr int maxMean = 0x7000000;
  if (mean > maxMean) mean = maxMean;
  constexpr int randomBitCount = 26;
  double q = static_cast<double>(fastrandn(1u << randomBitCount) + 1) / (1u << randomBitCount);
  return static_cast<std::int64_t>(-std::log(q) * mean) + 1;
}

bool shown(const memRecordCycle& a, bool inuseZero) {
  return inuseZero || a.alloc_bytes != a.free_bytes;
}

// profMemActiveLock must be held. On the system stack.
int countRecords(bucket* head, bool inuseZero, bool* clear) {
  int n = 0;
  *clear = true;
  for (bucket* b = head; b != nullptr; b = b->allnext) {
    const memRecordCycle& a = b->mp()->active;
    if (shown(a, inuseZero)) n++;
    if (a.allocs != 0 || a.frees != 0) *clear = false;
  }
  return n;
}

void record(MemProfileRecord* r, bucket* b) {
  const memRecordCycle& a = b->mp()->active;
  r->AllocBytes = static_cast<std::int64_t>(a.alloc_bytes);
  r->FreeBytes = static_cast<std::int64_t>(a.free_bytes);
  r->AllocObjects = static_cast<std::int64_t>(a.allocs);
  r->FreeObjects = static_cast<std::int64_t>(a.frees);
  copystk(r->Stack0, b);
}

ProfileResult memProfile1(std::span<MemProfileRecord> p, bool inuseZero) {
  std::uint32_t index = currentCycle() % nfuture;
  lock(&profMemActiveLock);
  // Between mProf_NextCycle and mProf_Flush: all that is to be shown shall be in active.
  lock(&profMemFutureLock[index]);
  mProf_FlushLocked(index);
  unlock(&profMemFutureLock[index]);
  bucket* head = mbuckets.LoadAcq();
  bool clear;
  int n = countRecords(head, inuseZero, &clear);
  if (clear) {
    // There was no collection yet, or will never be one: show what there is.
    for (std::uint32_t c = 0; c < nfuture; c++) {
      lock(&profMemFutureLock[c]);
      mProf_FlushLocked(c);
      unlock(&profMemFutureLock[c]);
    }
    n = countRecords(head, inuseZero, &clear);
  }
  bool ok = static_cast<std::size_t>(n) <= p.size();
  if (ok) {
    std::size_t i = 0;
    for (bucket* b = head; b != nullptr; b = b->allnext)
      if (shown(b->mp()->active, inuseZero)) record(&p[i++], b);
  }
  unlock(&profMemActiveLock);
  return {n, ok};
}

}  // namespace

void mprofinit() {
  lockInit(&profInsertLock, lockRankProfInsert);
  lockInit(&profBlockLock, lockRankProfBlock);
  lockInit(&profMemActiveLock, lockRankProfMemActive);
  for (mutex& l : profMemFutureLock) lockInit(&l, lockRankProfMemFuture);
}

memRecord* bucket::mp() {
  if (typ != memProfile) throw_("bad use of bucket.mp");
  return &mem;
}

blockRecord* bucket::bp() {
  if (typ != blockProfile && typ != mutexProfile) throw_("bad use of bucket.bp");
  return &block;
}

void copystk(uintptr (&to)[32], bucket* b) {
  for (int i = 0; i < maxStack; i++) to[i] = i < b->nstk ? b->stk()[i] : 0;
}

bucket* stkbucket(bucketType typ, uintptr size, const uintptr* stk, int nstk) {
  uintptr h = hashStack(stk, nstk, size);
  auto search = [=](atomic::Pointer<bucket>* chain) {
    bucket* b = chain->LoadAcq();
    for (; b != nullptr; b = b->next) {
      if (b->typ != typ || b->hash != h || b->size != size || b->nstk != nstk) continue;
      int i = 0;
      while (i < nstk && b->stk()[i] == stk[i]) i++;
      if (i == nstk) break;
    }
    return b;
  };
  if (auto* table = buckhash.LoadAcq(); table != nullptr)
    if (bucket* b = search(&table[h % buckHashSize]); b != nullptr) return b;

  lock(&profInsertLock);
  if (buckhash.LoadRelaxed() == nullptr) makeTable();
  atomic::Pointer<bucket>* chain = &buckhash.LoadRelaxed()[h % buckHashSize];
  bucket* b = search(chain);
  if (b == nullptr) {
    uintptr bytes = sizeof(bucket) + static_cast<uintptr>(nstk) * sizeof(uintptr);
    b = new (persistentalloc(bytes)) bucket{};
    memstats.buckHashSys.Add(bytes);
    b->typ = typ;
    b->hash = h;
    b->size = size;
    b->nstk = nstk;
    for (int i = 0; i < nstk; i++) b->stk()[i] = stk[i];
    auto* all = typ == memProfile ? &mbuckets : typ == blockProfile ? &bbuckets : &xbuckets;
    b->next = chain->LoadRelaxed();
    b->allnext = all->LoadRelaxed();
    chain->StoreRel(b);
    all->StoreRel(b);
  }
  unlock(&profInsertLock);
  return b;
}

void mProf_NextCycle() {
  // Wrapped by hand: the ring of cycles is no power of two.
  for (;;) {
    std::uint32_t prev = mProfCycle.Load();
    std::uint32_t cycle = ((prev >> 1) + 1) % cycleWrap;
    if (mProfCycle.CompareAndSwap(prev, cycle << 1)) return;
  }
}

void mProf_Flush() {
  std::uint32_t prev = mProfCycle.Load();
  while (!mProfCycle.CompareAndSwap(prev, prev | 1)) prev = mProfCycle.Load();
  if ((prev & 1) == 0) flush((prev >> 1) % nfuture);
}

void mProf_PostSweep() { flush((currentCycle() + 1) % nfuture); }

std::int64_t nextSample() {
  int rate = MemProfileRate;
  if (rate <= 0) return INT64_MAX;
  return rate == 1 ? 0 : fastexprand(rate);
}

GORT_NOINLINE void profilealloc(mcache* c, void* x, uintptr size) {
  uintptr pc = getcallerpc();
  uintptr sp = getcallersp();
  uintptr bp = getcallerbp();
  g* gp = getg();
  systemstack([=] {
    c->nextSample = nextSample();
    if (MemProfileRate <= 0) return;
    uintptr stk[maxStack];
    unwinder u;
    u.initAt(pc, sp, bp, gp, unwindSilentErrors);
    int nstk = tracebackPCs(&u, 0, stk, maxStack);
    std::uint32_t index = (currentCycle() + 2) % nfuture;
    bucket* b = stkbucket(memProfile, size, stk, nstk);
    lock(&profMemFutureLock[index]);
    b->mp()->future[index].allocs++;
    b->mp()->future[index].alloc_bytes += size;
    unlock(&profMemFutureLock[index]);
    // Takes other locks. The object cannot be freed before: its creator has not got it yet.
    setprofilebucket(x, b);
  });
}

void mProf_Free(bucket* b, uintptr size) {
  systemstack([=] {
    std::uint32_t index = (currentCycle() + 1) % nfuture;
    lock(&profMemFutureLock[index]);
    b->mp()->future[index].frees++;
    b->mp()->future[index].free_bytes += size;
    unlock(&profMemFutureLock[index]);
  });
}

memProfileRate& memProfileRate::operator=(int rate) {
  rate_ = rate;
  // Before Main the countdowns are not there yet.
  if (getg() == nullptr || !mainStarted) return *this;
  stopTheWorld(stwUnknown);
  systemstack([] {
    for (std::int32_t i = 0; i < allp.len; i++) allp[i]->mcache->nextSample = nextSample();
  });
  startTheWorld();
  return *this;
}

ProfileResult MemProfile(std::span<MemProfileRecord> p, bool inuseZero) {
  ProfileResult r;
  systemstack([&] { r = memProfile1(p, inuseZero); });
  return r;
}

}  // namespace gort::runtime
