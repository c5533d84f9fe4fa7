// A program as it is shipped, without points.

#include "runtime/go.h"

int main(int argc, char** argv) {
  return gort::Main(argc, argv, [] { gort::println("hello"); });
}
