// Package time. Ports time/sleep.go, time/tick.go and the small part of time/time.go that there is.
//
// Invariants:
//  - A timer's function runs on g0 and must not block: sendTime sends only if there is room, and
//    its channels have room for one; goFunc only starts a goroutine.
//  - Timers and tickers live in collected memory. The collector takes those on a P's heap for
//    reachable, and through them their channel or function.
#include "chan.h"
#include "godefer.h"
#include "mbarrier.h"
#include "proc.h"
#include "time.h"

namespace gort::time {
namespace {

// The time d from now on the monotonic clock; now, if d is negative.
std::int64_t when(Duration d) {
  std::int64_t t = runtime::nanotime();
  if (d <= 0) return t;
  if (__builtin_add_overflow(t, d.Nanoseconds(), &t)) return runtime::maxWhen;
  return t;
}

void sendTime(void* c, runtime::uintptr) {
  Time now = Now();
  runtime::selectnbsend(static_cast<runtime::hchan*>(c), &now);
}

constexpr std::int64_t nsPerSec = 1000000000;

// a - b, or the end of the range on that side.
std::int64_t subSat(std::int64_t a, std::int64_t b) {
  std::int64_t r;
  if (__builtin_sub_overflow(a, b, &r)) return a < b ? INT64_MIN : INT64_MAX;
  return r;
}

}  // namespace

// ---- the clock ----

Time Now() {
  auto [sec, nsec] = runtime::walltime();
  Time t;
  t.sec_ = sec;
  t.nsec_ = nsec;
  t.mono_ = runtime::nanotime();
  t.set_ = true;
  return t;
}

Time Unix(std::int64_t sec, std::int64_t nsec) {
  sec += nsec / nsPerSec;
  nsec %= nsPerSec;
  if (nsec < 0) {
    nsec += nsPerSec;
    sec--;
  }
  Time t;
  t.sec_ = sec;
  t.nsec_ = static_cast<std::int32_t>(nsec);
  t.set_ = true;
  return t;
}

Duration Time::Sub(Time u) const {
  if (mono_ != 0 && u.mono_ != 0) return subSat(mono_, u.mono_);
  std::int64_t d = subSat(sec_, u.sec_);
  if (__builtin_mul_overflow(d, nsPerSec, &d)) return sec_ < u.sec_ ? INT64_MIN : INT64_MAX;
  if (__builtin_add_overflow(d, static_cast<std::int64_t>(nsec_ - u.nsec_), &d))
    return sec_ < u.sec_ ? INT64_MIN : INT64_MAX;
  return d;
}

Time Time::Add(Duration d) const {
  std::int64_t ns = d.Nanoseconds();
  Time t = time::Unix(sec_ + ns / nsPerSec, nsec_ + ns % nsPerSec);
  // A monotonic reading that leaves the range is dropped, and the wall clock counts.
  if (mono_ != 0 && (__builtin_add_overflow(mono_, ns, &t.mono_) || t.mono_ < 0)) t.mono_ = 0;
  t.set_ = set_ || ns != 0;
  return t;
}

int Time::Compare(Time u) const {
  if (mono_ != 0 && u.mono_ != 0) return mono_ < u.mono_ ? -1 : mono_ > u.mono_;
  if (sec_ != u.sec_) return sec_ < u.sec_ ? -1 : 1;
  return nsec_ < u.nsec_ ? -1 : nsec_ > u.nsec_;
}

// The largest unit that leaves something before the point; below a second one of ns, µs and ms, so
// that there are never leading zeros.
std::string Duration::String() const {
  char buf[32];
  char* end = buf + sizeof(buf);
  char* w = end;
  std::uint64_t u = static_cast<std::uint64_t>(ns_);
  if (ns_ < 0) u = 0 - u;

  // Writes v / 10^digits: the fraction, without trailing zeros, and returns the whole part.
  auto fraction = [&w](std::uint64_t v, int digits) {
    bool printing = false;
    for (int i = 0; i < digits; i++, v /= 10) {
      unsigned digit = static_cast<unsigned>(v % 10);
      printing = printing || digit != 0;
      if (printing) *--w = static_cast<char>('0' + digit);
    }
    if (printing) *--w = '.';
    return v;
  };
  auto integer = [&w](std::uint64_t v) {
    do {
      *--w = static_cast<char>('0' + v % 10);
      v /= 10;
    } while (v != 0);
  };

  *--w = 's';
  if (u == 0) return "0s";
  if (u < static_cast<std::uint64_t>(nsPerSec)) {
    int digits = 0;
    if (u < 1000) {
      *--w = 'n';
    } else if (u < 1000000) {
      digits = 3;
      *--w = '\xb5';  // µ in UTF-8
      *--w = '\xc2';
    } else {
      digits = 6;
      *--w = 'm';
    }
    integer(fraction(u, digits));
  } else {
    u = fraction(u, 9);
    integer(u % 60);
    u /= 60;
    if (u > 0) {
      *--w = 'm';
      integer(u % 60);
      u /= 60;
      if (u > 0) {
        *--w = 'h';
        integer(u);
      }
    }
  }
  if (ns_ < 0) *--w = '-';
  return std::string(w, static_cast<std::size_t>(end - w));
}

// ---- timers ----

Timer* NewTimer(Duration d) {
  Timer* t = runtime::new_<Timer>();
  t->C = make_chan<Time>(1);
  t->r_.when = when(d);
  t->r_.f = sendTime;
  t->r_.arg = t->C.raw();
  runtime::publish(t);
  runtime::startTimer(&t->r_);
  return t;
}

// f is called, by call, on each goroutine that the timer starts. It is never destroyed: the timer
// may be reset, and the collector frees it.
Timer* startFunc(Duration d, void (*call)(void*), void* f) {
  Timer* t = runtime::new_<Timer>();
  t->call_ = call;
  t->f_ = f;
  t->r_.when = when(d);
  t->r_.f = Timer::goFunc;
  t->r_.arg = t;
  runtime::publish(t);
  runtime::startTimer(&t->r_);
  return t;
}

void Timer::goFunc(void* arg, runtime::uintptr) {
  Timer* t = static_cast<Timer*>(arg);
  runtime::newprocargs a{};
  a.fn = t->call_;
  a.closure = t->f_;
  a.startpc = reinterpret_cast<runtime::uintptr>(t->call_);
  runtime::newproc(a, getcallerpc());
}

bool Timer::Stop() {
  if (r_.f == nullptr) panic("time: Stop called on uninitialized Timer");
  return runtime::stopTimer(&r_);
}

bool Timer::Reset(Duration d) {
  if (r_.f == nullptr) panic("time: Reset called on uninitialized Timer");
  return runtime::resetTimer(&r_, when(d));
}

Ticker* NewTicker(Duration d) {
  if (d <= 0) panic("non-positive interval for NewTicker");
  Ticker* t = runtime::new_<Ticker>();
  t->C = make_chan<Time>(1);
  t->r_.when = when(d);
  t->r_.period = d.Nanoseconds();
  t->r_.f = sendTime;
  t->r_.arg = t->C.raw();
  runtime::publish(t);
  runtime::startTimer(&t->r_);
  return t;
}

void Ticker::Stop() {
  // A zero Ticker has never been started, so there is nothing to stop.
  runtime::stopTimer(&r_);
}

void Ticker::Reset(Duration d) {
  if (d <= 0) panic("non-positive interval for Ticker.Reset");
  if (r_.f == nullptr) panic("time: Reset called on uninitialized Ticker");
  runtime::modTimer(&r_, when(d), d.Nanoseconds(), r_.f, r_.arg, r_.seq);
}

chan<Time> Tick(Duration d) {
  if (d <= 0) return chan<Time>{};
  return NewTicker(d)->C;
}

}  // namespace gort::time
