// Atomic cells. Ports runtime/internal/atomic: same type and method names, same results (Add
// returns the new value).
//
// Invariants:
//  - Every word that two threads may touch at once without a lock is one of these types, in every
//    build. There is no other way to such a word, so one place decides what an access means.
//  - Load, Store, Swap, Add, And, Or and CompareAndSwap are sequentially consistent, as Go's are.
//    The weaker forms carry their order in the name, and the field that uses them says why that
//    order is enough.
//  - Racy<T> is for fields that Go reads or writes without synchronisation on purpose. A reader gets
//    some value that was stored; nothing is promised about other fields. A pointer is stored with
//    release and loaded with acquire, so that what it points to is initialised for who follows it.
//  - Relaxed<T> is the same without that, for slots whose order comes from another field.
#pragma once

#include <atomic>
#include <type_traits>

#include "sys.h"

namespace gort::runtime::atomic {

template <class T>
class Value {
 public:
  constexpr Value() : v_{} {}
  constexpr explicit Value(T v) : v_(v) {}
  Value(const Value&) = delete;
  Value& operator=(const Value&) = delete;

  GORT_INLINE T Load() const { return v_.load(std::memory_order_seq_cst); }
  GORT_INLINE T LoadAcq() const { return v_.load(std::memory_order_acquire); }
  GORT_INLINE T LoadRelaxed() const { return v_.load(std::memory_order_relaxed); }
  GORT_INLINE void Store(T v) { v_.store(v, std::memory_order_seq_cst); }
  GORT_INLINE void StoreRel(T v) { v_.store(v, std::memory_order_release); }
  GORT_INLINE void StoreRelaxed(T v) { v_.store(v, std::memory_order_relaxed); }
  GORT_INLINE T Swap(T v) { return v_.exchange(v, std::memory_order_seq_cst); }
  GORT_INLINE bool CompareAndSwap(T old, T nw) {
    return v_.compare_exchange_strong(old, nw, std::memory_order_seq_cst);
  }
  // Release on success; a failed attempt reads nothing that the caller may rely on.
  GORT_INLINE bool CasRel(T old, T nw) {
    return v_.compare_exchange_strong(old, nw, std::memory_order_release,
                                      std::memory_order_relaxed);
  }
  // Returns the new value, as Go's Add does.
  GORT_INLINE T Add(T d) { return v_.fetch_add(d, std::memory_order_seq_cst) + d; }
  GORT_INLINE T AddRelaxed(T d) { return v_.fetch_add(d, std::memory_order_relaxed) + d; }
  GORT_INLINE T And(T m) { return v_.fetch_and(m, std::memory_order_seq_cst) & m; }
  GORT_INLINE T Or(T m) { return v_.fetch_or(m, std::memory_order_seq_cst) | m; }

  // The address that the kernel's futex calls and the assembly use.
  GORT_INLINE T* addr() { return reinterpret_cast<T*>(&v_); }

 private:
  std::atomic<T> v_;
  static_assert(sizeof(std::atomic<T>) == sizeof(T));
};

using Int32 = Value<std::int32_t>;
using Uint32 = Value<std::uint32_t>;
using Int64 = Value<std::int64_t>;
using Uint64 = Value<std::uint64_t>;
using Uintptr = Value<uintptr>;
using Bool = Value<bool>;
template <class T>
using Pointer = Value<T*>;

template <class T, std::memory_order LoadOrder, std::memory_order StoreOrder>
class PlainLike {
 public:
  constexpr PlainLike() : v_{} {}
  constexpr PlainLike(T v) : v_(v) {}  // NOLINT(google-explicit-constructor): reads like a field
  PlainLike(const PlainLike&) = delete;
  GORT_INLINE PlainLike& operator=(const PlainLike& o) {
    *this = static_cast<T>(o);
    return *this;
  }
  GORT_INLINE operator T() const {  // NOLINT(google-explicit-constructor)
    return v_.load(LoadOrder);
  }
  GORT_INLINE PlainLike& operator=(T v) {
    v_.store(v, StoreOrder);
    return *this;
  }
  GORT_INLINE T operator->() const { return static_cast<T>(*this); }
  // Only one thread at a time writes such a field; the sum is not atomic.
  GORT_INLINE PlainLike& operator+=(T d) { return *this = static_cast<T>(*this) + d; }
  GORT_INLINE PlainLike& operator-=(T d) { return *this = static_cast<T>(*this) - d; }
  GORT_INLINE T operator++(int) {
    T old = *this;
    *this = static_cast<T>(old + 1);
    return old;
  }
  GORT_INLINE T operator--(int) {
    T old = *this;
    *this = static_cast<T>(old - 1);
    return old;
  }

 private:
  std::atomic<T> v_;
};

template <class T>
using Relaxed = PlainLike<T, std::memory_order_relaxed, std::memory_order_relaxed>;
template <class T>
using Racy =
    PlainLike<T, std::is_pointer_v<T> ? std::memory_order_acquire : std::memory_order_relaxed,
              std::is_pointer_v<T> ? std::memory_order_release : std::memory_order_relaxed>;

}  // namespace gort::runtime::atomic
