// Collected memory for programs: make, ptr, slice, append, copy, string. Ports slice.go and the
// part of string.go that programs see.
//
// Invariants:
//  - What these types point to is allocated by mallocgc, or is constant data of the program. It has
//    no owner and is never destroyed: destructors of elements and of made objects do not run.
//  - Every pointer to collected memory that stands in collected memory is a ptr<T>; slice, string,
//    chan and any are made of it. It carries the write barrier: assignment tells the collector of
//    the old pointer and of the new one, construction of the new one. (An object made while the
//    collector marks is black, its creator's stack may not have been scanned yet, and the compiler
//    may keep the only copy of the pointer in the new object.)
//  - Plain pointers in an object that make, append or any have just filled are told to the
//    collector once, by publish. A plain pointer that is stored there later is not seen.
//  - All cap elements of a slice's array are constructed, those behind len too, so that append
//    assigns whoever else shares the array.
//  - A string's bytes never change.
#pragma once

#include <compare>
#include <initializer_list>
#include <new>
#include <string>
#include <string_view>

#include "error.h"
#include "mbarrier.h"
#include "print.h"
#include "type.h"

namespace gort::runtime {

// Zeroed memory for one object, and for a slice's array. makeslice panics with «makeslice: len out
// of range» or «makeslice: cap out of range». A descriptor that claims pointers and has no map is a
// fatal error: «runtime: make of type T, which has no pointer map».
void* newobject(const _type* typ);
void* makeslice(const _type* et, std::int64_t len, std::int64_t cap);

// Throws if typ claims pointers and does not say where.
void checkmap(const _type* typ);

// The capacity that append gives an array of oldcap elements that has to hold newlen. Panics with
// «growslice: len out of range».
std::int64_t nextslicecap(std::int64_t newlen, std::int64_t oldcap, uintptr elemsize);

// The bytes [p, p+n) in immutable memory: p itself if it lies in the program's constant data,
// otherwise a copy.
const char* rawstring(const char* p, std::int64_t n);
// Memory for n bytes of a new string.
char* newstring(std::int64_t n);

// Whether zeroed memory is a T{}.
template <class T>
inline constexpr bool zeroIsValue =
    (std::is_trivially_default_constructible_v<T> && !std::is_member_pointer_v<T>) ||
    requires { T::gortZeroIsValue; };

}  // namespace gort::runtime

namespace gort {

using runtime::uintptr;

// One word; a T* that carries the write barrier. For fields of collected objects. It is passed in
// registers, and its bytes may be copied by who tells the write barrier himself (bitwise, type.h).
template <class T>
class [[clang::trivial_abi]] ptr {
 public:
  static constexpr std::uint8_t gortKind = runtime::kindPtr | runtime::kindDirectIface;
  static constexpr bool gortZeroIsValue = true;

  constexpr ptr() = default;
  constexpr ptr(std::nullptr_t) {}  // NOLINT(google-explicit-constructor)
  GORT_INLINE constexpr ptr(T* p)  // NOLINT(google-explicit-constructor): reads like a T*
      : p_(p) {
    if (!std::is_constant_evaluated()) runtime::gcWriteBarrierInit(p_);
  }
  GORT_INLINE constexpr ptr(const ptr& o) : ptr(o.p_) {}
  // Where a U* converts to a T*.
  template <class U>
    requires(!std::is_same_v<U, T> && std::is_convertible_v<U*, T*>)
  GORT_INLINE constexpr ptr(const ptr<U>& o)  // NOLINT(google-explicit-constructor)
      : ptr(static_cast<T*>(o.get())) {}
  ~ptr() = default;
  // Assigning a pointer to itself is as good as any other assignment.
  GORT_INLINE ptr& operator=(const ptr& o) {  // NOLINT(bugprone-unhandled-self-assignment)
    return *this = o.p_;
  }
  GORT_INLINE ptr& operator=(T* p) {
    runtime::storePointer(reinterpret_cast<void**>(const_cast<std::remove_const_t<T>**>(&p_)),
                          const_cast<void*>(static_cast<const void*>(p)));
    return *this;
  }
  template <class U>
    requires(!std::is_same_v<U, T> && std::is_convertible_v<U*, T*>)
  GORT_INLINE ptr& operator=(const ptr<U>& o) {
    return *this = static_cast<T*>(o.get());
  }
  GORT_INLINE ptr& operator=(std::nullptr_t) { return *this = static_cast<T*>(nullptr); }

  constexpr operator T*() const { return p_; }  // NOLINT(google-explicit-constructor)
  constexpr T* get() const { return p_; }
  constexpr T* operator->() const { return p_; }
  void printgo() const { runtime::printpointer(p_); }

 private:
  T* p_ = nullptr;
};

// A window on an array in collected memory. Copying it copies the window: both see the same
// elements.
template <class T>
class slice {
 public:
  static constexpr std::uint8_t gortKind = runtime::kindSlice;
  static constexpr bool gortZeroIsValue = true;
  using value_type = T;

  constexpr slice() = default;  // nil
  constexpr slice(T* p, std::int64_t len, std::int64_t cap) : p_(p), len_(len), cap_(cap) {}
  slice(std::initializer_list<T> il);

  // Panics with «index out of range [i] with length n».
  GORT_INLINE T& operator[](std::int64_t i) const {
    if (GORT_UNLIKELY(static_cast<std::uint64_t>(i) >= static_cast<std::uint64_t>(len_)))
      runtime::goPanicIndex(i, len_);
    return p_.get()[i];
  }
  // s[lo:hi]; hi may go up to the capacity. Panics with «slice bounds out of range ...».
  slice sub(std::int64_t lo, std::int64_t hi) const {
    if (GORT_UNLIKELY(static_cast<std::uint64_t>(hi) > static_cast<std::uint64_t>(cap_)))
      runtime::goPanicSliceAcap(hi, cap_);
    if (GORT_UNLIKELY(static_cast<std::uint64_t>(lo) > static_cast<std::uint64_t>(hi)))
      runtime::goPanicSliceB(lo, hi);
    // No pointer behind the array, which would keep whatever lies there alive.
    return slice(lo == cap_ ? p_.get() : p_.get() + lo, hi - lo, cap_ - lo);
  }
  slice sub(std::int64_t lo) const { return sub(lo, len_); }  // s[lo:]

  T* begin() const { return p_; }
  T* end() const { return p_ + len_; }
  T* data() const { return p_; }
  std::int64_t len() const { return len_; }
  std::int64_t cap() const { return cap_; }
  bool operator==(std::nullptr_t) const { return p_.get() == nullptr; }
  void printgo() const {
    runtime::printslice(p_.get(), static_cast<uintptr>(len_), static_cast<uintptr>(cap_));
  }

 private:
  ptr<T> p_;
  std::int64_t len_ = 0;
  std::int64_t cap_ = 0;
};

template <class T>
std::int64_t len(const slice<T>& s) {
  return s.len();
}
template <class T>
std::int64_t cap(const slice<T>& s) {
  return s.cap();
}

// make([]T, n, cap): n elements T{}, room for cap.
template <class T>
slice<T> make_slice(std::int64_t n, std::int64_t cap) {
  static_assert(alignof(T) <= runtime::sys::StackAlign, "an element type needs alignment > 16");
  T* p = static_cast<T*>(runtime::makeslice(runtime::typeOf<T>(), n, cap));
  if constexpr (!runtime::zeroIsValue<T>)
    for (std::int64_t i = 0; i < cap; i++) ::new (p + i) T{};
  return slice<T>(p, n, cap);
}
template <class T>
slice<T> make_slice(std::int64_t n) {
  return make_slice<T>(n, n);
}

// copy(dst, src): min(len(dst), len(src)) elements, which is the result; they may overlap.
template <class T>
std::int64_t copy(const slice<T>& dst, const slice<T>& src) {
  std::int64_t n = dst.len() < src.len() ? dst.len() : src.len();
  T* d = dst.data();
  T* s = src.data();
  if (n == 0 || d == s) return n;
  if constexpr (std::is_trivially_copyable_v<T> && runtime::types::noscan<T>) {
    __builtin_memmove(static_cast<void*>(d), s, static_cast<std::size_t>(n) * sizeof(T));
  } else if constexpr (std::is_trivially_copyable_v<T> || requires { T::gortKind; }) {
    runtime::typedslicemove(runtime::typeOf<T>(), d, s, n);
  } else if (reinterpret_cast<uintptr>(d) < reinterpret_cast<uintptr>(s)) {
    for (std::int64_t i = 0; i < n; i++) d[i] = s[i];
  } else {
    for (std::int64_t i = n; i-- > 0;) d[i] = s[i];
  }
  return n;
}

namespace detail {
// s with len s.len()+more, in a new array if the old one has no room. The old array stays as it is.
template <class T>
slice<T> growslice(const slice<T>& s, std::int64_t more) {
  std::int64_t newlen = s.len() + more;
  if (newlen <= s.cap()) return slice<T>(s.data(), newlen, s.cap());
  slice<T> t = make_slice<T>(newlen, runtime::nextslicecap(newlen, s.cap(), sizeof(T)));
  copy(t, s);
  return t;
}
}  // namespace detail

// append(s, v...)
template <class T, class... V>
  requires(std::is_convertible_v<V, T> && ...)
[[nodiscard]] slice<T> append(const slice<T>& s, V&&... v) {
  std::int64_t i = s.len();
  slice<T> t = detail::growslice(s, sizeof...(V));
  ((t.data()[i++] = std::forward<V>(v)), ...);
  return t;
}
// append(s, t...)
template <class T>
[[nodiscard]] slice<T> append(const slice<T>& s, const slice<T>& t) {
  slice<T> r = detail::growslice(s, t.len());
  copy(slice<T>(r.data() + s.len(), t.len(), t.len()), t);
  return r;
}

template <class T>
slice<T>::slice(std::initializer_list<T> il) {
  *this = make_slice<T>(static_cast<std::int64_t>(il.size()));
  T* p = p_;
  for (const T& v : il) *p++ = v;
}

// Immutable bytes.
class string {
 public:
  static constexpr std::uint8_t gortKind = runtime::kindString;
  static constexpr bool gortZeroIsValue = true;

  constexpr string() = default;
  // NOLINTBEGIN(google-explicit-constructor): literals are strings
  string(const char* s) : string(std::string_view(s)) {}
  string(std::string_view s)
      : p_(runtime::rawstring(s.data(), static_cast<std::int64_t>(s.size()))),
        len_(static_cast<std::int64_t>(s.size())) {}
  string(const std::string& s) : string(std::string_view(s)) {}
  operator std::string_view() const { return {p_.get(), static_cast<std::size_t>(len_)}; }
  // NOLINTEND(google-explicit-constructor)
  explicit operator std::string() const { return std::string(std::string_view(*this)); }

  // Panics with «index out of range [i] with length n».
  char operator[](std::int64_t i) const {
    if (GORT_UNLIKELY(static_cast<std::uint64_t>(i) >= static_cast<std::uint64_t>(len_)))
      runtime::goPanicIndex(i, len_);
    return p_.get()[i];
  }
  // s[lo:hi]. Panics with «slice bounds out of range ...».
  string substr(std::int64_t lo, std::int64_t hi) const {
    if (GORT_UNLIKELY(static_cast<std::uint64_t>(hi) > static_cast<std::uint64_t>(len_)))
      runtime::goPanicSliceAlen(hi, len_);
    if (GORT_UNLIKELY(static_cast<std::uint64_t>(lo) > static_cast<std::uint64_t>(hi)))
      runtime::goPanicSliceB(lo, hi);
    string r;
    r.p_ = lo == len_ ? p_.get() : p_.get() + lo;
    r.len_ = hi - lo;
    return r;
  }
  string substr(std::int64_t lo) const { return substr(lo, len_); }  // s[lo:]

  const char* data() const { return p_; }
  std::int64_t len() const { return len_; }
  std::size_t size() const { return static_cast<std::size_t>(len_); }
  const char* begin() const { return p_; }
  const char* end() const { return p_ + len_; }

  friend string operator+(const string& a, const string& b) { return concat(a, b); }
  friend string operator+(const string& a, const char* b) { return concat(a, b); }
  friend string operator+(const char* a, const string& b) { return concat(a, b); }
  string& operator+=(std::string_view b) { return *this = concat(*this, b); }

  friend bool operator==(const string& a, const string& b) { return cmp(a, b) == 0; }
  friend bool operator==(const string& a, const char* b) { return cmp(a, b) == 0; }
  friend bool operator==(const string& a, std::string_view b) { return cmp(a, b) == 0; }
  friend auto operator<=>(const string& a, const string& b) { return cmp(a, b) <=> 0; }
  friend auto operator<=>(const string& a, const char* b) { return cmp(a, b) <=> 0; }
  friend auto operator<=>(const string& a, std::string_view b) { return cmp(a, b) <=> 0; }

 private:
  static string concat(std::string_view a, std::string_view b);
  static int cmp(std::string_view a, std::string_view b) { return a.compare(b); }

  ptr<const char> p_;
  std::int64_t len_ = 0;
};

inline std::int64_t len(const string& s) { return s.len(); }

namespace detail {
// new(T), with a value.
template <class T, class... A>
T* newvalue(A&&... a) {
  static_assert(alignof(T) <= runtime::sys::StackAlign, "the type needs alignment > 16");
  void* p = runtime::newobject(runtime::typeOf<T>());
  T* t;
  if constexpr (requires { ::new (p) T(std::forward<A>(a)...); })
    t = ::new (p) T(std::forward<A>(a)...);
  else
    t = ::new (p) T{std::forward<A>(a)...};
  runtime::publish(t);
  return t;
}

// What make<X> makes; chan has its own in gochan.h.
template <class T>
struct maker {
  template <class... A>
  static T* make(A&&... a) {
    return newvalue<T>(std::forward<A>(a)...);
  }
};
template <class T>
struct maker<slice<T>> {
  static slice<T>* make() { return newvalue<slice<T>>(); }
  static slice<T> make(std::int64_t n) { return make_slice<T>(n); }
  static slice<T> make(std::int64_t n, std::int64_t cap) { return make_slice<T>(n, cap); }
};
}  // namespace detail

// new(T) and &T{...}: a T in collected memory, by T*. make<slice<T>>(n, cap) and make<chan<T>>(n)
// are Go's make; make<slice<T>>() is new([]T), which is nil.
template <class T, class... A>
[[nodiscard]] auto make(A&&... a) {
  return detail::maker<T>::make(std::forward<A>(a)...);
}

}  // namespace gort

template <class T>
struct std::hash<gort::ptr<T>> {
  std::size_t operator()(const gort::ptr<T>& p) const noexcept { return std::hash<T*>()(p.get()); }
};

template <>
struct std::hash<gort::string> {
  std::size_t operator()(const gort::string& s) const noexcept {
    return std::hash<std::string_view>()(s);
  }
};
