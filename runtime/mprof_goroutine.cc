// Profiles of goroutines and threads. The third part of mprof.go; see mprof.h.
//
// The stacks of goroutines are read while the world is stopped (in Go by goroutines themselves, as
// they come to run, if the program started with a new enough version), so they are of one moment.
// sched.lock protects the list of Ms.
#include "mprof.h"
#include "mbarrier.h"
#include "proc.h"
#include "traceback.h"

namespace gort::runtime {

namespace {

// Takes what stands in r as the innermost frames of gp. On the system stack.
void saveg(unwinder* u, StackRecord* r) {
  int n = tracebackPCs(u, 0, r->Stack0, maxStack);
  if (n < maxStack) r->Stack0[n] = 0;
}

}  // namespace

GORT_NOINLINE ProfileResult GoroutineProfile(std::span<StackRecord> p, std::span<void*> labels) {
  uintptr pc = getcallerpc();
  uintptr sp = getcallersp();
  uintptr bp = getcallerbp();
  g* ourg = getg();
  bool withLabels = labels.size() == p.size();
  // The same goroutines as NumGoroutine and Stack.
  auto isOK = [ourg](g* gp) {
    return gp != ourg && readgstatus(gp) != _Gdead && !isSystemGoroutine(gp, false);
  };
  stopTheWorld(stwGoroutineProfile);
  ProfileResult r{1, false};
  systemstack([&] {
    forEachGRace([&](g* gp) {
      if (isOK(gp)) r.n++;
    });
    if (static_cast<std::size_t>(r.n) > p.size()) return;
    r.ok = true;
    std::size_t i = 0;
    auto save = [&](g* gp, unwinder* u) {
      saveg(u, &p[i]);
      if (withLabels) {
        void* l = gp->labels;
        gcWriteBarrier(&labels[i], l);
        labels[i] = l;
      }
      i++;
    };
    unwinder u;
    u.initAt(pc, sp, bp, ourg, unwindSilentErrors);
    save(ourg, &u);
    forEachGRace([&](g* gp) {
      if (!isOK(gp) || i >= p.size()) return;
      u.init(gp, unwindSilentErrors);
      save(gp, &u);
    });
  });
  startTheWorld();
  return r;
}

ProfileResult ThreadCreateProfile(std::span<StackRecord> p) {
  ProfileResult r{0, false};
  systemstack([&] {
    lock(&sched.lock);
    for (m* mp = allm; mp != nullptr; mp = mp->alllink) r.n++;
    r.ok = static_cast<std::size_t>(r.n) <= p.size();
    if (r.ok) {
      StackRecord* to = p.data();
      for (m* mp = allm; mp != nullptr; mp = mp->alllink, to++)
        for (int i = 0; i < maxStack; i++) to->Stack0[i] = mp->createstack[i];
    }
    unlock(&sched.lock);
  });
  return r;
}

}  // namespace gort::runtime
