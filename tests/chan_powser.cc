#include "tests/chan_powser.h"

#include <atomic>
#include <numeric>

namespace gort::test::powser {

// ---- rationals ----

rat i2tor(std::int64_t u, std::int64_t v) {
  std::int64_t g = std::gcd(u, v);
  return v > 0 ? rat{u / g, v / g} : rat{-u / g, -v / g};
}

rat add(rat u, rat v) {
  std::int64_t g = std::gcd(u.den, v.den);
  return i2tor(u.num * (v.den / g) + v.num * (u.den / g), u.den * (v.den / g));
}

rat mul(rat u, rat v) {
  std::int64_t g1 = std::gcd(u.num, v.den);
  std::int64_t g2 = std::gcd(u.den, v.num);
  if (g1 == 0) g1 = 1;
  if (g2 == 0) g2 = 1;
  return {(u.num / g1) * (v.num / g2), (u.den / g2) * (v.den / g1)};
}

rat neg(rat u) { return {-u.num, u.den}; }

rat inv(rat u) {
  if (u.num == 0) panic("zero divide in inv");
  return i2tor(u.den, u.num);
}

// ---- demand channels ----

namespace {

// The serial number of a request is never looked at; as in Go's program each has its own.
std::atomic<int> seqno{0};
int nextseq() { return seqno.fetch_add(1, std::memory_order_relaxed) + 1; }

std::array<rat, 2> get2(PS in0, PS in1) {
  std::array<PS, 2> in{in0, in1};
  std::array<chan<int>, 2> req{in0->req, in1->req};
  std::array<chan<rat>, 2> dat;
  std::array<rat, 2> out;
  for (int n = 4; n > 0; n--) {
    int seq = nextseq();
    rat it;
    int k = select(send_case(req[0], seq), send_case(req[1], seq), recv_case(dat[0], it),
                   recv_case(dat[1], it));
    auto i = static_cast<std::size_t>(k % 2);
    if (k < 2) {
      req[i] = nullptr;
      dat[i] = in[i]->dat;
    } else {
      out[i] = it;
      dat[i] = nullptr;
    }
  }
  return out;
}

[[noreturn]] void copy(PS in, PS out) {
  for (;;) {
    out->req.recv();
    out->dat.send(get(in));
  }
}

// One generation of a split. It serves out[0] until it has been asked; then it makes the next
// generation, which serves out[0] from there, and itself goes on to give the same value to out[1],
// once wait says that all older generations have done so.
void dosplit(PS in, dch2 to, chan<int> wait) {
  auto& out = to.out;
  bool both = false;
  if (select(recv_case(out[0]->req), recv_case(wait)) == 1) {
    both = true;
    if (select(recv_case(out[0]->req), recv_case(out[1]->req)) == 1) std::swap(out[0], out[1]);
  }
  in->req.send(nextseq());
  auto release = make_chan<int>();
  go(dosplit, in, to, release);
  rat dat = in->dat.recv();
  out[0]->dat.send(dat);
  if (!both) wait.recv();
  out[1]->req.recv();
  out[1]->dat.send(dat);
  release.send(0);
}

void split(PS in, dch2 out) {
  auto release = make_chan<int>();
  go(dosplit, in, out, release);
  release.send(0);
}

dch2 mkPS2() { return {{mkPS(), mkPS()}}; }

// Starts f(Z, args...), the generator of a new series Z.
template <class F, class... A>
PS generate(F f, A... args) {
  PS Z = mkPS();
  go(f, Z, args...);
  return Z;
}

}  // namespace

PS mkPS() { return make<dch>(); }

rat get(PS in) {
  in->req.send(nextseq());
  return in->dat.recv();
}

void put(rat dat, PS out) {
  out->req.recv();
  out->dat.send(dat);
}

dch2 Split(PS U) {
  dch2 UU = mkPS2();
  go(split, U, UU);
  return UU;
}

// ---- series ----

PS Rep(rat c) {
  return generate(
      [](PS Z, rat c) {
        for (;;) put(c, Z);
      },
      c);
}

PS Mon(rat c, int n) {
  return generate(
      [](PS Z, rat c, int n) {
        if (c.num != 0) {
          for (; n > 0; n--) put(zero, Z);
          put(c, Z);
        }
        put(finis, Z);
      },
      c, n);
}

PS Poly(const slice<rat>& a) {
  return generate(
      [](PS Z, slice<rat> a) {
        std::int64_t n = len(a);
        while (n > 0 && a[n - 1].num == 0) n--;
        for (std::int64_t i = 0; i < n; i++) put(a[i], Z);
        put(finis, Z);
      },
      a);
}

PS Add(PS U, PS V) {
  return generate(
      [](PS Z, PS U, PS V) {
        for (;;) {
          Z->req.recv();
          auto [u, v] = get2(U, V);
          if (u.end() && v.end()) {
            Z->dat.send(finis);
          } else if (u.end()) {
            Z->dat.send(v);
            copy(V, Z);
          } else if (v.end()) {
            Z->dat.send(u);
            copy(U, Z);
          } else {
            Z->dat.send(add(u, v));
          }
        }
      },
      U, V);
}

PS Cmul(rat c, PS U) {
  return generate(
      [](PS Z, rat c, PS U) {
        for (;;) {
          Z->req.recv();
          rat u = get(U);
          if (u.end()) break;
          Z->dat.send(mul(c, u));
        }
        Z->dat.send(finis);
      },
      c, U);
}

PS Sub(PS U, PS V) { return Add(U, Cmul(neg(one), V)); }

PS Monmul(PS U, int n) {
  return generate(
      [](PS Z, PS U, int n) {
        for (; n > 0; n--) put(zero, Z);
        copy(U, Z);
      },
      U, n);
}

PS Shift(rat c, PS U) {
  return generate(
      [](PS Z, rat c, PS U) {
        put(c, Z);
        copy(U, Z);
      },
      c, U);
}

// With U = u + x*UU and V = v + x*VV: UV = u*v + x*(u*VV + v*UU) + x*x*UU*VV.
PS Mul(PS U, PS V) {
  return generate(
      [](PS Z, PS U, PS V) {
        Z->req.recv();
        auto [u, v] = get2(U, V);
        if (u.end() || v.end()) {
          Z->dat.send(finis);
          return;
        }
        Z->dat.send(mul(u, v));
        dch2 UU = Split(U);
        dch2 VV = Split(V);
        PS W = Add(Cmul(u, VV.out[0]), Cmul(v, UU.out[0]));
        Z->req.recv();
        Z->dat.send(get(W));
        copy(Add(W, Mul(UU.out[1], VV.out[1])), Z);
      },
      U, V);
}

PS Diff(PS U) {
  return generate(
      [](PS Z, PS U) {
        Z->req.recv();
        if (!get(U).end()) {
          for (int i = 1;; i++) {
            rat u = get(U);
            if (u.end()) break;
            Z->dat.send(mul(itor(i), u));
            Z->req.recv();
          }
        }
        Z->dat.send(finis);
      },
      U);
}

PS Integ(rat c, PS U) {
  return generate(
      [](PS Z, rat c, PS U) {
        put(c, Z);
        for (int i = 1;; i++) {
          Z->req.recv();
          rat u = get(U);
          if (u.end()) break;
          Z->dat.send(mul(i2tor(1, i), u));
        }
        Z->dat.send(finis);
      },
      c, U);
}

PS Binom(rat c) {
  return generate(
      [](PS Z, rat c) {
        rat t = one;
        for (int n = 1; c.num != 0; n++) {
          put(t, Z);
          t = mul(mul(t, c), i2tor(1, n));
          c = sub(c, one);
        }
        put(t, Z);
        put(finis, Z);
      },
      c);
}

// With U = u + x*UU and Z = z + x*ZZ, UZ = 1: z = 1/u and ZZ = -UU*(z + x*ZZ)/u.
PS Recip(PS U) {
  return generate(
      [](PS Z, PS U) {
        dch2 ZZ = mkPS2();
        PS tail = ZZ.out[1];
        Z->req.recv();
        rat z = inv(get(U));
        Z->dat.send(z);
        split(Mul(Cmul(neg(z), U), Shift(z, ZZ.out[0])), ZZ);
        copy(tail, Z);
      },
      U);
}

// Z = exp(U) has Z' = Z*U'.
PS Exp(PS U) {
  dch2 ZZ = mkPS2();
  PS Z = ZZ.out[1];
  split(Integ(one, Mul(ZZ.out[0], Diff(U))), ZZ);
  return Z;
}

// With U = u + x*UU and V = x*VV: U(V) = u + x*VV*UU(V).
PS Subst(PS U, PS V) {
  return generate(
      [](PS Z, PS U, PS V) {
        dch2 VV = Split(V);
        Z->req.recv();
        rat u = get(U);
        Z->dat.send(u);
        if (u.end()) return;
        if (get(VV.out[0]).end())
          put(finis, Z);
        else
          copy(Mul(VV.out[0], Subst(U, VV.out[1])), Z);
      },
      U, V);
}

PS MonSubst(PS U, rat c0, int n) {
  return generate(
      [](PS Z, PS U, rat c0, int n) {
        for (rat c = one;; c = mul(c, c0)) {
          Z->req.recv();
          rat u = get(U);
          if (u.end()) break;
          Z->dat.send(mul(u, c));
          for (int i = 1; i < n; i++) put(zero, Z);
        }
        Z->dat.send(finis);
      },
      U, c0, n);
}

// With U = x*UU and R its reverse: R(U) = x means R = x*RR with RR = 1/UU(R).
PS Revert(PS U) {
  return generate(
      [](PS Z, PS U) {
        dch2 RR = mkPS2();
        PS head = RR.out[0], result = RR.out[1];
        get(U);
        split(Recip(Subst(U, Shift(zero, head))), RR);
        put(zero, Z);
        copy(result, Z);
      },
      U);
}

rat eval(rat c, PS U, int n) {
  if (n == 0) return zero;
  rat y = get(U);
  if (y.end()) return zero;
  return add(y, mul(c, eval(c, U, n - 1)));
}

}  // namespace gort::test::powser
