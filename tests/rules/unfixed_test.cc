// Built twice from the same source: against the runtime as it is and against the one that
// unfix.patch was applied to. The first argument is what both its header and its source must say.

#include <cstdio>
#include <cstring>

#include "tests/rules/fake.h"

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  std::printf("wanted %s; header says %s, source says %s\n", argv[1], fake::kHeader,
              fake::Source());
  const bool same =
      std::strcmp(fake::kHeader, argv[1]) == 0 && std::strcmp(fake::Source(), argv[1]) == 0;
  return same ? 0 : 1;
}
