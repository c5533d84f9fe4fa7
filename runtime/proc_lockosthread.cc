// Tying a goroutine to its thread. Ports LockOSThread and its kin of proc.go.
//
// Invariants:
//  - g.lockedm == m if and only if m.lockedg == g. lockedExt counts the program's calls, lockedInt
//    the runtime's; the tie lasts while either is not 0.
//  - A goroutine that ends while tied takes its thread with it (goexit0).
#include "error.h"
#include "proc.h"

namespace gort::runtime {

namespace {

// Not preempted between: the two fields must name the M that we are on.
void dolockOSThread() {
  g* gp = getg();
  gp->m->lockedg = gp;
  gp->lockedm = gp->m;
}

void dounlockOSThread() {
  g* gp = getg();
  if (gp->m->lockedInt != 0 || gp->m->lockedExt != 0) return;
  gp->m->lockedg = nullptr;
  gp->lockedm = nullptr;
}

}  // namespace

void LockOSThread() {
  // A locked thread must not be cloned for a new M; the template thread makes those.
  startTemplateThread();
  m* mp = acquirem();
  mp->lockedExt++;
  if (mp->lockedExt == 0) {
    mp->lockedExt--;
    releasem(mp);
    panicPlainError("LockOSThread nesting overflow");
  }
  dolockOSThread();
  releasem(mp);
}

void lockOSThread() {
  m* mp = acquirem();
  mp->lockedInt++;
  dolockOSThread();
  releasem(mp);
}

void UnlockOSThread() {
  m* mp = acquirem();
  if (mp->lockedExt != 0) {
    mp->lockedExt--;
    dounlockOSThread();
  }
  releasem(mp);
}

void unlockOSThread() {
  m* mp = acquirem();
  if (mp->lockedInt == 0) throw_("runtime: internal error: misuse of lockOSThread/unlockOSThread");
  mp->lockedInt--;
  dounlockOSThread();
  releasem(mp);
}

}  // namespace gort::runtime
