// select with time-outs, a default case and a nil channel.
#include "runtime/go.h"

using namespace gort;

// The value, or -1 if it does not come within d.
int recvWithin(chan<int> c, time::Duration d) {
  int v = 0;
  switch (select(recv_case(c, v), recv_case(time::After(d)))) {
    case 0:
      return v;
    default:
      return -1;
  }
}

int main(int argc, char** argv) {
  return gort::Main(argc, argv, [] {
    auto c = make_chan<int>(1);
    println("nobody sends:", recvWithin(c, 10 * time::Millisecond));
    c.send(7);
    println("a value waits:", recvWithin(c, time::Hour));

    // Neither blocks: the buffer has room for one.
    for (int i = 0; i < 2; i++) {
      bool sent = select(send_case(c, i), default_case) == 0;
      println("sent", i, sent);
    }

    // A merge of two channels; a nil channel's case is never taken, so a closed one is set to nil.
    auto a = make_chan<int>(), b = make_chan<int>();
    go([a] { a.send(1), a.send(2), a.close(); });
    go([b] { b.send(10), b.close(); });
    int sum = 0;
    while (a || b) {
      int v = 0;
      bool ok = false;
      int i = select(recv_case(a, v, ok), recv_case(b, v, ok));
      if (ok)
        sum += v;
      else if (i == 0)
        a = nullptr;
      else
        b = nullptr;
    }
    println("merged:", sum);

    auto* ticker = time::NewTicker(time::Millisecond);
    for (int i = 1; i <= 3; i++) {
      ticker->C.recv();
      println("tick", i);
    }
    ticker->Stop();
  });
}
