// Errors that the runtime raises as panics. Ports error.go; the functions that raise them, which Go
// has in panic.go, stand here too (error.cc).
//
// A type with an Error method is an error to panic and recover; one with a RuntimeError method as
// well is what Go calls a runtime.Error (any::isRuntimeError).
#pragma once

#include <cstddef>
#include <string_view>

#include "sys.h"

namespace gort {

// What a function returns that can fail: nothing, or the text of what went wrong, a constant.
//   if (auto err = trace::Start(fd)) println(err.Error());
class error {
 public:
  constexpr error() = default;  // nil
  constexpr error(std::nullptr_t) {}  // NOLINT(google-explicit-constructor)
  constexpr explicit error(std::string_view text) : text_(text) {}
  constexpr explicit operator bool() const { return !text_.empty(); }
  constexpr std::string_view Error() const { return text_; }  // "" for nil

 private:
  std::string_view text_;
};

}  // namespace gort

namespace gort::runtime {

// A text that lives as long as the program or in collected memory; Error puts «runtime error: » in
// front.
struct errorString {
  const char* s;
  std::string_view Error() const;
  void RuntimeError() const {}
  bool operator==(const errorString& o) const;
};

// An errorString that knows the address whose use failed.
struct errorAddressString {
  const char* msg;
  uintptr addr;
  std::string_view Error() const { return errorString{msg}.Error(); }
  void RuntimeError() const {}
  uintptr Addr() const { return addr; }
  bool operator==(const errorAddressString& o) const;
};

// An errorString without the prefix.
struct plainError {
  const char* s;
  std::string_view Error() const;
  void RuntimeError() const {}
  bool operator==(const plainError& o) const;
};

enum boundsErrorCode : std::uint8_t {
  boundsIndex,  // s[x], 0 <= x < len(s) failed
  boundsSliceAlen,  // s[?:x], 0 <= x <= len(s) failed
  boundsSliceAcap,  // s[?:x], 0 <= x <= cap(s) failed
  boundsSliceB,  // s[x:y], 0 <= x <= y failed
  boundsSlice3Alen,  // s[?:?:x], 0 <= x <= len(s) failed
  boundsSlice3Acap,  // s[?:?:x], 0 <= x <= cap(s) failed
  boundsSlice3B,  // s[?:x:y], 0 <= x <= y failed
  boundsSlice3C,  // s[x:y:?], 0 <= x <= y failed
  boundsConvert,  // a slice of length y to an array of length x
};

// An index or slice expression that went wrong. x is the value that the program used; not signed:
// to be read as unsigned. y is the length or capacity that it broke.
struct boundsError {
  std::int64_t x;
  std::int64_t y;
  bool isSigned;
  boundsErrorCode code;
  std::string_view Error() const;
  void RuntimeError() const {}
  bool operator==(const boundsError&) const = default;
};

// What recover returns after panic(nil), as PanicNilError*.
struct PanicNilError {
  std::string_view Error() const { return "panic called with nil argument"; }
  void RuntimeError() const {}
};

// Panics with plainError{msg}: «panic: msg». msg is not copied.
[[noreturn, clang::nomerge]] void panicPlainError(const char* msg);
// Panics with errorString{msg}: «panic: runtime error: msg». msg is not copied.
[[noreturn, clang::nomerge]] void panicErrorString(const char* msg);

[[noreturn, clang::nomerge]] void goPanicIndex(std::int64_t x, std::int64_t y);
[[noreturn, clang::nomerge]] void goPanicIndexU(std::uint64_t x, std::int64_t y);
[[noreturn, clang::nomerge]] void goPanicSliceAlen(std::int64_t x, std::int64_t y);
[[noreturn, clang::nomerge]] void goPanicSliceAlenU(std::uint64_t x, std::int64_t y);
[[noreturn, clang::nomerge]] void goPanicSliceAcap(std::int64_t x, std::int64_t y);
[[noreturn, clang::nomerge]] void goPanicSliceAcapU(std::uint64_t x, std::int64_t y);
[[noreturn, clang::nomerge]] void goPanicSliceB(std::int64_t x, std::int64_t y);
[[noreturn, clang::nomerge]] void goPanicSliceBU(std::uint64_t x, std::int64_t y);
[[noreturn, clang::nomerge]] void goPanicSlice3Alen(std::int64_t x, std::int64_t y);
[[noreturn, clang::nomerge]] void goPanicSlice3Acap(std::int64_t x, std::int64_t y);
[[noreturn, clang::nomerge]] void goPanicSlice3B(std::int64_t x, std::int64_t y);
[[noreturn, clang::nomerge]] void goPanicSlice3C(std::int64_t x, std::int64_t y);
[[noreturn, clang::nomerge]] void goPanicSliceConvert(std::int64_t x, std::int64_t y);

[[noreturn, clang::nomerge]] void panicshift();
[[noreturn, clang::nomerge]] void panicdivide();
[[noreturn, clang::nomerge]] void panicoverflow();
[[noreturn, clang::nomerge]] void panicfloat();
// A nil dereference; panicmemAddr for another address that faulted.
[[noreturn, clang::nomerge]] void panicmem();
[[noreturn, clang::nomerge]] void panicmemAddr(uintptr addr);

}  // namespace gort::runtime
