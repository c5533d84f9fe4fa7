#include "print.h"

#include "os_linux.h"
#include "point.h"
#include "stubs.h"
#include "symtab.h"

namespace gort::runtime {

mutex debuglock;

namespace {

// Where beginwritebuf sends the output of one g. Protected by debuglock; owner is also read by
// other printers, who hold debuglock too and so see null or a g that is not theirs.
struct {
  g* owner;
  char* p;
  uintptr n;
  uintptr cap;
} writebuf;

// Least number of digits that printhex shows. Protected by debuglock.
int minhexdigits;

// A thread without a g, or one so early that its g has no m, prints without the lock.
m* printm() {
  g* gp = getg();
  return gp == nullptr ? nullptr : static_cast<m*>(gp->m);
}

}  // namespace

void printlock() {
  m* mp = printm();
  if (mp == nullptr) return;
  mp->locks++;  // no rescheduling between the count and the lock
  mp->printlock++;
  POINT(printlock_counted);
  if (mp->printlock == 1) lock(&debuglock);
  mp->locks--;  // debuglock itself holds mp.locks up from here
}

void printunlock() {
  m* mp = printm();
  if (mp == nullptr) return;
  mp->printlock--;
  if (mp->printlock == 0) unlock(&debuglock);
}

void gwrite(const char* p, uintptr n) {
  if (n == 0) return;
  g* gp = getg();
  // A dying M's words belong in the terminal, not in somebody's buffer.
  if (gp == nullptr || writebuf.owner != gp || gp->m->dying > 0) {
    write(2, p, n);
    return;
  }
  uintptr room = writebuf.cap - writebuf.n;
  if (n > room) n = room;
  memmove(writebuf.p + writebuf.n, p, n);
  writebuf.n += n;
}

void beginwritebuf(char* buf, uintptr n) {
  printlock();
  writebuf.p = buf;
  writebuf.n = 0;
  writebuf.cap = n;
  writebuf.owner = getg();
}

uintptr endwritebuf() {
  uintptr n = writebuf.n;
  writebuf.owner = nullptr;
  writebuf.p = nullptr;
  printunlock();
  return n;
}

void printsp() { gwrite(" ", 1); }
void printnl() { gwrite("\n", 1); }

void printstring(const char* p, uintptr n) { gwrite(p, n); }

void printcstring(const char* s) {
  if (s == nullptr) return;
  uintptr n = 0;
  while (s[n] != 0) n++;
  gwrite(s, n);
}

void printbool(bool v) {
  if (v)
    gwrite("true", 4);
  else
    gwrite("false", 5);
}

void printuint(std::uint64_t v) {
  char buf[20];
  uintptr i = sizeof buf;
  do {
    buf[--i] = static_cast<char>('0' + v % 10);
    v /= 10;
  } while (v != 0);
  gwrite(buf + i, sizeof buf - i);
}

void printint(std::int64_t v) {
  if (v < 0) {
    gwrite("-", 1);
    printuint(~static_cast<std::uint64_t>(v) + 1);
    return;
  }
  printuint(static_cast<std::uint64_t>(v));
}

void printhex(std::uint64_t v) {
  char buf[18];
  uintptr i = sizeof buf;
  int digits = 0;
  do {
    buf[--i] = "0123456789abcdef"[v % 16];
    v /= 16;
    digits++;
  } while (v != 0 || digits < minhexdigits);
  buf[--i] = 'x';
  buf[--i] = '0';
  gwrite(buf + i, sizeof buf - i);
}

void printpointer(const void* p) { printhex(reinterpret_cast<std::uint64_t>(p)); }

void printslice(const void* p, uintptr len, uintptr cap) {
  gwrite("[", 1);
  printuint(len);
  gwrite("/", 1);
  printuint(cap);
  gwrite("]", 1);
  printpointer(p);
}

// Seven digits, scientific, with a sign and a three-digit exponent always.
void printfloat(double v) {
  if (v != v) return gwrite("NaN", 3);
  if (v + v == v && v > 0) return gwrite("+Inf", 4);
  if (v + v == v && v < 0) return gwrite("-Inf", 4);

  constexpr int digits = 7;
  char buf[digits + 7];
  bool negative = __builtin_signbit(v);
  if (negative) v = -v;
  int e = 0;
  if (v != 0) {
    for (; v >= 10; v /= 10) e++;
    for (; v < 1; v *= 10) e--;
    // Half a unit of the last digit rounds; it may carry into a new first digit.
    v += 5e-7;
    if (v >= 10) {
      e++;
      v /= 10;
    }
  }
  uintptr i = 0;
  buf[i++] = negative ? '-' : '+';
  for (int d = 0; d < digits; d++) {
    int s = static_cast<int>(v);
    buf[i++] = static_cast<char>('0' + s);
    if (d == 0) buf[i++] = '.';
    v = (v - s) * 10;
  }
  buf[i++] = 'e';
  buf[i++] = e < 0 ? '-' : '+';
  if (e < 0) e = -e;
  buf[i++] = static_cast<char>('0' + e / 100);
  buf[i++] = static_cast<char>('0' + e / 10 % 10);
  buf[i++] = static_cast<char>('0' + e % 10);
  gwrite(buf, i);
}

// Symbols are looked up on the system stack, so this runs there too.
void hexdumpWords(uintptr p, uintptr end, char (*mark)(uintptr, void*), void* arg) {
  printlock();
  for (uintptr i = 0; p + i < end; i += sys::PtrSize) {
    minhexdigits = 16;
    if (i % 16 == 0) {
      if (i != 0) printnl();
      printhex(p + i);
      gwrite(": ", 2);
    }
    char c = mark == nullptr ? char(0) : mark(p + i, arg);
    if (c == 0) c = ' ';
    gwrite(&c, 1);
    uintptr val = *reinterpret_cast<uintptr*>(p + i);
    printhex(val);
    gwrite(" ", 1);
    minhexdigits = 0;
    funcInfo fn = findfunc(val);
    if (fn.valid()) print("<", funcname(fn), "+", hex(val - fn.entry), "> ");
  }
  minhexdigits = 0;
  printnl();
  printunlock();
}

}  // namespace gort::runtime
