// Power series as channels, after Doug McIlroy («Squinting at Power Series») and Go's
// test/chan/powser1.go: a series is a goroutine that gives one rational coefficient for each request.
//
// Conventions: U, V: series that are read. Z: the result. A denominator of 0 ends a series.
#pragma once

#include <array>
#include <cstdint>

#include "runtime/go.h"

namespace gort::test::powser {

struct rat {
  std::int64_t num = 0;
  std::int64_t den = 0;
  bool operator==(const rat&) const = default;
  bool end() const { return den == 0; }
};

rat i2tor(std::int64_t u, std::int64_t v);
inline rat itor(std::int64_t u) { return i2tor(u, 1); }
rat add(rat u, rat v);
rat mul(rat u, rat v);
rat neg(rat u);
inline rat sub(rat u, rat v) { return add(u, neg(v)); }
rat inv(rat u);

inline constexpr rat zero{0, 1};
inline constexpr rat one{1, 1};
inline constexpr rat finis{1, 0};

// A demand channel: a coefficient is made when it is asked for.
struct dch {
  chan<int> req = make_chan<int>();
  chan<rat> dat = make_chan<rat>();
};
using PS = dch*;
struct dch2 {
  std::array<ptr<dch>, 2> out;
};

PS mkPS();
rat get(PS in);
void put(rat dat, PS out);

// Two readers of one series, at different speeds.
dch2 Split(PS U);

PS Rep(rat c);  // c c c ...
PS Mon(rat c, int n);  // c*x^n
PS Poly(const slice<rat>& a);
PS Add(PS U, PS V);
PS Sub(PS U, PS V);
PS Cmul(rat c, PS U);
PS Monmul(PS U, int n);  // U * x^n
PS Shift(rat c, PS U);  // c + x*U
PS Mul(PS U, PS V);
PS Diff(PS U);
PS Integ(rat c, PS U);
PS Binom(rat c);  // (1+x)^c
PS Recip(PS U);
PS Exp(PS U);  // U's constant term is taken to be 0
PS Subst(PS U, PS V);  // U(V); V's constant term is taken to be 0
PS MonSubst(PS U, rat c0, int n);  // U(c0 * x^n)
PS Revert(PS U);  // the V with V(U) = x; U's constant term is taken to be 0
rat eval(rat c, PS U, int n);  // n terms of U at x = c

}  // namespace gort::test::powser
