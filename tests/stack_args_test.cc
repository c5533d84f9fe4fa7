// A stack that moves in the prologue of a function must not change what the function was passed, in
// registers or on the stack, nor what its caller keeps in callee-saved registers.
#include <immintrin.h>

#include <array>
#include <cstdarg>
#include <cstdio>
#include <string>

#include "tests/harness.h"
#include "tests/stackmove.h"

using namespace gort;
using namespace gort::test;

// Evaluates call, whose arguments call nothing, with the stack moving at its entry; again when
// something else took the place of the move.
#define MOVED(call)                       \
  do {                                    \
    for (;;) {                            \
      auto lo_ = stackbounds().lo;        \
      moveStackOnNextCall();              \
      call;                               \
      if (stackbounds().lo != lo_) break; \
    }                                     \
  } while (0)

// Not in an unnamed namespace: the compiler may not use what it knows of the arguments.
namespace args {

struct pair {
  long a;
  double b;
};
struct large {
  std::array<long, 40> v;
};

// A frame, so that there is a check.
#define FRAME    \
  char pad_[32]; \
  KEEP_FRAME(pad_)

GORT_NOINLINE bool ints(long a, long b, long c, long d, long e, long f, long g, long h, int i,
                        short j, char k, long l) {
  FRAME;
  return a == 1 && b == 2 && c == 3 && d == 4 && e == 5 && f == 6 && g == 7 && h == 8 && i == 9 &&
         j == 10 && k == 11 && l == 12;
}
GORT_NOINLINE bool doubles(double a, double b, float c, double d, double e, double f, float g,
                           double h, double i, double j, long double k) {
  FRAME;
  return a == 1.5 && b == 2.5 && c == 3.5f && d == 4.5 && e == 5.5 && f == 6.5 && g == 7.5f &&
         h == 8.5 && i == 9.5 && j == 10.5 && k == 11.5L;
}
GORT_NOINLINE bool mixed(int a, double b, pair c, __int128 d, float e, long f, long g, pair h,
                         long double i, std::string* s) {
  FRAME;
  return a == 1 && b == 2.5 && c.a == 3 && c.b == 3.5 && d == (__int128(4) << 70) + 5 &&
         e == 5.5f && f == 6 && g == 7 && h.a == 8 && h.b == 8.5 && i == 9.5L && *s == "ten";
}
GORT_NOINLINE large byvalue(large x, long add) {
  FRAME;
  for (long& v : x.v) v += add;
  return x;
}
GORT_NOINLINE bool references(long& r, const std::string& s, long*& rp) {
  FRAME;
  r++;
  return rp == &r && s == "a string that is too long for the small buffer";
}
// The definition of a variadic function cannot have a stack check: the compiler refuses it.
GORT_NOSPLIT GORT_NOINLINE bool variadic(int n, ...) {
  va_list ap;
  va_start(ap, n);
  bool ok = true;
  for (int i = 0; i < n; i++) {
    ok = ok && va_arg(ap, long) == i;
    ok = ok && va_arg(ap, double) == i + 0.5;
  }
  va_end(ap);
  return ok;
}
GORT_NOINLINE bool forward(double a, double b, double c) {
  FRAME;
  moveMyStack();
  return variadic(6, 0l, a, 1l, b, 2l, c, 3l, 3.5, 4l, 4.5, 5l, 5.5);
}
GORT_NOINLINE void format(char* text, std::size_t n, int i, double d, const char* s) {
  FRAME;
  std::snprintf(text, n, "%d %g %s %d %g %d %g %d %g", i, d, s, i, d, i, d, i, d);
}
GORT_NOINLINE bool sse(__m128 a, __m128d b, __m128i c, __m128 d, __m128 e, __m128 f, __m128 g,
                       __m128 h) {
  FRAME;
  bool ok = a[0] == 1 && a[1] == 2 && a[2] == 3 && a[3] == 4 && b[0] == 5 && b[1] == 6 &&
            c[0] == 7 && c[1] == 8;
  for (int i = 0; i < 4; i++)
    ok = ok && d[i] == 40 + i && e[i] == 50 + i && f[i] == 60 + i && g[i] == 70 + i &&
         h[i] == 80 + i;
  return ok;
}
__attribute__((target("avx"))) GORT_NOINLINE bool avx(__m256 a, __m256d b, __m256 c, __m256 d,
                                                      __m256 e, __m256 f, __m256 g, __m256 h) {
  FRAME;
  bool ok = b[0] == 1.5 && b[1] == 2.5 && b[2] == 3.5 && b[3] == 4.5;
  for (int i = 0; i < 8; i++)
    ok = ok && a[i] == 10 + i && c[i] == 30 + i && d[i] == 40 + i && e[i] == 50 + i &&
         f[i] == 60 + i && g[i] == 70 + i && h[i] == 80 + i;
  return ok;
}
GORT_NOINLINE void nothing() { FRAME; }

struct base {
  virtual ~base() = default;
  virtual long twice(long n) const = 0;
};
struct derived final : base {
  long k = 3;
  GORT_NOINLINE long twice(long n) const override {
    FRAME;
    return 2 * n * k;
  }
};

}  // namespace args

namespace {

__m128 quad(float x) { return _mm_set_ps(x + 3, x + 2, x + 1, x); }
__attribute__((target("avx"))) __m256 oct(float x) {
  return _mm256_set_ps(x + 7, x + 6, x + 5, x + 4, x + 3, x + 2, x + 1, x);
}

// A frame size, and what a function of it does.
template <int kb>
GORT_NOINLINE long largeFrame(long seed, int levels) {
  std::array<long, kb * 128> a;
  for (std::size_t i = 0; i < a.size(); i++) a[i] = seed + static_cast<long>(i);
  asm volatile("" : : "r"(a.data()) : "memory");
  long below = levels > 0 ? largeFrame<kb>(seed + 1, levels - 1) : 0;
  moveMyStack();
  asm volatile("" : : "r"(a.data()) : "memory");
  for (std::size_t i = 0; i < a.size(); i++) CHECK_GO(a[i] == seed + static_cast<long>(i));
  return below + a[1];
}

__attribute__((target("avx"))) void avxAcrossMove() {
  bool ok = false;
  __m256 a = oct(10), c = oct(30), d = oct(40), e = oct(50), f = oct(60), g = oct(70), h = oct(80);
  __m256d b = _mm256_set_pd(4.5, 3.5, 2.5, 1.5);
  MOVED(ok = args::avx(a, b, c, d, e, f, g, h));
  CHECK_GO(ok);
}

}  // namespace

GORT_TEST("integer arguments in registers and on the stack") {
  bool ok = false;
  MOVED(ok = args::ints(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12));
  CHECK_GO(ok);
}

GORT_TEST("floating-point arguments") {
  bool ok = false;
  MOVED(ok = args::doubles(1.5, 2.5, 3.5f, 4.5, 5.5, 6.5, 7.5f, 8.5, 9.5, 10.5, 11.5L));
  CHECK_GO(ok);
}

GORT_TEST("mixed arguments") {
  bool ok = false;
  std::string ten = "ten";
  MOVED(ok = args::mixed(1, 2.5, {3, 3.5}, (__int128(4) << 70) + 5, 5.5f, 6, 7, {8, 8.5}, 9.5L,
                         &ten));
  CHECK_GO(ok);
}

// The address where the result goes is an argument too, and comes back in rax.
GORT_TEST("large arguments and results") {
  args::large x, y;
  for (int i = 0; i < 40; i++) x.v[i] = i;
  MOVED(y = args::byvalue(x, 100));
  for (int i = 0; i < 40; i++) CHECK_GO(y.v[i] == i + 100 && x.v[i] == i);
}

GORT_TEST("references and addresses of locals") {
  long local = 1, *p = &local;
  std::string s = "a string that is too long for the small buffer";
  bool ok = false;
  MOVED(ok = args::references(local, s, p));
  CHECK_GO(ok && local >= 2 && p == &local);
}

// al holds the number of vector registers. The caller's own prologue asks for the callee's room.
GORT_TEST("variadic calls") {
  CHECK_GO(args::forward(0.5, 1.5, 2.5));
  CHECK_GO(args::variadic(0));
  char text[100];
  MOVED(args::format(text, sizeof text, 7, 2.25, "s"));
  CHECK_GO(std::string_view(text) == "7 2.25 s 7 2.25 7 2.25 7 2.25");
}

GORT_TEST("vector arguments") {
  bool ok = false;
  __m128 a = quad(1), d = quad(40), e = quad(50), f = quad(60), g = quad(70), h = quad(80);
  __m128d b = _mm_set_pd(6, 5);
  __m128i c = _mm_set_epi64x(8, 7);
  MOVED(ok = args::sse(a, b, c, d, e, f, g, h));
  CHECK_GO(ok);
  if (__builtin_cpu_supports("avx")) avxAcrossMove();
}

// What the caller keeps in them must come back, and an address of the stack moved with it.
GORT_TEST("callee-saved registers of the caller") {
  long local = 7;
  auto lo = stackbounds().lo;
  do {
    register std::uint64_t rbx asm("rbx") = 0x1111111111111111;
    register std::uint64_t r12 asm("r12") = 0x2222222222222222;
    register std::uint64_t r13 asm("r13") = 0x3333333333333333;
    register std::uint64_t r14 asm("r14") = 0x4444444444444444;
    register long* r15 asm("r15") = &local;
    void (*fn)() = args::nothing;
    moveStackOnNextCall();
    asm volatile("callq *%[fn]"
                 : "+r"(rbx), "+r"(r12), "+r"(r13), "+r"(r14), "+r"(r15), [fn] "+a"(fn)
                 :
                 : "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11", "memory", "cc");
    std::uint64_t sum = rbx + r12 + r13 + r14;
    long* p = r15;
    CHECK_GO(sum == 0xaaaaaaaaaaaaaaaa);
    CHECK_GO(p == &local && *p == 7);
  } while (stackbounds().lo == lo);
}

GORT_TEST("virtual calls and member functions") {
  args::derived d;
  args::base* b = &d;
  asm volatile("" : "+r"(b));
  long v = 0;
  MOVED(v = b->twice(7));
  CHECK_GO(v == 42);
}

GORT_TEST("large frames") {
  auto done = make_chan<bool>();
  go([=] {
    CHECK_GO(largeFrame<20>(5, 3) == 6 + 7 + 8 + 9);
    done.send(true);
  });
  go([=] {
    CHECK_GO(largeFrame<200>(5, 2) == 6 + 7 + 8);
    done.send(true);
  });
  done.recv();
  done.recv();
}
