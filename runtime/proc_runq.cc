// Run queues: a lock-free ring per P, the global queue, and the linked lists of gs. Ports that part
// of proc.go.
//
// Invariants:
//  - Only a P's owner adds to its ring (runqtail) and puts a g into runnext; anybody takes.
//  - runqtail - runqhead <= runqlen, always, in wrapping arithmetic.
//  - A slot is written before the tail that covers it is stored (release), and read again by the
//    producer only after the head that passed it was loaded (acquire). A taker reads the slots first
//    and then commits by CAS on the head: if the CAS succeeds, the slots were still its own.
//  - The global queue is protected by sched.lock; sched.runqsize is its length.
#include "os_linux.h"
#include "print.h"
#include "proc.h"

namespace gort::runtime {

// In TSan builds the order in which a P runs its goroutines is shuffled, so that programs cannot
// come to rely on it and races between goroutines of one P are met in both orders.
inline constexpr bool randomizeScheduler = raceenabled;

void gQueue::push(g* gp) {
  gp->schedlink = head;
  head = gp;
  if (tail == nullptr) tail = gp;
}

void gQueue::pushBack(g* gp) {
  gp->schedlink = nullptr;
  if (tail != nullptr)
    tail->schedlink = gp;
  else
    head = gp;
  tail = gp;
}

void gQueue::pushBackAll(gQueue q2) {
  if (q2.tail == nullptr) return;
  q2.tail->schedlink = nullptr;
  if (tail != nullptr)
    tail->schedlink = q2.head;
  else
    head = q2.head;
  tail = q2.tail;
}

g* gQueue::pop() {
  g* gp = head;
  if (gp != nullptr) {
    head = gp->schedlink;
    if (head == nullptr) tail = nullptr;
  }
  return gp;
}

void gList::push(g* gp) {
  gp->schedlink = head;
  head = gp;
}

void gList::pushAll(gQueue q) {
  if (q.empty()) return;
  q.tail->schedlink = head;
  head = q.head;
}

g* gList::pop() {
  g* gp = head;
  if (gp != nullptr) head = gp->schedlink;
  return gp;
}

bool runqempty(p* pp) {
  // Three loads do not make a snapshot: a g that moves from runnext to the ring between them would
  // be missed. An unchanged tail says that none was added.
  for (;;) {
    std::uint32_t head = pp->runqhead.Load();
    std::uint32_t tail = pp->runqtail.Load();
    POINT(runqempty_midway);
    g* runnext = pp->runnext.Load();
    if (tail == pp->runqtail.Load()) return head == tail && runnext == nullptr;
  }
}

namespace {

// The ring is full: moves half of it, and gp, to the global queue. False if a thief was faster.
bool runqputslow(p* pp, g* gp, std::uint32_t h, std::uint32_t t) {
  g* batch[runqlen / 2 + 1];
  std::uint32_t n = (t - h) / 2;
  if (n != runqlen / 2) throw_("runqputslow: queue is not full");
  for (std::uint32_t i = 0; i < n; i++) batch[i] = pp->runq[(h + i) % runqlen];
  if (!pp->runqhead.CasRel(h, h + n)) return false;
  batch[n] = gp;
  if constexpr (randomizeScheduler) {
    for (std::uint32_t i = 1; i <= n; i++) {
      std::uint32_t j = fastrandn(i + 1);
      g* tmp = batch[i];
      batch[i] = batch[j];
      batch[j] = tmp;
    }
  }
  gQueue q;
  for (std::uint32_t i = 0; i <= n; i++) q.pushBack(batch[i]);
  lock(&sched.lock);
  globrunqputbatch(&q, static_cast<std::int32_t>(n + 1));
  unlock(&sched.lock);
  return true;
}

// Takes half of pp's ring into batch, starting at batchHead; returns the number taken.
std::uint32_t runqgrab(p* pp, atomic::Relaxed<g*>* batch, std::uint32_t batchHead,
                       bool stealRunNextG) {
  for (;;) {
    std::uint32_t h = pp->runqhead.LoadAcq();
    std::uint32_t t = pp->runqtail.LoadAcq();
    std::uint32_t n = t - h;
    n = n - n / 2;
    if (n == 0) {
      if (!stealRunNextG) return 0;
      g* next = pp->runnext.Load();
      if (next == nullptr) return 0;
      if (pp->status.Load() == _Prunning) {
        // pp is about to run it: its current goroutine readied it and will most likely block.
        // Taking it now would only make the two Ps throw it to and fro.
        usleep(3);
      }
      if (!pp->runnext.CompareAndSwap(next, nullptr)) continue;
      batch[batchHead % runqlen] = next;
      return 1;
    }
    if (n > runqlen / 2) continue;  // h and t do not belong together
    for (std::uint32_t i = 0; i < n; i++)
      batch[(batchHead + i) % runqlen] = pp->runq[(h + i) % runqlen];
    POINT(runqgrab_before_commit);
    if (pp->runqhead.CasRel(h, h + n)) return n;
  }
}

}  // namespace

void runqput(p* pp, g* gp, bool next) {
  if constexpr (randomizeScheduler) {
    if (next && fastrandn(2) == 0) next = false;
  }
  if (next) {
    // The old runnext is kicked out to the ring.
    g* oldnext = pp->runnext.LoadRelaxed();
    while (!pp->runnext.CompareAndSwap(oldnext, gp)) oldnext = pp->runnext.LoadRelaxed();
    if (oldnext == nullptr) return;
    gp = oldnext;
    POINT(runqput_kicked);
  }
  for (;;) {
    std::uint32_t h = pp->runqhead.LoadAcq();
    std::uint32_t t = pp->runqtail.LoadRelaxed();
    if (t - h < runqlen) {
      pp->runq[t % runqlen] = gp;
      pp->runqtail.StoreRel(t + 1);
      return;
    }
    if (runqputslow(pp, gp, h, t)) return;
  }
}

void runqputbatch(p* pp, gQueue* q, int qsize) {
  std::uint32_t h = pp->runqhead.LoadAcq();
  std::uint32_t t = pp->runqtail.LoadRelaxed();
  std::uint32_t n = 0;
  while (!q->empty() && t - h < runqlen) {
    pp->runq[t % runqlen] = q->pop();
    t++;
    n++;
  }
  qsize -= static_cast<int>(n);
  if constexpr (randomizeScheduler) {
    std::uint32_t first = pp->runqtail.LoadRelaxed();
    for (std::uint32_t i = 1; i < n; i++) {
      std::uint32_t a = (first + i) % runqlen, b = (first + fastrandn(i + 1)) % runqlen;
      g* tmp = pp->runq[a];
      pp->runq[a] = pp->runq[b];
      pp->runq[b] = tmp;
    }
  }
  pp->runqtail.StoreRel(t);
  if (!q->empty()) {
    POINT(runqputbatch_overflow);
    lock(&sched.lock);
    globrunqputbatch(q, qsize);
    unlock(&sched.lock);
  }
}

runqgetResult runqget(p* pp) {
  // A failed CAS means that a thief took it: nobody but us puts one in, so there is no second try.
  g* next = pp->runnext.LoadAcq();
  if (next != nullptr && pp->runnext.CompareAndSwap(next, nullptr)) return {next, true};
  for (;;) {
    std::uint32_t h = pp->runqhead.LoadAcq();
    std::uint32_t t = pp->runqtail.LoadRelaxed();
    if (t == h) return {nullptr, false};
    g* gp = pp->runq[h % runqlen];
    if (pp->runqhead.CasRel(h, h + 1)) return {gp, false};
  }
}

g* runqsteal(p* pp, p* p2, bool stealRunNextG) {
  std::uint32_t t = pp->runqtail.LoadRelaxed();
  std::uint32_t n = runqgrab(p2, pp->runq, t, stealRunNextG);
  if (n == 0) return nullptr;
  n--;
  g* gp = pp->runq[(t + n) % runqlen];
  if (n == 0) return gp;
  std::uint32_t h = pp->runqhead.LoadAcq();
  if (t - h + n >= runqlen) throw_("runqsteal: runq overflow");
  pp->runqtail.StoreRel(t + n);
  return gp;
}

void globrunqput(g* gp) {
  assertLockHeld(&sched.lock);
  sched.runq.pushBack(gp);
  sched.runqsize++;
}

void globrunqputhead(g* gp) {
  assertLockHeld(&sched.lock);
  sched.runq.push(gp);
  sched.runqsize++;
}

void globrunqputbatch(gQueue* batch, std::int32_t n) {
  assertLockHeld(&sched.lock);
  sched.runq.pushBackAll(*batch);
  sched.runqsize += n;
  *batch = gQueue{};
}

g* globrunqget(p* pp, std::int32_t max) {
  assertLockHeld(&sched.lock);
  std::int32_t size = sched.runqsize;
  if (size == 0) return nullptr;
  std::int32_t n = size / gomaxprocs + 1;
  if (n > size) n = size;
  if (max > 0 && n > max) n = max;
  if (n > static_cast<std::int32_t>(runqlen) / 2) n = runqlen / 2;
  sched.runqsize -= n;
  g* gp = sched.runq.pop();
  for (n--; n > 0; n--) runqput(pp, sched.runq.pop(), false);
  return gp;
}

}  // namespace gort::runtime
