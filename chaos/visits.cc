#include "chaos/visits.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>

#include "chaos/actions.h"
#include "chaos/script.h"
#include "runtime/os_linux.h"

namespace gort::chaos {

namespace {

struct PointVisits {
  std::atomic<std::int64_t> count;
  // The first thread that came here, and whether there was another one; thread ids are never 0.
  std::atomic<std::int32_t> first;
  std::atomic<bool> several;
  std::atomic<std::uint64_t> newest;  // number of the newest visit, 0 for none
};
constinit PointVisits visits[kPointCount];

// The file of ShareVisits, null for none. Constant after it.
std::atomic<std::int64_t>* shared;

// The newest visits. An entry is its number, counted from 1, the M and the point in one word, so
// that a reader sees all of one visit or none.
constexpr std::uint64_t kRing = 1024;
std::atomic<std::uint64_t> ring[kRing];
std::atomic<std::uint64_t> recorded;

std::uint64_t Pack(std::uint64_t number, std::int64_t m, Point p) {
  return number << 32 | (static_cast<std::uint64_t>(m) & 0xffff) << 16 |
         static_cast<std::uint64_t>(p);
}

}  // namespace

std::uint64_t RecordVisit(Point p) {
  const runtime::m* mp = CurrentM();
  const std::uint64_t number = recorded.fetch_add(1) + 1;
  ring[number % kRing].store(Pack(number & 0xffffffff, mp == nullptr ? -1 : mp->id, p));

  PointVisits& state = visits[static_cast<int>(p)];
  const std::int32_t self = runtime::gettid();
  std::int32_t first = 0;
  if (!state.first.compare_exchange_strong(first, self) && first != self) state.several = true;
  std::uint64_t newest = state.newest;
  while (newest < number && !state.newest.compare_exchange_weak(newest, number)) continue;
  if (shared != nullptr) shared[static_cast<int>(p)]++;
  return number;
}

std::int64_t CountVisit(Point p) { return visits[static_cast<int>(p)].count.fetch_add(1) + 1; }

bool AnotherThreadWasAt(Point p) {
  const PointVisits& state = visits[static_cast<int>(p)];
  const std::int32_t first = state.first;
  return state.several || (first != 0 && first != runtime::gettid());
}

std::uint64_t NewestVisit(Point p) { return visits[static_cast<int>(p)].newest; }

bool ShareVisits(const char* path) {
  constexpr std::size_t kBytes = kPointCount * sizeof(std::int64_t);
  const int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
  if (fd < 0) return false;
  void* p = MAP_FAILED;
  if (ftruncate(fd, kBytes) == 0)
    p = mmap(nullptr, kBytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  close(fd);
  if (p == MAP_FAILED) return false;
  shared = static_cast<std::atomic<std::int64_t>*>(p);
  return true;
}

std::vector<PointVisit> LastVisits(int n) {
  std::vector<PointVisit> visits;
  const std::uint64_t newest = recorded;
  const std::uint64_t wanted = std::min<std::uint64_t>(static_cast<std::uint64_t>(n), kRing / 2);
  for (std::uint64_t i = newest > wanted ? newest - wanted + 1 : 1; i <= newest; i++) {
    const std::uint64_t word = ring[i % kRing];
    if (word >> 32 != (i & 0xffffffff)) continue;
    visits.push_back(
        {static_cast<std::int16_t>(word >> 16 & 0xffff), static_cast<Point>(word & 0xffff)});
  }
  return visits;
}

std::int64_t VisitCount(Point p) { return visits[static_cast<int>(p)].count; }

}  // namespace gort::chaos
