#include "error.h"

#include "any.h"
#include "panic.h"
#include "panic_throw.h"
#include "stubs.h"

namespace gort::runtime {

namespace {

constexpr std::string_view prefix = "runtime error: ";

// Not strcmp: libc has no stack check.
bool sameText(const char* a, const char* b) {
  for (; *a != 0 && *a == *b; a++, b++) {
  }
  return *a == *b;
}

uintptr textLength(const char* s) {
  uintptr n = 0;
  while (s[n] != 0) n++;
  return n;
}

// panic allocates: inside malloc it would do so again.
void panicCheck2(const char* err) {
  g* gp = getg();
  if (gp != nullptr && gp->m != nullptr && gp->m->mallocing != 0) throw_(err);
}

// %x and %y stand for the error's numbers. By boundsErrorCode.
constexpr const char* boundsErrorFmts[] = {
    "index out of range [%x] with length %y",
    "slice bounds out of range [:%x] with length %y",
    "slice bounds out of range [:%x] with capacity %y",
    "slice bounds out of range [%x:%y]",
    "slice bounds out of range [::%x] with length %y",
    "slice bounds out of range [::%x] with capacity %y",
    "slice bounds out of range [:%x:%y]",
    "slice bounds out of range [%x:%y:]",
    "cannot convert slice with length %y to array or pointer to array with length %x",
};

// The same for a negative x: y says nothing then.
constexpr const char* boundsNegErrorFmts[] = {
    "index out of range [%x]",          "slice bounds out of range [:%x]",
    "slice bounds out of range [:%x]",  "slice bounds out of range [%x:]",
    "slice bounds out of range [::%x]", "slice bounds out of range [::%x]",
    "slice bounds out of range [:%x:]", "slice bounds out of range [%x::]",
};

char* appendIntStr(char* out, std::int64_t v, bool isSigned) {
  auto u = static_cast<std::uint64_t>(v);
  if (isSigned && v < 0) {
    *out++ = '-';
    u = ~u + 1;
  }
  char digits[20];
  int n = 0;
  do {
    digits[n++] = static_cast<char>('0' + u % 10);
    u /= 10;
  } while (u != 0);
  while (n > 0) *out++ = digits[--n];
  return out;
}

[[noreturn]] void panicBounds(std::int64_t x, std::int64_t y, bool isSigned, boundsErrorCode code) {
  panicCheck2("index out of range");
  gopanic(boundsError{x, y, isSigned, code});
}

}  // namespace

std::string_view errorString::Error() const { return concatstrings(prefix, {s, textLength(s)}); }
bool errorString::operator==(const errorString& o) const { return sameText(s, o.s); }
bool errorAddressString::operator==(const errorAddressString& o) const {
  return addr == o.addr && sameText(msg, o.msg);
}
std::string_view plainError::Error() const { return {s, textLength(s)}; }
bool plainError::operator==(const plainError& o) const { return sameText(s, o.s); }

std::string_view boundsError::Error() const {
  const char* fmt =
      isSigned && x < 0 && code != boundsConvert ? boundsNegErrorFmts[code] : boundsErrorFmts[code];
  // The longest text is «cannot convert ...» with two numbers of 20 digits, 132 bytes.
  char buf[160];
  char* out = buf;
  for (char c : prefix) *out++ = c;
  for (; *fmt != 0; fmt++) {
    if (*fmt != '%') {
      *out++ = *fmt;
      continue;
    }
    fmt++;
    out = *fmt == 'x' ? appendIntStr(out, x, isSigned) : appendIntStr(out, y, true);
  }
  return copystring(buf, static_cast<uintptr>(out - buf));
}

void panicPlainError(const char* msg) { gopanic(plainError{msg}); }
void panicErrorString(const char* msg) {
  panicCheck2(msg);
  gopanic(errorString{msg});
}

void goPanicIndex(std::int64_t x, std::int64_t y) { panicBounds(x, y, true, boundsIndex); }
void goPanicIndexU(std::uint64_t x, std::int64_t y) {
  panicBounds(static_cast<std::int64_t>(x), y, false, boundsIndex);
}
void goPanicSliceAlen(std::int64_t x, std::int64_t y) { panicBounds(x, y, true, boundsSliceAlen); }
void goPanicSliceAlenU(std::uint64_t x, std::int64_t y) {
  panicBounds(static_cast<std::int64_t>(x), y, false, boundsSliceAlen);
}
void goPanicSliceAcap(std::int64_t x, std::int64_t y) { panicBounds(x, y, true, boundsSliceAcap); }
void goPanicSliceAcapU(std::uint64_t x, std::int64_t y) {
  panicBounds(static_cast<std::int64_t>(x), y, false, boundsSliceAcap);
}
void goPanicSliceB(std::int64_t x, std::int64_t y) { panicBounds(x, y, true, boundsSliceB); }
void goPanicSliceBU(std::uint64_t x, std::int64_t y) {
  panicBounds(static_cast<std::int64_t>(x), y, false, boundsSliceB);
}
void goPanicSlice3Alen(std::int64_t x, std::int64_t y) {
  panicBounds(x, y, true, boundsSlice3Alen);
}
void goPanicSlice3Acap(std::int64_t x, std::int64_t y) {
  panicBounds(x, y, true, boundsSlice3Acap);
}
void goPanicSlice3B(std::int64_t x, std::int64_t y) { panicBounds(x, y, true, boundsSlice3B); }
void goPanicSlice3C(std::int64_t x, std::int64_t y) { panicBounds(x, y, true, boundsSlice3C); }
void goPanicSliceConvert(std::int64_t x, std::int64_t y) { panicBounds(x, y, true, boundsConvert); }

void panicshift() { panicErrorString("negative shift amount"); }
void panicdivide() { panicErrorString("integer divide by zero"); }
void panicoverflow() { panicErrorString("integer overflow"); }
void panicfloat() { panicErrorString("floating point error"); }

namespace {
constexpr const char* memoryError = "invalid memory address or nil pointer dereference";
}

void panicmem() { panicErrorString(memoryError); }
void panicmemAddr(uintptr addr) {
  panicCheck2(memoryError);
  gopanic(errorAddressString{memoryError, addr});
}

}  // namespace gort::runtime
