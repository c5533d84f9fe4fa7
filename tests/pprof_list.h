// A list of known size, for profiles of the heap.
#pragma once

#include "tests/harness.h"

namespace gort::test {

struct Node {
  ptr<Node> next;
  char pad[1000];
};

GORT_NOINLINE inline ptr<Node> makeList(int n) {
  ptr<Node> head;
  for (int i = 0; i < n; i++) {
    ptr<Node> x = make<Node>();
    x->next = head;
    head = x;
  }
  return head;
}

}  // namespace gort::test
