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
//  - Every operation is a scheduling point in builds of mode "explore" (explore.h), but for those on
//    Observed<T>: what only an observer outside of the runtime reads.
//  - All of it is inlined, by the compiler's own operations: a signal handler, which TSan must not
//    see, uses these types too.
#pragma once

#include <type_traits>

#include "explore.h"
#include "sys.h"

namespace gort::runtime::atomic {

template <class T>
class Value {
 public:
  constexpr Value() : v_{} {}
  constexpr explicit Value(T v) : v_(v) {}
  Value(const Value&) = delete;
  Value& operator=(const Value&) = delete;

  GORT_INLINE T Load() const { return load<__ATOMIC_SEQ_CST>(); }
  GORT_INLINE T LoadAcq() const { return load<__ATOMIC_ACQUIRE>(); }
  GORT_INLINE T LoadRelaxed() const { return load<__ATOMIC_RELAXED>(); }
  GORT_INLINE void Store(T v) {
    explore::step(explore::Kind::kStore, &v_);
    __atomic_store(&v_, &v, __ATOMIC_SEQ_CST);
  }
  GORT_INLINE void StoreRel(T v) {
    explore::step(explore::Kind::kStore, &v_);
    __atomic_store(&v_, &v, __ATOMIC_RELEASE);
  }
  GORT_INLINE void StoreRelaxed(T v) {
    explore::step(explore::Kind::kStore, &v_);
    __atomic_store(&v_, &v, __ATOMIC_RELAXED);
  }
  GORT_INLINE T Swap(T v) {
    T old;
    explore::step(explore::Kind::kSwap, &v_);
    __atomic_exchange(&v_, &v, &old, __ATOMIC_SEQ_CST);
    return old;
  }
  GORT_INLINE bool CompareAndSwap(T old, T nw) {
    explore::step(explore::Kind::kCas, &v_);
    return __atomic_compare_exchange(&v_, &old, &nw, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
  }
  // Release on success; a failed attempt reads nothing that the caller may rely on.
  GORT_INLINE bool CasRel(T old, T nw) {
    explore::step(explore::Kind::kCas, &v_);
    return __atomic_compare_exchange(&v_, &old, &nw, false, __ATOMIC_RELEASE, __ATOMIC_RELAXED);
  }
  // Returns the new value, as Go's Add does.
  GORT_INLINE T Add(T d) {
    explore::step(explore::Kind::kAdd, &v_);
    return __atomic_add_fetch(&v_, d, __ATOMIC_SEQ_CST);
  }
  GORT_INLINE T AddRelaxed(T d) {
    explore::step(explore::Kind::kAdd, &v_);
    return __atomic_add_fetch(&v_, d, __ATOMIC_RELAXED);
  }
  GORT_INLINE T And(T m) {
    explore::step(explore::Kind::kAdd, &v_);
    return __atomic_and_fetch(&v_, m, __ATOMIC_SEQ_CST);
  }
  GORT_INLINE T Or(T m) {
    explore::step(explore::Kind::kAdd, &v_);
    return __atomic_or_fetch(&v_, m, __ATOMIC_SEQ_CST);
  }

  // The address that the kernel's futex calls and the assembly use.
  GORT_INLINE T* addr() { return &v_; }

 private:
  template <int Order>
  GORT_INLINE T load() const {
    T v;
    explore::step(explore::Kind::kLoad, &v_);
    __atomic_load(&v_, &v, Order);
    return v;
  }
  T v_;
  static_assert(__atomic_always_lock_free(sizeof(T), nullptr));
};

using Int32 = Value<std::int32_t>;
using Uint32 = Value<std::uint32_t>;
using Int64 = Value<std::int64_t>;
using Uint64 = Value<std::uint64_t>;
using Uintptr = Value<uintptr>;
using Bool = Value<bool>;
template <class T>
using Pointer = Value<T*>;

template <class T, int LoadOrder, int StoreOrder, bool Steps = true>
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
    T v;
    if constexpr (Steps) explore::step(explore::Kind::kLoad, &v_);
    __atomic_load(&v_, &v, LoadOrder);
    return v;
  }
  GORT_INLINE PlainLike& operator=(T v) {
    if constexpr (Steps) explore::step(explore::Kind::kStore, &v_);
    __atomic_store(&v_, &v, StoreOrder);
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
  T v_;
  static_assert(__atomic_always_lock_free(sizeof(T), nullptr));
};

template <class T>
using Relaxed = PlainLike<T, __ATOMIC_RELAXED, __ATOMIC_RELAXED>;
template <class T>
using Racy = PlainLike<T, std::is_pointer_v<T> ? __ATOMIC_ACQUIRE : __ATOMIC_RELAXED,
                       std::is_pointer_v<T> ? __ATOMIC_RELEASE : __ATOMIC_RELAXED>;
template <class T>
using Observed = PlainLike<T, __ATOMIC_ACQUIRE, __ATOMIC_RELEASE, false>;

}  // namespace gort::runtime::atomic
