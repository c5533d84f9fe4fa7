// The poller, without anything to poll. Ports netpoll.go and netpoll_epoll.go; invariants in
// netpoll.h.
#include "netpoll.h"

#include "os_linux.h"
#include "proc.h"

namespace gort::runtime {

namespace {
mutex netpollInitLock;  // serialises initialisation
atomic::Uint32 netpollInited;
atomic::Uint32 netpollWakeSig;
}  // namespace

bool netpollinited() { return netpollInited.Load() != 0; }

void netpollGenericInit() {
  if (netpollInited.Load() != 0) return;
  lockWithRank(&netpollInitLock, lockRankNetpollInit);
  netpollInited.Store(1);
  unlock(&netpollInitLock);
}

gList netpoll(std::int64_t delay) {
  if (delay == 0) return gList{};
  while (netpollWakeSig.Load() == 0) {
    futexsleep(&netpollWakeSig, 0, delay);
    // After a timed sleep the caller computes anew how long to wait.
    if (delay > 0) break;
  }
  // An exchange, not a store: it also takes over what the breaker wrote.
  netpollWakeSig.Swap(0);
  return gList{};
}

void netpollBreak() {
  if (!netpollWakeSig.CompareAndSwap(0, 1)) return;
  POINT(netpollbreak_after_cas);
  futexwakeup(&netpollWakeSig, 1);
}

bool netpollAnyWaiters() { return false; }

}  // namespace gort::runtime
