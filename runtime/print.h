// print and println, of the runtime and of programs: to standard error, without buffers, memory or
// locale. Ports print.go.
//
// Invariants:
//  - Nothing here allocates, blocks on anything but debuglock, or calls libc: it must work inside
//    throw_, on any stack, with any lock held.
//  - The output of one call stands together: printlock is held around it. A thread that holds the
//    lock may take it again, so that a crash in the middle of a print can still report itself.
//
// Formats are Go's: integers in decimal (char and bool too are what Go makes of them: a number and
// true or false), floats as +1.500000e+000, pointers in hexadecimal, slices as [len/cap]0xaddress.
// println puts blanks between its arguments, print does not.
#pragma once

#include <concepts>
#include <string_view>
#include <type_traits>

#include "runtime2.h"
#include "sys.h"

namespace gort::runtime {

// An integer to be printed as 0x...
struct hex {
  std::uint64_t v;
  constexpr explicit hex(std::uint64_t n) : v(n) {}
  explicit hex(const void* p) : v(reinterpret_cast<std::uint64_t>(p)) {}
};

// Serialises output; recursive for one M through m.printlock. Has no rank: a report takes it with
// whatever locks are held.
extern mutex debuglock;

void printlock();
void printunlock();
// Writes to standard error, or to the buffer of a Stack call that this g is serving. printlock must
// be held.
void gwrite(const char* p, uintptr n);
// Appends what this g prints to [buf, buf+n) instead of standard error, until the matching
// endwritebuf, which returns the number of bytes stored; what does not fit is dropped. printlock is
// held in between.
void beginwritebuf(char* buf, uintptr n);
uintptr endwritebuf();

void printsp();
void printnl();
void printbool(bool v);
void printfloat(double v);
void printint(std::int64_t v);
void printuint(std::uint64_t v);
void printhex(std::uint64_t v);
void printpointer(const void* p);
void printstring(const char* p, uintptr n);
void printcstring(const char* s);
void printslice(const void* p, uintptr len, uintptr cap);

// Dumps the words of [p, end), each with the character that mark returns for its address in front
// (0 for none) and the function that it points into behind.
void hexdumpWords(uintptr p, uintptr end, char (*mark)(uintptr addr, void* arg), void* arg);

namespace detail {

// A type may say itself how print shows it, with a member printgo() that calls the functions above.
template <class T>
concept PrintsItself = requires(const T& v) { v.printgo(); };
template <class T>
concept StringLike = requires(const T& v) {
  { v.data() } -> std::convertible_to<const char*>;
  { v.size() } -> std::convertible_to<uintptr>;
};
template <class T>
concept SliceLike = requires(const T& v) {
  { v.data() } -> std::convertible_to<const void*>;
  { v.size() } -> std::convertible_to<uintptr>;
};

template <class T>
void print1(const T& v) {
  using U = std::remove_cv_t<T>;
  if constexpr (PrintsItself<U>) {
    v.printgo();
  } else if constexpr (std::is_same_v<U, hex>) {
    printhex(v.v);
  } else if constexpr (std::is_same_v<U, bool>) {
    printbool(v);
  } else if constexpr (std::is_same_v<U, waitReason>) {
    printcstring(waitReasonString(v));
  } else if constexpr (std::is_enum_v<U>) {
    print1(static_cast<std::underlying_type_t<U>>(v));
  } else if constexpr (std::is_integral_v<U>) {
    if constexpr (std::is_signed_v<U>)
      printint(v);
    else
      printuint(v);
  } else if constexpr (std::is_floating_point_v<U>) {
    printfloat(static_cast<double>(v));
  } else if constexpr (std::is_null_pointer_v<U>) {
    printpointer(nullptr);
  } else if constexpr (std::is_convertible_v<const T&, const char*>) {
    printcstring(v);
  } else if constexpr (std::is_pointer_v<U>) {
    printpointer(reinterpret_cast<const void*>(v));
  } else if constexpr (StringLike<U>) {
    printstring(v.data(), v.size());
  } else if constexpr (SliceLike<U>) {
    if constexpr (requires { v.capacity(); })
      printslice(v.data(), v.size(), v.capacity());
    else
      printslice(v.data(), v.size(), v.size());
  } else {
    static_assert(std::is_pointer_v<U>, "print has no format for this type; give it printgo()");
  }
}

template <class T>
void print1(const atomic::Racy<T>& v) {
  print1(static_cast<T>(v));
}

}  // namespace detail

template <class... T>
void print(const T&... v) {
  printlock();
  (detail::print1(v), ...);
  printunlock();
}

template <class... T>
void println(const T&... v) {
  printlock();
  [[maybe_unused]] bool first = true;
  ((first ? void(first = false) : printsp(), detail::print1(v)), ...);
  printnl();
  printunlock();
}

}  // namespace gort::runtime

namespace gort {
using runtime::print;
using runtime::println;
}  // namespace gort
