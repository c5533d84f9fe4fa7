// any: a value of any copyable type, as Go's interface{}. What panic takes and recover returns.
//
// Invariants:
//  - Two words: a description of the type, and the value itself (numbers, enums,
//    pointers) or the address of a copy in collected memory (everything else). The copy is never
//    written, so all copies of an any share it. It is not destroyed: nobody knows the last copy.
//  - The data word carries the write barrier, as a ptr does, whatever it holds.
//  - All text types (const char*, std::string, std::string_view, a class whose gortKind is
//    kindString) become a std::string_view of a copy in collected memory: Go has one string type.
//  - A nil any has no type. It is what any{} and any(nullptr) are.
//  - The value must not point into a goroutine's stack: the copy is in the heap (the rule for every
//    heap object).
#pragma once

#include <new>
#include <string>
#include <string_view>
#include <type_traits>

#include "malloc.h"
#include "mbarrier.h"
#include "sys.h"
#include "type.h"

namespace gort::runtime {

// What the runtime knows about a type that an any holds; one constant for each type.
struct anytype {
  std::string_view cxxname;  // as the compiler spells it
  std::uint8_t kind;  // Go's kind (type.h)
  bool direct;  // the value is in the data word
  bool basic;  // one of Go's predeclared types: printed without its name
  bool runtimeError;  // Go's runtime.Error: has a RuntimeError method
  bool (*equal)(const void* a, const void* b);  // null when values cannot be compared
  std::string_view (*error)(const void* v);  // Error(), null when there is none
  std::string_view (*string)(const void* v);  // String(), null when there is none
};

// A copy of [p, p+n) in collected memory, with a zero byte behind.
std::string_view copystring(const char* p, uintptr n);
std::string_view concatstrings(std::string_view a, std::string_view b);
// Both point to a std::string_view. (Its own == calls libc.)
bool equaltext(const void* a, const void* b);

// Writes the Go form of a type's name to buf and returns its length: int, main.T for a global T,
// a/b.T for a::b::T, sync.Mutex for gort::sync::Mutex, *main.T for T*, [...] for template arguments.
// What does not fit is cut off.
uintptr gotypename(std::string_view cxxname, char* buf, uintptr n);

namespace detail {

template <class T>
inline constexpr bool isText =
    std::is_same_v<T, const char*> || std::is_same_v<T, char*> || std::is_same_v<T, std::string> ||
    std::is_same_v<T, std::string_view> || [] {
      if constexpr (requires { T::gortKind; })
        return T::gortKind == kindString;
      else
        return false;
    }();

template <class T>
std::string_view keeptext(const T& s) {
  if constexpr (std::is_convertible_v<const T&, const char*>) {
    const char* p = s;
    uintptr n = 0;
    while (p != nullptr && p[n] != 0) n++;
    return copystring(p, n);
  } else {
    return copystring(s.data(), s.size());
  }
}

// A method is found on the type itself or, for a pointer, on what it points to (Go's *T receiver).
template <class T>
concept HasError = requires(const T& v) { v.Error(); } ||
                   (std::is_pointer_v<T> && requires(const T& v) { v->Error(); });
template <class T>
concept HasString = requires(const T& v) { v.String(); } ||
                    (std::is_pointer_v<T> && requires(const T& v) { v->String(); });
template <class T>
concept HasRuntimeError = requires(const T& v) { v.RuntimeError(); } ||
                          (std::is_pointer_v<T> && requires(const T& v) { v->RuntimeError(); });

template <class T>
constexpr anytype makeanytype() {
  anytype t{};
  t.cxxname = types::name<T>();
  t.direct = std::is_scalar_v<T> && sizeof(T) <= sys::PtrSize;
  t.runtimeError = HasRuntimeError<T>;
  if constexpr (std::is_same_v<T, std::string_view>) {
    t.cxxname = "string";
    t.kind = kindString;
  } else {
    t.kind = types::kindOf<T>() & kindMask;
  }
  t.basic = std::is_arithmetic_v<T> || std::is_same_v<T, std::string_view>;
  if constexpr (std::is_same_v<T, std::string_view>)
    t.equal = equaltext;
  else if constexpr (requires(const T& a) { static_cast<bool>(a == a); })
    t.equal = [](const void* a, const void* b) {
      return static_cast<bool>(*static_cast<const T*>(a) == *static_cast<const T*>(b));
    };
  if constexpr (HasError<T>)
    t.error = [](const void* p) {
      const T& v = *static_cast<const T*>(p);
      if constexpr (requires { v.Error(); })
        return keeptext(v.Error());
      else
        return keeptext(v->Error());
    };
  if constexpr (HasString<T>)
    t.string = [](const void* p) {
      const T& v = *static_cast<const T*>(p);
      if constexpr (requires { v.String(); })
        return keeptext(v.String());
      else
        return keeptext(v->String());
    };
  return t;
}
template <class T>
inline constexpr anytype anytypeof = makeanytype<T>();

}  // namespace detail
}  // namespace gort::runtime

namespace gort {

class [[clang::trivial_abi]] any {
 public:
  constexpr any() = default;
  GORT_INLINE any(const any& o) : type_(o.type_), data_(o.data_) {
    runtime::gcWriteBarrierInit(data_);
  }
  GORT_INLINE any& operator=(const any& o) {  // NOLINT(bugprone-unhandled-self-assignment)
    runtime::storePointer(&data_, o.data_);
    type_ = o.type_;
    return *this;
  }
  ~any() = default;
  constexpr any(std::nullptr_t) {}  // NOLINT(google-explicit-constructor): Go's nil

  template <class V>
    requires(!std::is_same_v<std::decay_t<V>, any> && !std::is_null_pointer_v<std::decay_t<V>>)
  any(V&& v) {  // NOLINT(google-explicit-constructor): any value is an any, as in Go
    using T = std::decay_t<V>;
    if constexpr (runtime::detail::isText<T>)
      set(runtime::detail::keeptext<T>(v));
    else
      set<T>(static_cast<V&&>(v));
  }

  // Not nil.
  explicit operator bool() const { return type_ != nullptr; }

  // The value, if it is a T, else null. Text is held as std::string_view whatever it came from.
  template <class T>
  const T* as() const {
    static_assert(!runtime::detail::isText<T> || std::is_same_v<T, std::string_view>,
                  "any keeps text as std::string_view: ask for as<std::string_view>()");
    return type_ == &runtime::detail::anytypeof<T> ? static_cast<const T*>(value()) : nullptr;
  }

  // Go's v.(error) and v.(runtime.Error), as questions.
  bool isError() const { return type_ != nullptr && type_->error != nullptr; }
  bool isRuntimeError() const { return isError() && type_->runtimeError; }
  // The text that an unrecovered panic with this value would use: Error(), else String(), else the
  // text itself; empty for values without text.
  std::string_view Error() const;

  // False for different types. Panics with «comparing uncomparable type T» when the type has no ==.
  friend bool operator==(const any& a, const any& b) { return equal(a, b); }

  // As an unrecovered panic shows it, without calling Error or String. (Go's println would show the
  // two words.)
  void printgo() const;

  const runtime::anytype* type() const { return type_; }
  const void* value() const { return type_ != nullptr && type_->direct ? &data_ : data_; }

 private:
  template <class T, class V>
  void set(V&& v) {
    type_ = &runtime::detail::anytypeof<T>;
    if constexpr (runtime::detail::anytypeof<T>.direct) {
      T x = v;
      __builtin_memcpy_inline(&data_, &x, sizeof x);
    } else {
      static_assert(std::is_copy_constructible_v<T>, "any holds copies");
      const T* p =
          ::new (runtime::mallocgc(sizeof(T), runtime::typeOf<T>())) T(static_cast<V&&>(v));
      runtime::publish(p);
      data_ = const_cast<void*>(static_cast<const void*>(p));
    }
    runtime::gcWriteBarrierInit(data_);
  }
  void set(std::string_view s) { set<std::string_view>(s); }
  static bool equal(const any& a, const any& b);

  const runtime::anytype* type_ = nullptr;
  void* data_ = nullptr;
};
static_assert(sizeof(any) == 2 * runtime::sys::PtrSize && runtime::bitwise<any>);

}  // namespace gort

namespace gort::runtime {
// v as an unrecovered panic shows it: numbers and text bare, a named type of one of those kinds as
// main.T(3), anything else as (main.T) 0xaddress.
void printany(const any& v);
// If v has an Error or a String method, v becomes the text that it returns.
void anytotext(any* v);
}  // namespace gort::runtime
