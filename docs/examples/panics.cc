// defer, panic and recover. The last panic is not recovered: the program ends with status 2.
#include "runtime/go.h"

using namespace gort;

// Go's named result: a variable of the enclosing function that the deferred call may change.
int divide(int a, int b) {
  int result = 0;
  func([&](auto& defer) {
    defer([&] {
      if (any r = recover()) {
        println("recovered:", r);
        result = -1;
      }
    });
    if (b == 0) panic("division by zero");
    result = a / b;
  });
  return result;
}

void deferredInOrder() {
  func([&](auto& defer) {
    for (int i = 0; i < 3; i++) defer([i] { println("deferred", i); });
    println("body");
  });
}

void element(slice<int> s, int i) {
  func([&](auto& defer) {
    defer([&] {
      any r = recover();
      println("runtime error:", r.isRuntimeError(), r.Error());
    });
    println(s[i]);
  });
}

int main(int argc, char** argv) {
  return gort::Main(argc, argv, [] {
    println(divide(7, 2));
    println(divide(7, 0));
    deferredInOrder();
    element({1, 2, 3}, 5);
    func([](auto& defer) {
      defer([] { println("deferred calls run first"); });
      panic("nobody recovers this");
    });
  });
}
