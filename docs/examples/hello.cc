// Goroutines and channels: squares of the numbers that come in.
#include "runtime/go.h"

using namespace gort;

void square(chan<int> in, chan<int> out) {
  for (int v : in) out.send(v * v);  // until in is closed and drained
  out.close();
}

int main(int argc, char** argv) {
  return gort::Main(argc, argv, [] {
    println("hello, world");
    auto in = make_chan<int>();
    auto out = make_chan<int>(4);
    go(square, in, out);
    go([in] {
      for (int i = 0; i < 10; i++) in.send(i);
      in.close();
    });
    for (int v : out) println(v);
  });
}
