// See signal.h. Ports os/signal/signal.go and signal_unix.go.
//
// Invariants:
//  - handlers.ref[n] is the number of handlers on the list that want n; the runtime has n enabled
//    exactly while it is not 0 (handlers.mu is held across both changes).
//  - The watcher, the goroutine that signal_recv answers, is started after the first signal was
//    enabled, and never ends.
//  - A handler that Stop has taken off the list stands on stopping until the signals that were on
//    their way when it was taken off have been sent. So a signal that comes as Stop runs either
//    reaches the channel or does its default, and none is lost in between.
#include "signal.h"

#include "any.h"
#include "godefer.h"
#include "gofunc.h"

#include "print.h"
#include "sigqueue.h"
#include "sync.h"

namespace gort::os {

namespace {
constexpr const char* names[] = {
    nullptr,
    "hangup",
    "interrupt",
    "quit",
    "illegal instruction",
    "trace/breakpoint trap",
    "aborted",
    "bus error",
    "floating point exception",
    "killed",
    "user defined signal 1",
    "segmentation fault",
    "user defined signal 2",
    "broken pipe",
    "alarm clock",
    "terminated",
    "stack fault",
    "child exited",
    "continued",
    "stopped (signal)",
    "stopped",
    "stopped (tty input)",
    "stopped (tty output)",
    "urgent I/O condition",
    "CPU time limit exceeded",
    "file size limit exceeded",
    "virtual timer expired",
    "profiling timer expired",
    "window changed",
    "I/O possible",
    "power failure",
    "bad system call",
};
}  // namespace

std::string_view Signal::String() const {
  if (n_ > 0 && n_ < static_cast<int>(std::size(names))) return names[n_];
  char buf[16];
  char* p = buf + sizeof buf;
  unsigned v = n_ < 0 ? -static_cast<unsigned>(n_) : static_cast<unsigned>(n_);
  do *--p = static_cast<char>('0' + v % 10);
  while ((v /= 10) != 0);
  if (n_ < 0) *--p = '-';
  return runtime::concatstrings("signal ", {p, static_cast<std::size_t>(buf + sizeof buf - p)});
}

namespace signal {

namespace {

constexpr int numSig = 65;

struct handler {
  ptr<handler> next;
  ptr<runtime::hchan> c;
  detail::trysend_t send;
  std::uint64_t mask[2];  // bit n: wants n

  bool want(int n) const { return (mask[n / 64] >> (n % 64) & 1) != 0; }
  void set(int n) { mask[n / 64] |= std::uint64_t(1) << (n % 64); }
  void clear(int n) { mask[n / 64] &= ~(std::uint64_t(1) << (n % 64)); }
  bool empty() const { return mask[0] == 0 && mask[1] == 0; }
};

struct {
  sync::Mutex mu;  // protects the rest
  ptr<handler> list;
  ptr<handler> stopping;
  std::int64_t ref[numSig];
  bool watching;
} handlers;

bool valid(int n) { return n >= 0 && n < numSig; }

// mu must be held.
handler* find(runtime::hchan* c) {
  for (handler* h = handlers.list; h != nullptr; h = h->next)
    if (h->c == c) return h;
  return nullptr;
}

void unlink(ptr<handler>* list, handler* h) {
  for (ptr<handler>* p = list; *p != nullptr; p = &(*p)->next) {
    if (*p != h) continue;
    *p = h->next;
    return;
  }
}

// Never waits for a receiver.
void process(int n) {
  handlers.mu.Lock();
  for (handler* h = handlers.list; h != nullptr; h = h->next)
    if (h->want(n)) h->send(h->c, n);
  for (handler* h = handlers.stopping; h != nullptr; h = h->next)
    if (h->want(n)) h->send(h->c, n);
  handlers.mu.Unlock();
}

void loop() {
  for (;;) process(static_cast<int>(runtime::signal_recv()));
}

// mu must be held.
void add(handler* h, int n) {
  if (!valid(n) || h->want(n)) return;
  h->set(n);
  if (handlers.ref[n]++ != 0) return;
  runtime::signal_enable(static_cast<std::uint32_t>(n));
  if (handlers.watching) return;
  handlers.watching = true;
  go(loop);
}

// mu must be held.
void cancelOne(int n, bool ignore) {
  if (!valid(n)) return;
  for (handler* h = handlers.list; h != nullptr;) {
    handler* next = h->next;
    if (h->want(n)) {
      handlers.ref[n]--;
      h->clear(n);
      if (h->empty()) unlink(&handlers.list, h);
    }
    h = next;
  }
  if (ignore)
    runtime::signal_ignore(static_cast<std::uint32_t>(n));
  else
    runtime::signal_disable(static_cast<std::uint32_t>(n));
}

}  // namespace

namespace detail {

void notify(runtime::hchan* c, trysend_t send, const int* sigs, int n) {
  if (c == nullptr) panic("os/signal: Notify using nil channel");
  handlers.mu.Lock();
  handler* h = find(c);
  if (h == nullptr) {
    h = make<handler>();
    h->c = c;
    h->send = send;
    h->next = handlers.list;
    handlers.list = h;
  }
  if (n == 0) {
    for (int s = 0; s < numSig; s++) add(h, s);
  } else {
    for (int i = 0; i < n; i++) add(h, sigs[i]);
  }
  handlers.mu.Unlock();
}

void stop(runtime::hchan* c) {
  handlers.mu.Lock();
  handler* h = find(c);
  if (h == nullptr) {
    handlers.mu.Unlock();
    return;
  }
  unlink(&handlers.list, h);
  for (int n = 0; n < numSig; n++) {
    if (!h->want(n)) continue;
    if (--handlers.ref[n] == 0) runtime::signal_disable(static_cast<std::uint32_t>(n));
  }
  h->next = handlers.stopping;
  handlers.stopping = h;
  bool watching = handlers.watching;
  handlers.mu.Unlock();

  if (watching) runtime::signalWaitUntilIdle();

  handlers.mu.Lock();
  unlink(&handlers.stopping, h);
  handlers.mu.Unlock();
}

void cancel(const int* sigs, int n, bool ignore) {
  handlers.mu.Lock();
  if (n == 0) {
    for (int s = 0; s < numSig; s++) cancelOne(s, ignore);
  } else {
    for (int i = 0; i < n; i++) cancelOne(sigs[i], ignore);
  }
  handlers.mu.Unlock();
}

}  // namespace detail

bool Ignored(Signal sig) {
  return valid(sig) && runtime::signal_ignored(static_cast<std::uint32_t>(static_cast<int>(sig)));
}

}  // namespace signal
}  // namespace gort::os
