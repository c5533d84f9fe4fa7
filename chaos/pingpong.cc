// Two goroutines that pass a number to and fro, to try injections on:
//   CHAOS='gopark_before_mcall=1%delay(1000)' ./bazelw run //chaos:pingpong

#include "runtime/go.h"

using namespace gort;

namespace {

constexpr int kRounds = 1000;

void pong(chan<int> in, chan<int> out) {
  for (int v : in) out.send(v + 1);
  out.close();
}

}  // namespace

int main(int argc, char** argv) {
  return Main(argc, argv, [] {
    auto there = make_chan<int>();
    auto back = make_chan<int>();
    go(pong, there, back);
    int v = 0;
    for (int i = 0; i < kRounds; i++) {
      there.send(v);
      v = back.recv();
    }
    there.close();
    println("passed to and fro", v, "times");
  });
}
