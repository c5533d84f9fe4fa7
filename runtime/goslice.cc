// The parts of goslice.h that do not depend on a type. Ports slice.go and string.go.
#include "goslice.h"

#include "malloc.h"
#include "moduledata.h"
#include "panic_throw.h"
#include "stubs.h"
#include "tsan.h"

namespace gort::runtime {

namespace {

// Whether n elements cannot be allocated.
bool outOfRange(uintptr size, std::int64_t n) {
  uintptr mem;
  return n < 0 || __builtin_mul_overflow(size, static_cast<uintptr>(n), &mem) || mem > maxAlloc;
}

[[noreturn]] GORT_NOINLINE void nomap(const _type* typ) {
  std::string_view name =
      typ->str == nullptr ? std::string_view("?")
                          : std::string_view(typ->str->str, static_cast<uintptr>(typ->str->len));
  print("runtime: make of type ", name, ", which has no pointer map\n");
  throw_("make of a type without a pointer map");
}

}  // namespace

void checkmap(const _type* typ) {
  if (GORT_UNLIKELY(typ->ptrdata != 0 && typ->gcdata == nullptr)) nomap(typ);
}

void* newobject(const _type* typ) {
  checkmap(typ);
  return mallocgc(typ->size, typ);
}

void* makeslice(const _type* et, std::int64_t len, std::int64_t cap) {
  if (GORT_UNLIKELY(len < 0 || len > cap || outOfRange(et->size, cap))) {
    // The length is named if it is wrong by itself: make([]T, n) sets cap only by implication.
    if (outOfRange(et->size, len)) panicErrorString("makeslice: len out of range");
    panicErrorString("makeslice: cap out of range");
  }
  checkmap(et);
  return mallocgc(et->size * static_cast<uintptr>(cap), et);
}

std::int64_t nextslicecap(std::int64_t newlen, std::int64_t oldcap, uintptr elemsize) {
  // Twice as much while small, then by a quarter, with a smooth passage between.
  constexpr std::int64_t threshold = 256;
  std::int64_t newcap = oldcap;
  if (newlen < 0 || outOfRange(elemsize, newlen)) panicErrorString("growslice: len out of range");
  if (newlen > 2 * oldcap) {
    newcap = newlen;
  } else if (oldcap < threshold) {
    newcap = 2 * oldcap;
  } else {
    while (newcap < newlen) newcap += (newcap + 3 * threshold) / 4;
  }
  if (outOfRange(elemsize, newcap)) newcap = newlen;
  return static_cast<std::int64_t>(roundupsize(static_cast<uintptr>(newcap) * elemsize) / elemsize);
}

const char* rawstring(const char* p, std::int64_t n) {
  if (n == 0) return nullptr;
  if (firstmoduledata().isConstant(reinterpret_cast<uintptr>(p))) return p;
  char* q = newstring(n);
  raceReadRange(p, static_cast<uintptr>(n));
  memmove(q, p, static_cast<uintptr>(n));
  return q;
}

char* newstring(std::int64_t n) {
  return static_cast<char*>(mallocgc(static_cast<uintptr>(n), nullptr, false));
}

}  // namespace gort::runtime

namespace gort {

string string::concat(std::string_view a, std::string_view b) {
  string r;
  r.len_ = static_cast<std::int64_t>(a.size() + b.size());
  if (r.len_ == 0) return r;
  char* p = runtime::newstring(r.len_);
  runtime::memmove(p, a.data(), a.size());
  runtime::memmove(p + a.size(), b.data(), b.size());
  r.p_ = p;
  return r;
}

}  // namespace gort
