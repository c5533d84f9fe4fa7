// Which words of a C++ type may hold pointers, found out at compile time. Plays the part of the
// compiler's and the linker's work on type descriptors (cmd/compile/internal/reflectdata).
//
// How the fields of a class are found: clang's __builtin_dump_struct calls a function once for each
// field, whether private or not, also for those of base classes and of unnamed unions. Run by the
// compiler on an object that never exists, it tells each field's type; __builtin_object_size tells
// what lies between the field and the end of the object, and so its offset. Neither layout rules nor
// a count of fields come into it. A class that it cannot list (bit-fields, references) does not
// become an error: each of its words counts as a possible pointer.
//
// Invariants:
//  - A bit that is set says «may be a pointer», one that is not set «never one». When in doubt a bit
//    is set: that keeps a little more alive, and nothing else.
//  - Numbers, enumerations, pointers to functions and to members, and text (char arrays) have no
//    pointers. A pointer that a program hides in an integer is not seen, as in Go (uintptr).
//  - Arrays of unsigned char and std::byte in a class that is aligned as a pointer are room for
//    objects of any type, and so are unions: every word of them counts.
//  - GORT_POINTERS takes fields away, and never adds one that would not count without it: the list of
//    a class that contains or inherits the one which says it may go past it, field by field.
//  - Pointers stand at multiples of 8. A type in which one does not has no map (misaligned).
#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <type_traits>

#include "sys.h"

// In a class: only these fields may hold pointers to collected memory. For one whose fields the
// compiler cannot list, or that has pointers to other memory, unions and raw storage.
//
//   class Node {
//     GORT_POINTERS(Node, left_, tagged_)
//     unsigned depth_ : 4;
//     ptr<Node> left_;
//     void* tagged_;  // not uintptr_t: that is a number
//   };
#define GORT_POINTERS(T, ...)                                          \
 public: /* NOLINTNEXTLINE(bugprone-macro-parentheses) */              \
  using gortPointersOf = T;                                            \
  template <class Visitor>                                             \
  static constexpr void gortPointers([[maybe_unused]] Visitor& visit,  \
                                     [[maybe_unused]] const T& self) { \
    __VA_OPT__(GORT_EXPAND(GORT_VISIT_EACH(__VA_ARGS__)))              \
  }                                                                    \
                                                                       \
 private:

// visit(self.f) for each argument. A macro cannot call itself, but it can be scanned again: EXPAND
// does that 64 times.
#define GORT_VISIT_EACH(f, ...) \
  visit(self.f);                \
  __VA_OPT__(GORT_VISIT_AGAIN GORT_PARENS(__VA_ARGS__))
#define GORT_VISIT_AGAIN() GORT_VISIT_EACH
#define GORT_PARENS ()
#define GORT_EXPAND(...) GORT_EXPAND3(GORT_EXPAND3(GORT_EXPAND3(GORT_EXPAND3(__VA_ARGS__))))
#define GORT_EXPAND3(...) GORT_EXPAND2(GORT_EXPAND2(GORT_EXPAND2(GORT_EXPAND2(__VA_ARGS__))))
#define GORT_EXPAND2(...) GORT_EXPAND1(GORT_EXPAND1(GORT_EXPAND1(GORT_EXPAND1(__VA_ARGS__))))
#define GORT_EXPAND1(...) __VA_ARGS__

namespace gort::runtime::types {

// A map under construction: one bit for each word.
struct wordmask {
  std::uint8_t* bits = nullptr;
  uintptr end = 0;  // bytes up to the end of the last word that is set
  uintptr work = 0;  // words looked at
  bool misaligned = false;

  // Beyond this an exact map is not worth the compiler's time, and every word counts.
  static constexpr uintptr maxWork = 20000;
  constexpr bool tooMany() const { return work > maxWork; }

  constexpr void set(uintptr off) {
    work++;
    if (off % sys::PtrSize != 0) {
      misaligned = true;
      return;
    }
    bits[off / sys::PtrSize / 8] |= static_cast<std::uint8_t>(1 << off / sys::PtrSize % 8);
    if (off + sys::PtrSize > end) end = off + sys::PtrSize;
  }
  // Every aligned word in [off, off+size).
  constexpr void setAll(uintptr off, uintptr size) {
    for (uintptr w = alignUp(off, sys::PtrSize); w + sys::PtrSize <= off + size && !tooMany();
         w += sys::PtrSize)
      set(w);
  }
};

// Adds to m, at offset off, the pointers of a T. With Aligned the T is in an object that is aligned
// as a pointer.
template <class T, bool Aligned>
constexpr void addPointers(wordmask& m, uintptr off);

// Room for a T in which there is none: the compiler may form addresses of its fields.
template <class T>
union unborn {
  char c;
  T v;
  constexpr unborn() : c(0) {}
  constexpr ~unborn() {}  // NOLINT(modernize-use-equals-default): T may have no destructor
};

// What __builtin_dump_struct calls: with a format alone for braces, with a name for a base class,
// and with indentation, type, name and value for a field. The value of a scalar is the field itself,
// an lvalue; for others it is the field's address. Of a field that is a plain C struct or union, its
// own fields come instead.
template <bool Aligned>
struct fieldvisitor {
  wordmask* m;
  uintptr whole;  // size of the object
  uintptr* listed;  // bytes up to the end of the fields that have come

  template <class F>
  constexpr void field(const volatile F* f) const {
    if constexpr (std::is_empty_v<F> || std::is_unbounded_array_v<F>) return;
    auto* at = const_cast<const F*>(f);
    uintptr off = whole - __builtin_object_size(at, 0);
    uintptr end = off;
    if constexpr (!std::is_unbounded_array_v<F>) end += sizeof(F);
    if (off < *listed)
      m->setAll(off, (end > *listed ? end : *listed) - off);  // a union
    else
      addPointers<std::remove_cv_t<F>, Aligned>(*m, off);
    if (end > *listed) *listed = end;
  }

  template <class... A>
  constexpr int operator()(const char*, const A&...) const {
    return 0;
  }
  template <class Indent, class Type, class Name, class V>
  constexpr int operator()(const char*, const Indent&, const Type&, const Name&, V&& v) const {
    if constexpr (std::is_lvalue_reference_v<V>)
      field(std::addressof(v));
    else
      field(v);
    return 0;
  }
};

// A map with its storage.
template <class T>
struct maskof {
  std::array<std::uint8_t, sizeof(T) / sys::PtrSize / 8 + 1> bits{};
  uintptr ptrdata = 0;
  bool tooMany = false;
  bool misaligned = false;
};
template <class T, bool Aligned>
constexpr maskof<T> makeMask();
// The map of a T; tooMany and misaligned say that there is none.
template <class T, bool Aligned = alignof(T) >= sys::PtrSize>
inline constexpr maskof<T> mask = makeMask<T, Aligned>();

template <class T, bool Aligned = alignof(T) >= sys::PtrSize>
constexpr bool mayHavePointers() {
  using M = std::remove_cv_t<T>;
  return mask<M, Aligned>.ptrdata != 0 || mask<M, Aligned>.misaligned || mask<M, Aligned>.tooMany;
}

// What GORT_POINTERS calls for each field.
template <bool Aligned>
struct namedvisitor {
  wordmask* m;
  uintptr whole;
  template <class F>
  constexpr void operator()(const F& f) const {
    static_assert(
        mayHavePointers<F, Aligned>() || std::is_array_v<F>,
        "GORT_POINTERS names a field whose type has no pointers: keep a pointer in a void* "
        "or in a union with one, not in a number");
    addPointers<std::remove_cv_t<F>, Aligned>(*m,
                                              whole - __builtin_object_size(std::addressof(f), 0));
  }
};

template <class T, bool Aligned>
constexpr bool listFields(wordmask& m) {
  unborn<T> u;
  uintptr listed = 0;
  __builtin_dump_struct(&u.v, fieldvisitor<Aligned>{&m, sizeof u, &listed});
  return true;
}
template <class T, bool Aligned>
constexpr bool listNamed(wordmask& m) {
  unborn<T> u;
  namedvisitor<Aligned> v{&m, sizeof u};
  T::gortPointers(v, u.v);
  return true;
}

template <class T, bool Aligned>
constexpr bool tryListFields() {
  maskof<T> s;
  wordmask m{s.bits.data()};
  return listFields<T, Aligned>(m);
}
// The compiler can list the fields: asked as a question, so that a failure is an answer.
template <class T, bool Aligned>
concept Listable = requires { typename std::bool_constant<tryListFields<T, Aligned>()>; };

template <class T>
concept NamesPointers = requires { typename T::gortPointersOf; };

template <class T, bool Aligned>
constexpr void addClass(wordmask& m) {
  if constexpr (NamesPointers<T>) {
    // A derived class inherits the name, but not what it says.
    if constexpr (std::is_same_v<typename T::gortPointersOf, T>)
      listNamed<T, Aligned>(m);
    else
      m.setAll(0, sizeof(T));
  } else if constexpr (std::is_empty_v<T>) {
    // No room for a pointer.
  } else if constexpr (std::is_union_v<T> || std::is_abstract_v<T>) {
    if constexpr (Aligned) m.setAll(0, sizeof(T));
  } else if constexpr (Listable<T, Aligned>) {
    listFields<T, Aligned>(m);
  } else {
    m.setAll(0, sizeof(T));
  }
}

// Adds the map of a T, which has been made.
template <class T, bool Aligned>
constexpr void addMask(wordmask& m, uintptr off) {
  constexpr const maskof<T>& t = mask<T, Aligned>;
  if (t.misaligned) m.misaligned = true;
  if (t.tooMany) m.work = wordmask::maxWork + 1;
  for (uintptr w = 0; w < t.ptrdata / sys::PtrSize && !m.tooMany(); w++) {
    m.work++;
    if ((t.bits[w / 8] >> w % 8 & 1) != 0) m.set(off + w * sys::PtrSize);
  }
}

template <class T, bool Aligned>
constexpr void addPointers(wordmask& m, uintptr off) {
  if constexpr (std::is_array_v<T>) {
    using E = std::remove_cv_t<std::remove_extent_t<T>>;
    if constexpr (std::is_same_v<E, unsigned char> || std::is_same_v<E, std::byte>) {
      if constexpr (Aligned) m.setAll(off, sizeof(T));
    } else if constexpr (mayHavePointers<E, Aligned>()) {
      for (uintptr i = 0; i < std::extent_v<T> && !m.tooMany(); i++)
        addPointers<E, Aligned>(m, off + i * sizeof(E));
    }
  } else if constexpr (std::is_pointer_v<T>) {
    if constexpr (!std::is_function_v<std::remove_pointer_t<T>>) m.set(off);
  } else if constexpr (std::is_class_v<T> || std::is_union_v<T>) {
    addMask<T, Aligned>(m, off);
  } else if constexpr (std::is_arithmetic_v<T> || std::is_enum_v<T> || std::is_null_pointer_v<T> ||
                       std::is_member_pointer_v<T> || std::is_same_v<T, __int128> ||
                       std::is_same_v<T, unsigned __int128>) {
    // None.
  } else {
    m.setAll(off, sizeof(T));  // vectors and whatever else a compiler may have
  }
}

template <class T, bool Aligned>
constexpr maskof<T> makeMask() {
  maskof<T> s;
  wordmask m{s.bits.data()};
  if constexpr (std::is_class_v<T> || std::is_union_v<T>)
    addClass<T, Aligned>(m);
  else
    addPointers<T, Aligned && !std::is_array_v<T>>(m, 0);
  s.ptrdata = m.end;
  s.tooMany = m.tooMany();
  // The next element of an array would have them in other places.
  s.misaligned = m.misaligned || (m.end != 0 && sizeof(T) % sys::PtrSize != 0);
  return s;
}

}  // namespace gort::runtime::types
