// Built from the same source against the runtime as it is, against the one that unfix.patch was
// applied to, and against one with the source part of that patch only. The arguments are what header
// and source must say. The rest of the runtime is in each of them.

#include <cstdio>
#include <cstring>

#include "tests/rules/fake.h"

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  std::printf("wanted %s, %s; header says %s, source says %s\n", argv[1], argv[2], fake::kHeader,
              fake::Source());
  const bool same =
      std::strcmp(fake::kHeader, argv[1]) == 0 && std::strcmp(fake::Source(), argv[2]) == 0;
  return same && fake::fakeAsmTsan == fake::kTsan ? 0 : 1;
}
