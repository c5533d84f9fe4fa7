// Channels and select for programs: chan<T>, make_chan, select and its cases, select_n.
//
//   chan<int> c = make_chan<int>(4);
//   c.send(1);  int v = c.recv();  auto [w, ok] = c.recv_ok();  for (int x : c) ...;  c.close();
//   switch (select(recv_case(a, v), send_case(b, 7), default_case)) { case 0: ...; case 1: ... }
//
// What an element type must be: movable, with a T{} (what a closed channel yields), smaller than
// 64 KiB, aligned to 16 at most. A value travels by T's move constructor, which the partner may run
// on its own stack while the channel is locked: it must not block or use channels. Bitwise types
// (type.h) travel as bytes. A value must not hold a pointer into the sender's stack.
#pragma once

#include <array>
#include <cstddef>
#include <span>

#include "goslice.h"
#include "select.h"

namespace gort {

template <class T>
class chan;

namespace detail {

// Memory for one received T; raw until the runtime has constructed a value in it.
template <class T>
union rawslot {
  T v;
  rawslot() {}  // NOLINT(modernize-use-equals-default): v is left raw
  ~rawslot() {}  // NOLINT(modernize-use-equals-default)

  // Ends the value in the slot and returns it; T{} if there is none.
  GORT_INLINE T take(bool received) {
    if (!received) return T{};
    T t(std::move(v));
    v.~T();
    return t;
  }
};

}  // namespace detail

template <class T>
struct recv_result {
  T v;
  bool ok;  // v was sent, rather than T{} from a closed channel
};

// One word, freely copied: every copy is the same channel. chan<T>{} is the nil channel, on which
// every operation blocks for ever.
template <class T>
class chan {
 public:
  static constexpr std::uint8_t gortKind = runtime::kindChan | runtime::kindDirectIface;
  static constexpr bool gortZeroIsValue = true;
  using value_type = T;

  constexpr chan() = default;
  constexpr chan(std::nullptr_t) {}  // NOLINT(google-explicit-constructor)
  explicit chan(runtime::hchan* c) : c_(c) {}

  // c <- v. Panics with «send on closed channel».
  void send(T v) const { runtime::chansend1(c_, &v); }

  // <-c; T{} once c is closed and drained.
  T recv() const {
    detail::rawslot<T> s;
    bool ok = runtime::chanrecv2(c_, &s);
    return s.take(ok);
  }
  // v, ok := <-c
  recv_result<T> recv_ok() const {
    detail::rawslot<T> s;
    bool ok = runtime::chanrecv2(c_, &s);
    return {s.take(ok), ok};
  }

  // Panics with «close of nil channel» or «close of closed channel».
  void close() const { runtime::closechan(c_); }

  explicit operator bool() const { return c_.get() != nullptr; }
  friend bool operator==(const chan& a, const chan& b) { return a.c_.get() == b.c_.get(); }
  runtime::hchan* raw() const { return c_; }
  void printgo() const { runtime::printpointer(c_.get()); }

  // for (T v : c): receives until c is closed and drained.
  struct sentinel {};
  class iterator {
   public:
    explicit iterator(runtime::hchan* c) : c_(c), ok_(runtime::chanrecv2(c, &s_)) {}
    iterator(const iterator&) = delete;
    iterator& operator=(const iterator&) = delete;
    ~iterator() {
      if (ok_) s_.v.~T();
    }
    T& operator*() { return s_.v; }
    iterator& operator++() {
      s_.v.~T();
      ok_ = runtime::chanrecv2(c_, &s_);
      return *this;
    }
    bool operator!=(sentinel) const { return ok_; }

   private:
    runtime::hchan* c_;
    detail::rawslot<T> s_;
    bool ok_;
  };
  iterator begin() const { return iterator(c_); }
  sentinel end() const { return {}; }

 private:
  ptr<runtime::hchan> c_;
};

// make(chan T, n). Panics with «makechan: size out of range».
template <class T>
chan<T> make_chan(std::int64_t n = 0) {
  static_assert(sizeof(T) < 1 << 16, "channel element type is too large: send a pointer");
  static_assert(alignof(T) <= runtime::sys::StackAlign,
                "channel element type needs alignment > 16");
  return chan<T>(runtime::makechan(runtime::chanTypeOf<T>(), n));
}

template <class T>
std::int64_t len(const chan<T>& c) {
  return runtime::chanlen(c.raw());
}
template <class T>
std::int64_t cap(const chan<T>& c) {
  return runtime::chancap(c.raw());
}
template <class T>
void close(const chan<T>& c) {
  c.close();
}

// ---- select ----
//
// A case is made for one call of select and lives as long as it. Channel and value are evaluated
// when the case is made, for all cases, as in Go.

namespace detail {

template <class T>
struct maker<chan<T>> {
  static chan<T> make(std::int64_t n = 0) { return make_chan<T>(n); }
};

enum class casekind { send, recv, dflt };

struct defaultcase {
  static constexpr casekind kind = casekind::dflt;
  GORT_INLINE void finish(bool, bool) const {}
};

template <class T>
struct sendcase {
  static constexpr casekind kind = casekind::send;
  runtime::hchan* c;
  T v;
  GORT_INLINE void* elem() { return &v; }
  GORT_INLINE void finish(bool, bool) const {}
};

// The value stays where the program has it, and is moved from only if this case is taken.
template <class T>
struct sendrefcase {
  static constexpr casekind kind = casekind::send;
  runtime::hchan* c;
  T* v;
  GORT_INLINE void* elem() const { return v; }
  GORT_INLINE void finish(bool, bool) const {}
};

// The value is dropped. One that has a destructor is received first, so that the destructor runs
// here and not under the channel's lock.
template <class T>
struct recvdropcase {
  static constexpr casekind kind = casekind::recv;
  runtime::hchan* c;
  bool* ok;
  struct nothing {};
  [[no_unique_address]] std::conditional_t<runtime::bitwise<T>, nothing, rawslot<T>> slot;
  GORT_INLINE void* elem() {
    if constexpr (runtime::bitwise<T>)
      return nullptr;
    else
      return &slot;
  }
  GORT_INLINE void finish(bool taken, bool received) {
    if (!taken) return;
    if constexpr (!runtime::bitwise<T>)
      if (received) slot.v.~T();
    if (ok != nullptr) *ok = received;
  }
};

// The value's bytes go straight to the program's variable.
template <class T>
struct recvrefcase {
  static constexpr casekind kind = casekind::recv;
  runtime::hchan* c;
  T* v;
  bool* ok;
  GORT_INLINE void* elem() const { return v; }
  GORT_INLINE void finish(bool taken, bool received) const {
    if (!taken) return;
    if (!received) *v = T{};
    if (ok != nullptr) *ok = received;
  }
};

// The value is received into the case and assigned from there.
template <class T, class V>
struct recvcase {
  static constexpr casekind kind = casekind::recv;
  runtime::hchan* c;
  V* v;
  bool* ok;
  rawslot<T> slot;
  GORT_INLINE void* elem() { return &slot; }
  GORT_INLINE void finish(bool taken, bool received) {
    if (!taken) return;
    *v = slot.take(received);
    if (ok != nullptr) *ok = received;
  }
};

template <class T, class V>
auto makerecvcase(const chan<T>& c, V* v, bool* ok) {
  if constexpr (std::is_same_v<T, V> && std::is_trivially_copyable_v<T>)
    return recvrefcase<T>{c.raw(), v, ok};
  else
    return recvcase<T, V>{c.raw(), v, ok, {}};
}

}  // namespace detail

// case c <- w. A value that is passed as an rvalue of c's own type is moved from only if the case
// is taken.
template <class T, class W>
  requires std::is_convertible_v<W, T>
[[nodiscard]] auto send_case(const chan<T>& c, W&& w) {
  if constexpr (std::is_same_v<W, T> && !runtime::bitwise<T>)
    return detail::sendrefcase<T>{c.raw(), &w};
  else
    return detail::sendcase<T>{c.raw(), static_cast<T>(std::forward<W>(w))};
}
// case <-c
template <class T>
[[nodiscard]] auto recv_case(const chan<T>& c) {
  return detail::recvdropcase<T>{c.raw(), nullptr, {}};
}
// case v = <-c
template <class T, class V>
[[nodiscard]] auto recv_case(const chan<T>& c, V& v) {
  return detail::makerecvcase<T, V>(c, &v, nullptr);
}
// case v, ok = <-c
template <class T, class V>
[[nodiscard]] auto recv_case(const chan<T>& c, V& v, bool& ok) {
  return detail::makerecvcase<T, V>(c, &v, &ok);
}
// default
inline constexpr detail::defaultcase default_case{};

namespace detail {

// Where the cases of a select stand in selectgo's array, which has the sends first.
template <casekind... K>
struct selectplan {
  static constexpr int n = sizeof...(K);
  static constexpr int nsends = (0 + ... + (K == casekind::send));
  static constexpr int nrecvs = (0 + ... + (K == casekind::recv));
  static constexpr int ndflt = n - nsends - nrecvs;
  struct maps {
    int dflt = -1;  // argument index of default_case
    std::array<int, n> pos{};  // argument index -> place
    std::array<int, nsends + nrecvs> orig{};  // place -> argument index
  };
  static constexpr maps make() {
    maps m;
    const casekind kinds[] = {K...};
    int s = 0, r = nsends;
    for (int i = 0; i < n; i++) {
      if (kinds[i] == casekind::dflt) {
        m.dflt = i;
        continue;
      }
      int at = kinds[i] == casekind::send ? s++ : r++;
      m.pos[i] = at;
      m.orig[at] = i;
    }
    return m;
  }
  static constexpr maps map = make();
};

template <class Plan, class C>
GORT_INLINE void fillcase(runtime::scase* sel, int i, C& c) {
  if constexpr (C::kind != casekind::dflt) sel[Plan::map.pos[i]] = {c.c, c.elem()};
}

// select with one case besides default: the plain operation.
template <class Plan, class C>
GORT_INLINE void selectone(runtime::selectgoResult& r, C& c) {
  if constexpr (C::kind == casekind::send) {
    r.chosen = runtime::chansend(c.c, c.elem(), Plan::ndflt == 0) ? 0 : -1;
  } else if constexpr (C::kind == casekind::recv) {
    auto [selected, received] = runtime::chanrecv(c.c, c.elem(), Plan::ndflt == 0);
    r = {selected ? 0 : -1, received};
  }
}

}  // namespace detail

// select {}: blocks for ever.
[[noreturn]] inline void select() { runtime::block(); }

// The select statement; returns the index of the argument whose case was taken.
template <class... C>
  requires(sizeof...(C) > 0 && requires { (std::remove_cvref_t<C>::kind, ...); })
int select(C&&... cases) {
  using Plan = detail::selectplan<std::remove_cvref_t<C>::kind...>;
  static_assert(Plan::ndflt <= 1, "multiple defaults in select");
  constexpr int n = Plan::nsends + Plan::nrecvs;
  static_assert(n <= runtime::maxSelectCases);
  runtime::selectgoResult r{-1, false};
  if constexpr (n == 1) {
    (detail::selectone<Plan>(r, cases), ...);
  } else if constexpr (n > 1) {
    runtime::scase sel[n];
    std::uint16_t order[2 * n];
    int i = 0;
    (detail::fillcase<Plan>(sel, i++, cases), ...);
    r = runtime::selectgo(sel, order, Plan::nsends, Plan::nrecvs, Plan::ndflt == 0);
  }
  int taken = Plan::map.dflt;
  if constexpr (n > 0)
    if (r.chosen >= 0) taken = Plan::map.orig[r.chosen];
  int i = 0;
  (cases.finish(taken == i++, r.recvOK), ...);
  return taken;
}

// A case of a select whose number of cases is known at run time only. The value is part of it, so
// that an array of cases may live on the stack or in a vector.
template <class T>
class selcase {
 public:
  T value{};  // to send; or what was received
  bool ok = false;  // value was sent, rather than T{} from a closed channel

  static selcase send(const chan<T>& c, T v) {
    return selcase(runtime::selectSend, c, std::move(v));
  }
  static selcase recv(const chan<T>& c) { return selcase(runtime::selectRecv, c, T{}); }
  static selcase dflt() { return selcase(runtime::selectDefault, chan<T>{}, T{}); }

  selcase() : selcase(dflt()) {}
  selcase(const selcase& o) : value(o.value), ok(o.ok), rc_(o.rc_) {}
  selcase(selcase&& o) noexcept : value(std::move(o.value)), ok(o.ok), rc_(o.rc_) {}
  selcase& operator=(const selcase& o) {
    value = o.value;
    ok = o.ok;
    rc_ = o.rc_;
    return *this;
  }
  selcase& operator=(selcase&& o) noexcept {
    value = std::move(o.value);
    ok = o.ok;
    rc_ = o.rc_;
    return *this;
  }
  ~selcase() = default;

 private:
  struct nothing {};
  using slot_t = std::conditional_t<runtime::bitwise<T>, nothing, detail::rawslot<T>>;

  selcase(runtime::selectDir dir, const chan<T>& c, T v)
      : value(std::move(v)), rc_{dir, 0, c.raw()} {
    auto distance = [this](const void* p) {
      return static_cast<std::int32_t>(reinterpret_cast<uintptr>(p) -
                                       reinterpret_cast<uintptr>(&rc_));
    };
    rc_.elemoff = distance(&value);
    if constexpr (!runtime::bitwise<T>)
      if (dir == runtime::selectRecv) rc_.elemoff = distance(&slot_);
  }

  runtime::runtimeSelect rc_;
  [[no_unique_address]] slot_t slot_;

  template <class U>
  friend std::int64_t select_n(selcase<U>* cases, std::int64_t n);
};

// select over n cases; returns the index of the one that was taken. A received value is then in its
// value and ok; a sent one has been moved from. n == 0 blocks for ever.
template <class T>
std::int64_t select_n(selcase<T>* cases, std::int64_t n) {
  auto r = runtime::rselect(n == 0 ? nullptr : &cases->rc_, sizeof(selcase<T>), n);
  selcase<T>& k = cases[r.chosen];
  if (k.rc_.dir == runtime::selectRecv) {
    k.ok = r.recvOK;
    if constexpr (!runtime::bitwise<T>)
      k.value = k.slot_.take(r.recvOK);
    else if (!r.recvOK)
      k.value = T{};
  }
  return r.chosen;
}
template <class T, std::size_t E>
std::int64_t select_n(std::span<selcase<T>, E> cases) {
  return select_n(cases.data(), static_cast<std::int64_t>(cases.size()));
}

}  // namespace gort
