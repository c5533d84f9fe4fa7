#include "chaos/explore/frozen.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cinttypes>
#include <cstdint>
#include <cstdio>

namespace gort::chaos {

namespace {

struct Mapping {
  char* begin;
  std::size_t size;
};

constexpr int kMaxMappings = 256;

// Those that can be read and written, are private, and belong to no file, stack or heap.
int Find(std::size_t least, Mapping* found) {
  std::FILE* maps = std::fopen("/proc/self/maps", "re");
  if (maps == nullptr) return 0;
  int n = 0;
  char line[512];
  while (n < kMaxMappings && std::fgets(line, sizeof line, maps) != nullptr) {
    std::uintptr_t begin, end;
    char rights[5], name[2] = "";
    unsigned long inode;
    if (std::sscanf(line, "%" SCNxPTR "-%" SCNxPTR " %4s %*s %*s %lu %1s", &begin, &end, rights,
                    &inode, name) < 4)
      continue;
    if (rights[0] != 'r' || rights[1] != 'w' || rights[3] != 'p' || inode != 0 || name[0] != 0)
      continue;
    if (end - begin >= least) found[n++] = {reinterpret_cast<char*>(begin), end - begin};
  }
  std::fclose(maps);
  return n;
}

bool WriteAll(int fd, const char* from, std::size_t n) {
  while (n > 0) {
    const ssize_t written = write(fd, from, n);
    if (written <= 0) return false;
    from += written;
    n -= static_cast<std::size_t>(written);
  }
  return true;
}

}  // namespace

void FreezeMemory(std::size_t least) {
  // A limit on the size of files leaves memory as it is.
  struct sigaction ignore = {}, before;
  ignore.sa_handler = SIG_IGN;
  sigaction(SIGXFSZ, &ignore, &before);
  static Mapping mappings[kMaxMappings];
  const int n = Find(least, mappings);
  const int fd = memfd_create("gort-frozen", MFD_CLOEXEC);
  off_t at = 0;
  for (int i = 0; fd >= 0 && i < n; i++) {
    const Mapping& m = mappings[i];
    if (lseek(fd, at, SEEK_SET) != at || !WriteAll(fd, m.begin, m.size)) break;
    if (mmap(m.begin, m.size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_FIXED, fd, at) ==
        MAP_FAILED)
      break;
    at += static_cast<off_t>(m.size);
  }
  if (fd >= 0) close(fd);
  sigaction(SIGXFSZ, &before, nullptr);
}

}  // namespace gort::chaos
