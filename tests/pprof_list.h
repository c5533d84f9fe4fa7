// A list of known size, for profiles of the heap. Outside the namespaces of gort, whose functions
// profiles leave out where they stand between the program and the runtime: it is main.makeList there.
#pragma once

#include "tests/harness.h"

namespace {

struct Node {
  gort::ptr<Node> next;
  char pad[1000];
};

GORT_NOINLINE gort::ptr<Node> makeList(int n) {
  gort::ptr<Node> head;
  for (int i = 0; i < n; i++) {
    gort::ptr<Node> x = gort::make<Node>();
    x->next = head;
    head = x;
  }
  return head;
}

}  // namespace
