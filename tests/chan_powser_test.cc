// Go's test/chan/powser1.go and powser2.go: thousands of goroutines that are asked for exact rational
// coefficients.
#include <initializer_list>

#include "tests/chan_powser.h"
#include "tests/harness.h"

using namespace gort;
using namespace gort::test;
using namespace gort::test::powser;

namespace {

void check(PS U, std::initializer_list<rat> want) {
  for (rat r : want) {
    rat got = get(U);
    if (!(got == r)) println("got ", got.num, "/", got.den, " want ", r.num, "/", r.den);
    CHECK_GO(got == r);
  }
}
void checkAll(PS U, rat c, int n) {
  for (int i = 0; i < n; i++) check(U, {c});
}
PS ones() { return Rep(one); }
PS twos() { return Rep(itor(2)); }
// 1 - x^2 + x^4 - ..., the derivative of arctan.
PS datan() { return MonSubst(ones(), neg(one), 2); }

}  // namespace

GORT_TEST("powser1.go Ones, Add, Sub, Cmul") {
  checkAll(ones(), one, 5);
  checkAll(Add(ones(), ones()), itor(2), 10);
  checkAll(Add(ones(), twos()), itor(3), 10);
  checkAll(Cmul(neg(one), twos()), itor(-2), 10);
  checkAll(Sub(ones(), twos()), itor(-1), 10);
  check(Add(Mon(one, 2), Mon(itor(5), 0)), {itor(5), zero, one, finis});
}

GORT_TEST("powser1.go Diff, Integ, Mul") {
  PS d = Diff(ones()), in = Integ(zero, ones()), m = Mul(ones(), ones());
  check(in, {zero});
  for (int i = 1; i <= 10; i++) {
    check(d, {itor(i)});
    check(m, {itor(i)});
    check(in, {i2tor(1, i)});
  }
}

GORT_TEST("powser1.go Exp") {
  check(Exp(ones()),
        {one, one, i2tor(3, 2), i2tor(13, 6), i2tor(73, 24), i2tor(167, 40), i2tor(4051, 720),
         i2tor(37633, 5040), i2tor(43817, 4480), i2tor(4596553, 362880)});
}

GORT_TEST("powser1.go ATan") {
  PS at = Integ(zero, datan());
  for (int i = 0, c = 1; i < 10; i++) {
    check(at, {i % 2 == 0 ? zero : i2tor(c, i)});
    if (i % 2 != 0) c = -c;
  }
}

// In powser2 it is a test that is left out, because the program's Revert does not exist.
GORT_TEST("powser2.go Tan: the reverse of ATan") {
  check(Revert(Integ(zero, datan())),
        {zero, one, zero, i2tor(1, 3), zero, i2tor(2, 15), zero, i2tor(17, 315)});
}

GORT_TEST("powser1.go Binom, Recip, Subst, Monmul, Poly") {
  check(Binom(itor(4)), {one, itor(4), itor(6), itor(4), one, finis});
  check(Recip(Poly({one, itor(-1)})), {one, one, one, one, one, one});
  // 1/(1-x) at x/(1-x) is 1 + x + 2x^2 + 4x^3 + ...
  check(Subst(ones(), Shift(zero, ones())), {one, one, itor(2), itor(4), itor(8), itor(16)});
  check(Monmul(Poly({one, itor(2), zero}), 2), {zero, zero, one, itor(2), finis});
  CHECK_GO(eval(i2tor(1, 2), ones(), 5) == i2tor(31, 16));
  CHECK_GO(eval(itor(2), Poly({one, one, one}), 10) == itor(7));
}

// Both readers see all of the series, whoever is ahead.
GORT_TEST("powser1.go Split") {
  dch2 s = Split(Integ(zero, ones()));
  std::array<PS, 2> r{s.out[0], s.out[1]};
  std::array<int, 2> at{0, 0};
  for (std::size_t who : {0, 0, 0, 1, 1, 0, 1, 1, 1, 1, 0, 1, 0, 0, 1, 0}) {
    int i = at[who]++;
    check(r[who], {i == 0 ? zero : i2tor(1, i)});
  }
  CHECK_GO(at[0] == 8 && at[1] == 8);
}
