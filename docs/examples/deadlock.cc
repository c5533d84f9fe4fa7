// A deadlock, and the report that ends the process: the sender waits for a receiver that waits for
// the lock that the sender holds.
#include "runtime/go.h"

using namespace gort;

sync::Mutex mu;

void receiver(chan<int> c) {
  mu.Lock();
  println(c.recv());
  mu.Unlock();
}

int main(int argc, char** argv) {
  return gort::Main(argc, argv, [] {
    auto c = make_chan<int>();
    mu.Lock();
    go(receiver, c);
    c.send(1);
    mu.Unlock();
  });
}
