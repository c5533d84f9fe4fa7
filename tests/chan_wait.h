// Waiting until goroutines have blocked, without sleeping and without guessing.
#pragma once

#include <string_view>

#include "tests/harness.h"

namespace gort::test {

// Number of goroutines parked on q, a queue of c. Who is seen here has parked for good: c's lock is
// held from before it is queued until it does not run any more.
inline int parked(runtime::hchan* c, runtime::waitq& q) {
  int n = 0;
  runtime::lock(&c->lock);
  for (runtime::sudog* s = q.first.LoadRelaxed(); s != nullptr; s = s->next) n++;
  runtime::unlock(&c->lock);
  return n;
}
template <class T>
int receivers(const chan<T>& c) {
  return parked(c.raw(), c.raw()->recvq);
}
template <class T>
int senders(const chan<T>& c) {
  return parked(c.raw(), c.raw()->sendq);
}
// Return when n are waiting to receive from c, or to send to it.
template <class T>
void waitReceivers(const chan<T>& c, int n) {
  while (receivers(c) != n) runtime::Gosched();
}
template <class T>
void waitSenders(const chan<T>& c, int n) {
  while (senders(c) != n) runtime::Gosched();
}

// Runs f on a goroutine and returns when that is parked for the reason; fails if f returns instead.
// Nobody else may start goroutines meanwhile.
template <class F>
runtime::g* startBlocked(runtime::waitReason reason, F f) {
  auto self = make_chan<runtime::g*>(1);
  go([self, f]() mutable {
    self.send(runtime::getg());
    f();
  });
  runtime::g* gp = self.recv();
  for (;;) {
    std::uint32_t s = runtime::readgstatus(gp);
    CHECK_GO(s != runtime::_Gdead);
    if (s == runtime::_Gwaiting && gp->waitreason == reason) return gp;
    runtime::Gosched();
  }
}

}  // namespace gort::test
