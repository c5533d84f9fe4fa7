// A value goes from channel to channel, and is in one of them, or in both, at each moment; somebody selects on all
// of them, and takes it out and puts it back: there is always something to take.
#include "runtime/go.h"

using namespace gort;

namespace {

constexpr int kMoves = 6;
constexpr int kLooks = 12;

void moves(chan<int> from, chan<int> to, chan<int> done) {
  for (int i = 0; i < kMoves; i++) {
    to.send(i);
    from.recv();
    from.send(i);
    to.recv();
  }
  done.send(0);
}

void looks(chan<int> one, chan<int> other, chan<int> done) {
  for (int i = 0; i < kLooks; i++) {
    int v;
    switch (select(recv_case(one, v), recv_case(other, v), default_case)) {
      case 0:
        one.send(v);
        break;
      case 1:
        other.send(v);
        break;
      default:
        panic("select has taken the default while there was a value all the time");
    }
  }
  done.send(0);
}

}  // namespace

int main(int argc, char** argv) {
  return gort::Main(argc, argv, [] {
    auto one = make_chan<int>(2), other = make_chan<int>(2);
    auto done = make_chan<int>(2);
    one.send(0);
    go(moves, one, other, done);
    go(looks, one, other, done);
    for (int i = 0; i < 2; i++) done.recv();
  });
}
