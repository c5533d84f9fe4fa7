// How a goroutine's creators came to the go statements that led to it, for
// GODEBUG=tracebackancestors=N. Ports saveAncestors of proc.go; traceback_print.cc prints.
//
// Invariants:
//  - A g's list begins with its creator and has at most N records. It is its own: a goroutine
//    copies its creator's list, so that it may outlive the creator.
//  - Records come from a free list and go back to it, never to other uses: a crash, which looks at
//    the lists of other goroutines without any lock, may come upon a record that has another owner
//    by then, but it is a record. Such a reader counts, since a list that changes may never end for
//    it.
//
// freeLock protects the free list.
#include "malloc.h"
#include "proc.h"
#include "runtime1.h"
#include "traceback.h"

namespace gort::runtime {

namespace {

mutex freeLock;
ancestorInfo* freeList;

ancestorInfo* newancestor() {
  lock(&freeLock);
  ancestorInfo* a = freeList;
  if (a != nullptr) freeList = a->next;
  unlock(&freeLock);
  return a != nullptr ? a : newpersistent<ancestorInfo>();
}

void copyancestor(ancestorInfo* to, const ancestorInfo* from) {
  to->goid = from->goid;
  to->gopc = from->gopc;
  to->npcs = from->npcs;
  for (int i = 0; i < from->npcs; i++) to->pcs[i] = from->pcs[i];
}

}  // namespace

// On g0.
ancestorInfo* saveAncestors(g* callergp) {
  // g0s have no goid: what they start has no ancestors.
  if (dbg.tracebackancestors <= 0 || callergp->goid == 0) return nullptr;
  ancestorInfo* first = newancestor();
  first->goid = callergp->goid;
  first->gopc = callergp->gopc;
  uintptr pcs[tracebackInnerFrames];
  int n = gcallers(callergp, 0, pcs, tracebackInnerFrames);
  first->npcs = n;
  for (int i = 0; i < n; i++) first->pcs[i] = pcs[i];

  ancestorInfo* last = first;
  const ancestorInfo* from = callergp->ancestors;
  for (std::int32_t left = dbg.tracebackancestors - 1; left > 0 && from != nullptr; left--) {
    ancestorInfo* a = newancestor();
    copyancestor(a, from);
    last->next = a;
    last = a;
    from = from->next;
  }
  last->next = nullptr;
  return first;
}

void freeAncestors(ancestorInfo* a) {
  ancestorInfo* last = a;
  while (last->next != nullptr) last = last->next;
  lock(&freeLock);
  last->next = freeList;
  freeList = a;
  unlock(&freeLock);
}

}  // namespace gort::runtime
