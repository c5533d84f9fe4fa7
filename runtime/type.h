// Type descriptors. Ports type.go; the layout is that of Go 1.18 as gccgo 12 emits it, so that code
// compiled by gccgo can hand its own descriptors to this runtime.
//
// Invariants:
//  - Descriptors are constants: made at compile time, one for each C++ type (typeOf<T>()), never
//    written, never freed, safe to keep and compare anywhere.
//  - ptrdata is 0 exactly when no word of the type can hold a pointer. gcdata has one bit for each
//    word up to ptrdata (typemap.h); a set bit says that there may be a pointer, and the collector
//    tests the word before it believes it.
//  - A descriptor with tflagCxx stands at the start of a cxxtype. gccgo never sets that flag.
//  - bitwise<T>: copying the bytes of a T to raw memory makes a T, and a T that is no longer needed
//    can be forgotten. Its values travel by typedmemmove, which tells the write barrier. All other
//    types have elemops, and only those are used to move their values.
#pragma once

#include <array>
#include <new>
#include <string_view>
#include <type_traits>
#include <utility>

#include "sys.h"
#include "typemap.h"

namespace gort::runtime {

// Bits of _type.tflag.
inline constexpr std::uint8_t tflagUncommon = 1 << 0;  // uncommontype is not null
inline constexpr std::uint8_t tflagExtraStar = 1 << 1;  // str begins with a superfluous '*'
inline constexpr std::uint8_t tflagNamed = 1 << 2;  // the type has a name
inline constexpr std::uint8_t tflagRegularMemory = 1 << 3;  // == compares size bytes
inline constexpr std::uint8_t tflagCxx = 1 << 7;  // a cxxtype

enum : std::uint8_t {
  kindBool = 1,
  kindInt,
  kindInt8,
  kindInt16,
  kindInt32,
  kindInt64,
  kindUint,
  kindUint8,
  kindUint16,
  kindUint32,
  kindUint64,
  kindUintptr,
  kindFloat32,
  kindFloat64,
  kindComplex64,
  kindComplex128,
  kindArray,
  kindChan,
  kindFunc,
  kindInterface,
  kindMap,
  kindPtr,
  kindSlice,
  kindString,
  kindStruct,
  kindUnsafePointer,

  kindDirectIface = 1 << 5,  // the value itself is kept in an interface's data word
  kindGCProg = 1 << 6,  // gcdata is a program, not a mask
  kindMask = (1 << 5) - 1,
};

// What a Go function value points to: the code's address, then whatever the closure captured.
struct funcval {
  bool (*fn)(const void*, const void*);
};

// Go's representation of a string.
struct stringStruct {
  const char* str;
  std::int64_t len;
};

struct _type {
  uintptr size;
  uintptr ptrdata;  // bytes from the start in which pointers may be
  std::uint32_t hash;
  std::uint8_t tflag;
  std::uint8_t align;  // of a variable
  std::uint8_t fieldAlign;  // of a field
  std::uint8_t kind;  // kindBool ... with kindDirectIface and kindGCProg
  const funcval* equal;  // null when values cannot be compared
  const std::uint8_t* gcdata;  // one bit for each word of ptrdata, lowest first
  const stringStruct* str;  // name, for people
  const void* uncommontype;  // methods; null
  const _type* ptrToThis;  // may be null
};
static_assert(sizeof(_type) == 64 && offsetof(_type, equal) == 24 && offsetof(_type, gcdata) == 32);

struct chantype {
  _type typ;
  const _type* elem;
  uintptr dir;  // recvDir | sendDir
};
inline constexpr uintptr recvDir = 1;
inline constexpr uintptr sendDir = 2;

// How values of a type that is not bitwise are moved. Both run on whatever stack and under whatever
// locks the runtime's caller has: they must not block, panic or use channels.
struct elemops {
  void (*move)(void* dst, void* src);  // constructs *dst from *src; src stays valid, with no value
  void (*destroy)(void* p);
};

struct cxxtype {
  _type typ;
  const elemops* ops;  // null for a bitwise type
};

// A ptr has constructors of its own, for the write barrier, and makes them count in every class that
// contains one. They do nothing else to the bytes, which it says by trivial_abi: that passes on to
// classes as triviality does.
template <class T>
inline constexpr bool bitwise =
    std::is_trivially_destructible_v<T> &&
    (std::is_trivially_move_constructible_v<T> || __is_trivially_relocatable(T));

namespace types {

template <class T>
constexpr std::string_view name() {
  std::string_view s = __PRETTY_FUNCTION__;
  s.remove_prefix(s.find("T = ") + 4);
  s.remove_suffix(1);
  return s;
}

constexpr std::uint32_t fnv1(std::string_view s) {
  std::uint32_t h = 2166136261u;
  for (char c : s) h = (h * 16777619u) ^ static_cast<unsigned char>(c);
  return h;
}

template <class T>
constexpr std::uint8_t kindOf() {
  if constexpr (std::is_enum_v<T>) {
    return kindOf<std::underlying_type_t<T>>();
  } else if constexpr (std::is_same_v<T, bool>) {
    return kindBool;
  } else if constexpr (std::is_integral_v<T> && sizeof(T) <= 8) {
    constexpr std::uint8_t base = std::is_signed_v<T> ? kindInt8 : kindUint8;
    return base + (sizeof(T) == 1 ? 0 : sizeof(T) == 2 ? 1 : sizeof(T) == 4 ? 2 : 3);
  } else if constexpr (std::is_same_v<T, float>) {
    return kindFloat32;
  } else if constexpr (std::is_same_v<T, double>) {
    return kindFloat64;
  } else if constexpr (std::is_pointer_v<T>) {
    using P = std::remove_pointer_t<T>;
    return (std::is_void_v<P> || std::is_function_v<P> ? kindUnsafePointer : kindPtr) |
           kindDirectIface;
  } else if constexpr (std::is_array_v<T>) {
    return kindArray;
  } else if constexpr (requires { T::gortKind; }) {
    return T::gortKind;
  } else {
    return kindStruct;
  }
}

// No word of a T is a pointer.
template <class T>
inline constexpr bool noscan = !mayHavePointers<T>();

template <class T>
inline constexpr stringStruct str{name<T>().data(), static_cast<std::int64_t>(name<T>().size())};

template <std::size_t Words>
constexpr auto makeOnes() {
  std::array<std::uint8_t, (Words + 7) / 8> a{};
  for (auto& b : a) b = 0xff;
  return a;
}
template <std::size_t Words>
inline constexpr auto ones = makeOnes<Words>();

template <class T>
bool equalfn(const void* a, const void* b) {
  return *static_cast<const T*>(a) == *static_cast<const T*>(b);
}
template <class T>
inline constexpr funcval equal{&equalfn<T>};

template <class T>
inline constexpr elemops ops{
    [](void* dst, void* src) { ::new (dst) T(std::move(*static_cast<T*>(src))); },
    [](void* p) { static_cast<T*>(p)->~T(); },
};

template <class T>
constexpr cxxtype make() {
  cxxtype t{};
  t.typ.size = sizeof(T);
  t.typ.hash = fnv1(name<T>());
  t.typ.tflag = tflagCxx | tflagNamed;
  t.typ.align = t.typ.fieldAlign = alignof(T);
  t.typ.kind = kindOf<T>();
  t.typ.str = &str<T>;
  static_assert(
      !mask<T>.misaligned,
      "the collector cannot see all pointers of this type: one of them does not stand at a "
      "multiple of 8 bytes. Remove the packing; or do not let it point to collected memory, and "
      "keep "
      "it out of make, slices, channels and any");
  if constexpr (mask<T>.tooMany) {
    t.typ.ptrdata = alignDown(sizeof(T), sys::PtrSize);
    t.typ.gcdata = ones<sizeof(T) / sys::PtrSize>.data();
  } else if constexpr (!noscan<T>) {
    t.typ.ptrdata = mask<T>.ptrdata;
    t.typ.gcdata = mask<T>.bits.data();
  }
  if constexpr (std::is_integral_v<T> || std::is_enum_v<T> || std::is_pointer_v<T>)
    t.typ.tflag |= tflagRegularMemory;
  // Scalars only: asking a class whether == exists may instantiate an operator that does not
  // compile.
  if constexpr (std::is_scalar_v<T>) t.typ.equal = &equal<T>;
  if constexpr (!bitwise<T> && std::is_move_constructible_v<T>) t.ops = &ops<T>;
  return t;
}
template <class T>
inline constexpr cxxtype desc = make<T>();

// struct{}: an element that takes no room.
inline constexpr stringStruct emptyStr{"struct {}", 9};
inline constexpr _type emptyStruct{.size = 0,
                                   .ptrdata = 0,
                                   .hash = fnv1("struct {}"),
                                   .tflag = tflagRegularMemory,
                                   .align = 1,
                                   .fieldAlign = 1,
                                   .kind = kindStruct,
                                   .equal = nullptr,
                                   .gcdata = nullptr,
                                   .str = &emptyStr,
                                   .uncommontype = nullptr,
                                   .ptrToThis = nullptr};

}  // namespace types

// The descriptor of a C++ type.
template <class T>
constexpr const _type* typeOf() {
  static_assert(std::is_object_v<T>, "references, functions and void have no values to be kept");
  static_assert(requires { sizeof(T); }, "the type is incomplete here: its pointers are not known");
  static_assert(!std::is_abstract_v<T>, "an abstract class has no objects of its own");
  return &types::desc<std::remove_cv_t<T>>.typ;
}

// The descriptor of T as a channel's element: C++ gives an empty class one byte, Go none.
template <class T>
constexpr const _type* elemTypeOf() {
  if constexpr (std::is_empty_v<T> && bitwise<T>)
    return &types::emptyStruct;
  else
    return typeOf<T>();
}

namespace types {
template <class T>
struct chanTag {};
template <class T>
inline constexpr stringStruct chanStr{name<chanTag<T>>().data(),
                                      static_cast<std::int64_t>(name<chanTag<T>>().size())};
template <class T>
inline constexpr chantype chanDesc{_type{.size = sys::PtrSize,
                                         .ptrdata = sys::PtrSize,
                                         .hash = fnv1(name<chanTag<T>>()),
                                         .tflag = tflagRegularMemory,
                                         .align = sys::PtrSize,
                                         .fieldAlign = sys::PtrSize,
                                         .kind = kindChan | kindDirectIface,
                                         .equal = &equal<void*>,
                                         .gcdata = ones<1>.data(),
                                         .str = &chanStr<T>,
                                         .uncommontype = nullptr,
                                         .ptrToThis = nullptr},
                                   elemTypeOf<T>(), recvDir | sendDir};
}  // namespace types

template <class T>
constexpr const chantype* chanTypeOf() {
  return &types::chanDesc<T>;
}

// The move functions of t, null when its values are moved as bytes.
GORT_INLINE const elemops* typeops(const _type* t) {
  return (t->tflag & tflagCxx) != 0 ? reinterpret_cast<const cxxtype*>(t)->ops : nullptr;
}

}  // namespace gort::runtime
