// The prime sieve: a chain of goroutines, one for each prime found, each of which passes on the
// numbers that its prime does not divide.
#include "runtime/go.h"

using namespace gort;

void generate(chan<int> out) {
  for (int i = 2;; i++) out.send(i);
}

void filter(chan<int> in, chan<int> out, int prime) {
  for (;;) {
    int i = in.recv();
    if (i % prime != 0) out.send(i);
  }
}

int main(int argc, char** argv) {
  return gort::Main(argc, argv, [] {
    auto numbers = make_chan<int>();
    go(generate, numbers);
    for (int i = 0; i < 20; i++) {
      int prime = numbers.recv();
      print(prime, i % 10 == 9 ? "\n" : " ");
      auto rest = make_chan<int>();
      go(filter, numbers, rest, prime);
      numbers = rest;
    }
  });  // the goroutines that still wait end with the process
}
