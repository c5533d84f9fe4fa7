// memmove, memclr and comparison for code on goroutine stacks. Ports memmove_amd64.s,
// memclr_amd64.s and memequal_amd64.s.
//
// Invariants:
//  - Nothing here has a stack check or calls anything: libc's versions are code without a check, for
//    which lld would ask every caller for 16 KiB of stack.
//  - A word that is 8-byte aligned at both ends is moved as one word, so that a reader in parallel
//    never sees half a pointer: all moves below go by 8 or 16 aligned-relative bytes, and the byte
//    loops are used below 8 bytes only. (rep movsb is used only for large blocks, which no parallel
//    reader looks at: stacks of stopped goroutines and fresh memory.)
//  - No part of it is instrumented by TSan; callers that move user data say so to TSan themselves.
#include <emmintrin.h>

#include "sys.h"

// The compiler marks an object file as stack-checked when a function in it has a check, and none
// here has one. Without the mark lld would take these for code of unknown needs. The second mark
// says that there are functions without a check: the sanitizer's constructor calls into its library.
asm(".pushsection .note.GNU-split-stack,\"\",@progbits\n.popsection\n"
    ".pushsection .note.GNU-no-split-stack,\"\",@progbits\n.popsection");

#define GORT_RAW GORT_NOSPLIT __attribute__((no_builtin, disable_sanitizer_instrumentation))

namespace {

using u8 = unsigned char;

template <class T>
GORT_INLINE T ld(const u8* p) {
  T v;
  __builtin_memcpy_inline(&v, p, sizeof v);
  return v;
}
template <class T>
GORT_INLINE void st(u8* p, T v) {
  __builtin_memcpy_inline(p, &v, sizeof v);
}
GORT_INLINE __m128i ldx(const u8* p) {
  return _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
}
GORT_INLINE void stx(u8* p, __m128i v) { _mm_storeu_si128(reinterpret_cast<__m128i*>(p), v); }

// From this size on the processor's own string instructions win.
constexpr std::size_t kRepThreshold = 2048;

}  // namespace

extern "C" {

GORT_RAW void* gort_memmove(void* dst, const void* src, std::size_t n) {
  u8* d = static_cast<u8*>(dst);
  const u8* s = static_cast<const u8*>(src);
  if (n <= 16) {
    if (n >= 8) {
      auto a = ld<std::uint64_t>(s), b = ld<std::uint64_t>(s + n - 8);
      st(d, a), st(d + n - 8, b);
    } else if (n >= 4) {
      auto a = ld<std::uint32_t>(s), b = ld<std::uint32_t>(s + n - 4);
      st(d, a), st(d + n - 4, b);
    } else if (n >= 2) {
      auto a = ld<std::uint16_t>(s), b = ld<std::uint16_t>(s + n - 2);
      st(d, a), st(d + n - 2, b);
    } else if (n == 1) {
      *d = *s;
    }
    return dst;
  }
  if (n <= 32) {
    auto a = ldx(s), b = ldx(s + n - 16);
    stx(d, a), stx(d + n - 16, b);
    return dst;
  }
  if (n <= 64) {
    auto a = ldx(s), b = ldx(s + 16), c = ldx(s + n - 32), e = ldx(s + n - 16);
    stx(d, a), stx(d + 16, b), stx(d + n - 32, c), stx(d + n - 16, e);
    return dst;
  }
  if (static_cast<std::size_t>(d - s) >= n) {
    // Not overlapping, or dst below src: forwards.
    if (n >= kRepThreshold && static_cast<std::size_t>(s - d) >= 64) {
      void* dd = dst;
      const void* ss = src;
      std::size_t nn = n;
      asm volatile("rep movsb" : "+D"(dd), "+S"(ss), "+c"(nn) : : "memory");
      return dst;
    }
    auto t0 = ldx(s + n - 16), t1 = ldx(s + n - 32), t2 = ldx(s + n - 48), t3 = ldx(s + n - 64);
    std::size_t i = 0;
    for (; i + 64 < n; i += 64) {
      auto a = ldx(s + i), b = ldx(s + i + 16), c = ldx(s + i + 32), e = ldx(s + i + 48);
      stx(d + i, a), stx(d + i + 16, b), stx(d + i + 32, c), stx(d + i + 48, e);
    }
    stx(d + n - 64, t3), stx(d + n - 48, t2), stx(d + n - 32, t1), stx(d + n - 16, t0);
    return dst;
  }
  auto h0 = ldx(s), h1 = ldx(s + 16), h2 = ldx(s + 32), h3 = ldx(s + 48);
  std::size_t i = n;
  for (; i > 64; i -= 64) {
    auto a = ldx(s + i - 16), b = ldx(s + i - 32), c = ldx(s + i - 48), e = ldx(s + i - 64);
    stx(d + i - 16, a), stx(d + i - 32, b), stx(d + i - 48, c), stx(d + i - 64, e);
  }
  stx(d, h0), stx(d + 16, h1), stx(d + 32, h2), stx(d + 48, h3);
  return dst;
}

GORT_RAW void* gort_memset(void* dst, int value, std::size_t n) {
  u8* d = static_cast<u8*>(dst);
  std::uint64_t v = static_cast<u8>(value) * 0x0101010101010101ull;
  if (n < 16) {
    if (n >= 8) {
      st(d, v), st(d + n - 8, v);
    } else if (n >= 4) {
      st(d, static_cast<std::uint32_t>(v)), st(d + n - 4, static_cast<std::uint32_t>(v));
    } else {
      for (std::size_t i = 0; i < n; i++) d[i] = static_cast<u8>(v);
    }
    return dst;
  }
  if (n >= kRepThreshold) {
    void* dd = dst;
    std::size_t nn = n;
    asm volatile("rep stosb" : "+D"(dd), "+c"(nn) : "a"(value) : "memory");
    return dst;
  }
  __m128i x = _mm_set1_epi64x(static_cast<long long>(v));
  std::size_t i = 0;
  for (; i + 16 <= n; i += 16) stx(d + i, x);
  stx(d + n - 16, x);
  return dst;
}

GORT_RAW void gort_memclr(void* p, std::size_t n) { gort_memset(p, 0, n); }

GORT_RAW int gort_memcmp(const void* a, const void* b, std::size_t n) {
  const u8* x = static_cast<const u8*>(a);
  const u8* y = static_cast<const u8*>(b);
  std::size_t i = 0;
  for (; i + 8 <= n; i += 8) {
    auto u = ld<std::uint64_t>(x + i), v = ld<std::uint64_t>(y + i);
    if (u != v) {
      u = __builtin_bswap64(u), v = __builtin_bswap64(v);
      return u < v ? -1 : 1;
    }
  }
  for (; i < n; i++)
    if (x[i] != y[i]) return x[i] < y[i] ? -1 : 1;
  return 0;
}

#if !GORT_TSAN
// The compiler turns struct copies and clears into calls of these names. Here they stay on the
// goroutine's own stack; the sanitizer build keeps its interceptors.
void* memmove(void*, const void*, std::size_t) __attribute__((alias("gort_memmove")));
void* memcpy(void*, const void*, std::size_t) __attribute__((alias("gort_memmove")));
void* memset(void*, int, std::size_t) __attribute__((alias("gort_memset")));
int memcmp(const void*, const void*, std::size_t) __attribute__((alias("gort_memcmp")));
int bcmp(const void*, const void*, std::size_t) __attribute__((alias("gort_memcmp")));
#endif

}  // extern "C"
