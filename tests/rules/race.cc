// Two threads write one word: exit status 66 with a report in mode tsan, else 0.

#include <cstdio>
#include <thread>

#include "tests/rules/fake.h"

namespace {
int raced = 0;
void write_raced() { raced++; }
}  // namespace

int main() {
  std::thread first(write_raced);
  std::thread second(write_raced);
  first.join();
  second.join();
  std::printf("checked: %d, points: %d\n", fake::kChecked, fake::kPoints);
  return 0;
}
