// The block and the mutex profile. The second part of mprof.go; see mprof.h.
//
// A wait is recorded by who waited, after it (block profile); a contention of a mutex by who unlocked
// it, and is as long as it made others wait (mutex profile). Both count in cputicks.
//
// profBlockLock protects the counts. Nothing else is locked while it is held.
#include "mprof.h"
#include "proc.h"
#include "runtime.h"
#include "traceback.h"

namespace gort::runtime {

atomic::Int64 blockprofilerate;
atomic::Int64 mutexprofilerate;
mutex profBlockLock;

namespace {

// Waits of at least rate are all sampled, shorter ones with the probability cycles/rate.
bool blocksampled(std::int64_t cycles, std::int64_t rate) {
  if (rate <= 0) return false;
  return rate <= cycles || static_cast<std::int64_t>(fastrand()) % rate <= cycles;
}

// Counts for what was sampled and what was not: by one over the probability of the sample.
void addsample(blockRecord* r, std::int64_t cycles, std::int64_t rate, bucketType which) {
  if (which == blockProfile && cycles < rate) {
    r->count += static_cast<double>(rate) / static_cast<double>(cycles);
    r->cycles += rate;
  } else if (which == mutexProfile) {
    r->count += static_cast<double>(rate);
    r->cycles += rate * cycles;
  } else {
    r->count++;
    r->cycles += cycles;
  }
}

// For the stack from the frame that pc, sp and bp describe.
void saveblockevent(std::int64_t cycles, std::int64_t rate, bucketType which, uintptr pc,
                    uintptr sp, uintptr bp) {
  g* gp = getg();
  systemstack([=] {
    uintptr stk[maxStack];
    int nstk;
    g* curg = gp->m->curg;
    if (curg == nullptr || curg == gp) {
      unwinder u;
      u.initAt(pc, sp, bp, gp, unwindSilentErrors);
      nstk = tracebackPCs(&u, 0, stk, maxStack);
    } else {
      nstk = gcallers(curg, 0, stk, maxStack);
    }
    bucket* b = stkbucket(which, 0, stk, nstk);
    lock(&profBlockLock);
    addsample(b->bp(), cycles, rate, which);
    unlock(&profBlockLock);
  });
}

ProfileResult readBuckets(const atomic::Pointer<bucket>& all, std::span<BlockProfileRecord> p) {
  ProfileResult r{0, false};
  systemstack([&] {
    lock(&profBlockLock);
    bucket* head = all.LoadAcq();
    for (bucket* b = head; b != nullptr; b = b->allnext) r.n++;
    r.ok = static_cast<std::size_t>(r.n) <= p.size();
    if (r.ok) {
      BlockProfileRecord* to = p.data();
      for (bucket* b = head; b != nullptr; b = b->allnext, to++) {
        to->Count = static_cast<std::int64_t>(b->bp()->count);
        to->Cycles = b->bp()->cycles;
        copystk(to->Stack0, b);
      }
    }
    unlock(&profBlockLock);
  });
  return r;
}

}  // namespace

GORT_NOINLINE void blockevent(std::int64_t cycles) {
  if (cycles <= 0) cycles = 1;
  std::int64_t rate = blockprofilerate.Load();
  if (blocksampled(cycles, rate))
    saveblockevent(cycles, rate, blockProfile, getcallerpc(), getcallersp(), getcallerbp());
}

GORT_NOINLINE void mutexevent(std::int64_t cycles) {
  if (cycles < 0) cycles = 0;
  std::int64_t rate = mutexprofilerate.Load();
  if (rate > 0 && static_cast<std::int64_t>(fastrand()) % rate == 0)
    saveblockevent(cycles, rate, mutexProfile, getcallerpc(), getcallersp(), getcallerbp());
}

void SetBlockProfileRate(int rate) {
  std::int64_t r;
  if (rate <= 0) {
    r = 0;
  } else if (rate == 1) {
    r = 1;
  } else {
    r = static_cast<std::int64_t>(rate * static_cast<double>(tickspersecond()) / 1e9);
    if (r == 0) r = 1;
  }
  blockprofilerate.Store(r);
}

int SetMutexProfileFraction(int rate) {
  if (rate < 0) return static_cast<int>(mutexprofilerate.Load());
  return static_cast<int>(mutexprofilerate.Swap(rate));
}

ProfileResult BlockProfile(std::span<BlockProfileRecord> p) { return readBuckets(bbuckets, p); }
ProfileResult MutexProfile(std::span<BlockProfileRecord> p) { return readBuckets(xbuckets, p); }

}  // namespace gort::runtime
