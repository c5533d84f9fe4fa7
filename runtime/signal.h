// Package os/signal for programs, and the type of signals. Ports os/signal/signal.go and the signal
// part of syscall.
//
//   auto c = make_chan<os::Signal>(1);
//   os::signal::Notify(c, SIGHUP, SIGTERM);     // the constants of <signal.h>
//   println(c.recv().String());                 // hangup
//
// A signal that is asked for is sent to every channel that asked, and not waited for: a channel
// without room misses it, so one for a single signal needs room for one. A signal that nobody asked
// for does what sigtab_linux.h says.
#pragma once

#include <signal.h>

#include <string_view>
#include <type_traits>

#include "gochan.h"

namespace gort::os {

// The number of a signal.
class Signal {
 public:
  constexpr Signal() = default;
  constexpr Signal(int n) : n_(n) {}  // NOLINT(google-explicit-constructor): SIGHUP is an int
  constexpr operator int() const { return n_; }  // NOLINT(google-explicit-constructor)
  // «hangup», «signal 42».
  std::string_view String() const;
  void printgo() const { runtime::printint(n_); }

 private:
  int n_ = 0;
};

inline constexpr Signal Interrupt = SIGINT;
inline constexpr Signal Kill = SIGKILL;

namespace signal {

namespace detail {
// How a signal is sent to a channel of an element type, without waiting.
using trysend_t = void (*)(runtime::hchan* c, int sig);
template <class T>
void trysend(runtime::hchan* c, int sig) {
  static_assert(std::is_same_v<T, Signal> || std::is_same_v<T, int>,
                "Notify takes a chan<os::Signal> (or a chan<int>)");
  chan<T> ch(c);
  (void)select(send_case(ch, T(sig)), default_case);
}
inline constexpr int allSignals = -1;
void notify(runtime::hchan* c, trysend_t send, const int* sigs, int n);
void stop(runtime::hchan* c);
void cancel(const int* sigs, int n, bool ignore);
}  // namespace detail

// Sends the given signals, or all if none is given, to c from now on. More calls for the same channel
// add to what it gets. Numbers that are no signals are passed over; SIGKILL and SIGSTOP cannot be had.
// Panics with «os/signal: Notify using nil channel».
template <class T, class... S>
void Notify(const chan<T>& c, S... sigs) {
  const int list[] = {static_cast<int>(sigs)..., 0};
  detail::notify(c.raw(), detail::trysend<T>, list, sizeof...(S));
}
// No more signals to c, once this returns. What c was the last to ask for does its default again.
template <class T>
void Stop(const chan<T>& c) {
  detail::stop(c.raw());
}
// Nobody gets the given signals, or any if none is given, any more: they are dropped (Ignore), or do
// their default again (Reset).
template <class... S>
void Ignore(S... sigs) {
  const int list[] = {static_cast<int>(sigs)..., 0};
  detail::cancel(list, sizeof...(S), true);
}
template <class... S>
void Reset(S... sigs) {
  const int list[] = {static_cast<int>(sigs)..., 0};
  detail::cancel(list, sizeof...(S), false);
}
// Whether sig is dropped: by Ignore, or because the process began so.
bool Ignored(Signal sig);

}  // namespace signal
}  // namespace gort::os

namespace gort::syscall {
using Signal = os::Signal;
}  // namespace gort::syscall
