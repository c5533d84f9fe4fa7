// Whole programs out of goroutines and channels: Go's test/chan goroutines, sieve1, sieve2 and
// doubleselect.
#include <algorithm>
#include <functional>
#include <vector>

#include "tests/chan_wait.h"

using namespace gort;
using namespace gort::test;

namespace {

constexpr int kPrimes[] = {2,  3,  5,  7,  11, 13, 17, 19, 23, 29, 31, 37, 41,
                           43, 47, 53, 59, 61, 67, 71, 73, 79, 83, 89, 97};

void pass(chan<int> left, chan<int> right) { left.send(right.recv() + 1); }

}  // namespace

// A chain of ten thousand goroutines, each of which waits for its right neighbour. (TSan has room
// for 8,128.)
GORT_TEST("goroutines.go") {
  constexpr int n = runtime::raceenabled ? 8000 : 10000;
  auto leftmost = make_chan<int>();
  auto left = leftmost;
  chan<int> right;
  for (int i = 0; i < n; i++) {
    right = make_chan<int>();
    go(pass, left, right);
    left = right;
  }
  go([](chan<int> c) { c.send(1); }, right);
  CHECK_GO(leftmost.recv() == n + 1);
}

namespace sieve1 {

void generate(chan<int> out) {
  for (int i = 2;; i++) out.send(i);
}

void filter(chan<int> in, chan<int> out, int prime) {
  for (int i : in)
    if (i % prime != 0) out.send(i);
}

void sieve(chan<int> primes) {
  auto c = make_chan<int>();
  go(generate, c);
  for (;;) {
    int prime = c.recv();
    primes.send(prime);
    auto c1 = make_chan<int>();
    go(filter, c, c1, prime);
    c = c1;
  }
}

}  // namespace sieve1

GORT_TEST("sieve1.go") {
  auto primes = make_chan<int>();
  go(sieve1::sieve, primes);
  for (int p : kPrimes) CHECK_GO(primes.recv() == p);
}

// The faster sieve: composites come from one goroutine for each prime and are merged by a heap.
namespace sieve2 {

chan<int> odds() {
  auto out = make_chan<int>(50);
  go([out] {
    for (int n = 5;; n += 2) out.send(n);
  });
  return out;
}

chan<int> multiples(int p) {
  auto out = make_chan<int>(10);
  go([out, p] {
    for (int n = p * p;; n += 2 * p) out.send(n);
  });
  return out;
}

// A channel and the value that was taken from it already.
struct peekch {
  int head;
  chan<int> c;
  bool operator>(const peekch& o) const { return head > o.head; }
};

// A min-heap by head.
struct peekheap {
  std::vector<peekch> h;
  void push(peekch p) {
    h.push_back(p);
    std::push_heap(h.begin(), h.end(), std::greater<>());
  }
  // Replaces the smallest head by its channel's next value; returns the smallest head.
  int next() {
    std::pop_heap(h.begin(), h.end(), std::greater<>());
    peekch p = h.back();
    h.pop_back();
    int head = p.head;
    p.head = p.c.recv();
    push(p);
    return head;
  }
};

// A channel into out that never blocks for long: what out does not take is kept in between.
chan<int> sendproxy(chan<int> out) {
  auto proxy = make_chan<int>(10);
  go([proxy, out] {
    std::vector<int> queue;
    std::size_t first = 0;
    for (;;) {
      bool any = first < queue.size();
      int e = any ? queue[first] : 0;
      int in = 0;
      switch (select(recv_case(proxy, in), send_case(any ? out : chan<int>{}, e))) {
        case 0:
          if (first == queue.size()) {
            queue.clear();
            first = 0;
          }
          queue.push_back(in);
          break;
        default:
          first++;
      }
    }
  });
  return proxy;
}

void merge(chan<int> primes, chan<int> composites) {
  peekheap h;
  int min = 15;
  for (;;) {
    auto m = multiples(primes.recv());
    int head = m.recv();
    while (min < head) {
      composites.send(min);
      min = h.next();
    }
    while (min == head) min = h.next();
    composites.send(head);
    h.push({m.recv(), m});
  }
}

void sift(chan<int> primes, chan<int> composites, chan<int> out) {
  // Primes are needed only up to the root of the candidate: without the proxy's unlimited buffer
  // this goroutine would wait for the merger, and that for this one.
  auto proxy = sendproxy(primes);
  auto candidates = odds();
  int p = candidates.recv();
  for (;;) {
    int c = composites.recv();
    while (p < c) {
      proxy.send(p);
      out.send(p);
      p = candidates.recv();
    }
    if (p == c) p = candidates.recv();
  }
}

chan<int> sieve() {
  auto out = make_chan<int>(10);
  out.send(2);
  out.send(3);
  auto composites = make_chan<int>(50);
  auto primes = make_chan<int>(10);
  primes.send(3);
  go(merge, primes, composites);
  go(sift, primes, composites, out);
  return out;
}

}  // namespace sieve2

GORT_TEST("sieve2.go") {
  auto primes = sieve2::sieve();
  for (int p : kPrimes) CHECK_GO(primes.recv() == p);
  int n = static_cast<int>(std::size(kPrimes)), last = 97;
  while (n < 300) {
    int p = primes.recv();
    CHECK_GO(p > last);
    last = p;
    n++;
  }
  CHECK_GO(last == 1987);
}

// Four partners want the same select at once: one of them gets each value.
GORT_TEST("doubleselect.go") {
  constexpr int n = runtime::raceenabled ? 4000 : 100000;
  std::array<chan<int>, 4> c{make_chan<int>(), make_chan<int>(), make_chan<int>(),
                             make_chan<int>()};
  auto mux = make_chan<int>();
  auto done = make_chan<bool>();
  go([=] {
    for (int i = 0; i < n; i++)
      select(send_case(c[0], i), send_case(c[1], i), send_case(c[2], i), send_case(c[3], i));
    for (auto& ci : c) ci.close();
  });
  for (auto& ci : c)
    go([=] {
      for (int v : ci) mux.send(v);
      done.send(true);
    });
  go([=] {
    for (int i = 0; i < 4; i++) done.recv();
    mux.close();
  });
  std::vector<char> seen(n);
  int total = 0;
  for (int v : mux) {
    CHECK_GO(!seen[static_cast<std::size_t>(v)]);
    seen[static_cast<std::size_t>(v)] = 1;
    total++;
  }
  CHECK_GO(total == n);
}
