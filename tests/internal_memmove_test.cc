// The runtime's own memmove, memset and memcmp (memmove.cc) against loops over bytes, at all small
// sizes, alignments and distances, and around the sizes where they change their method. Behaviours of
// Go's runtime/memmove_test.go.
#include <cstring>
#include <vector>

#include "runtime/stubs.h"
#include "tests/harness.h"

extern "C" void* gort_memset(void* dst, int value, std::size_t n);
extern "C" int gort_memcmp(const void* a, const void* b, std::size_t n);

namespace {

using gort::runtime::gort_memclr;
using gort::runtime::gort_memmove;

using bytes = std::vector<unsigned char>;

constexpr std::size_t kAllSizes = 600;
constexpr std::size_t kBigSizes[] = {1023, 1024, 1025, 2047, 2048, 2049,
                                     2063, 4095, 4096, 4097, 9001};

std::vector<std::size_t> sizes() {
  std::vector<std::size_t> v;
  for (std::size_t n = 0; n <= kAllSizes; n++) v.push_back(n);
  v.insert(v.end(), std::begin(kBigSizes), std::end(kBigSizes));
  return v;
}

unsigned char pattern(std::size_t i) { return static_cast<unsigned char>(i * 7 + i / 251 + 1); }

bytes patterned(std::size_t n) {
  bytes b(n);
  for (std::size_t i = 0; i < n; i++) b[i] = pattern(i);
  return b;
}

// Moves n bytes inside one buffer from src to dst and compares all of it with what a loop makes.
bool moveIsRight(std::size_t n, std::size_t dst, std::size_t src) {
  std::size_t size = (dst > src ? dst : src) + n + 32;
  bytes got = patterned(size), want = got;
  for (std::size_t i = 0; i < n; i++) want[dst + i] = pattern(src + i);
  void* r = gort_memmove(got.data() + dst, got.data() + src, n);
  return r == got.data() + dst && got == want;
}

}  // namespace

TEST_CASE("memmove: every alignment, no overlap") {
  for (std::size_t n : sizes()) {
    // Coprime steps: all pairs of alignments come up over the sizes.
    for (std::size_t a = 0; a < 16; a += n <= 160 ? 1 : 5) {
      std::size_t src = (a * 3 + n) % 16, dst = n + 32 + a;
      bool forward = moveIsRight(n, dst, src), back = moveIsRight(n, src, dst);
      INFO("n=" << n << " src=" << src << " dst=" << dst);
      REQUIRE(forward);
      REQUIRE(back);
    }
  }
}

TEST_CASE("memmove: overlapping, both directions") {
  for (std::size_t n : sizes()) {
    for (std::size_t d : {std::size_t(0), std::size_t(1), std::size_t(2), std::size_t(7),
                          std::size_t(8), std::size_t(9), std::size_t(15), std::size_t(16),
                          std::size_t(17), std::size_t(31), std::size_t(32), std::size_t(33),
                          std::size_t(63), std::size_t(64), std::size_t(65), n / 2, n}) {
      std::size_t at = 16 + n % 16;
      bool up = moveIsRight(n, at + d, at), down = moveIsRight(n, at, at + d);
      INFO("n=" << n << " distance=" << d);
      REQUIRE(up);
      REQUIRE(down);
    }
  }
}

TEST_CASE("memset and memclr") {
  for (std::size_t n : sizes()) {
    for (std::size_t at = 0; at < 16; at += n <= 160 ? 1 : 5) {
      bytes got = patterned(n + 64), want = got;
      for (std::size_t i = 0; i < n; i++) want[at + i] = 0xa5;
      // Only the low byte counts.
      void* r = gort_memset(got.data() + at, 0x5a5, n);
      bool set = r == got.data() + at && got == want;
      for (std::size_t i = 0; i < n; i++) want[at + i] = 0;
      gort_memclr(got.data() + at, n);
      bool cleared = got == want;
      INFO("n=" << n << " at=" << at);
      REQUIRE(set);
      REQUIRE(cleared);
    }
  }
}

TEST_CASE("memcmp: equal, and a difference at every place") {
  for (std::size_t n = 0; n <= 300; n++) {
    std::size_t x = n % 16, y = n * 5 % 16;
    bytes a = patterned(n + 64), b(n + 64, 0xee);
    for (std::size_t i = 0; i < n; i++) b[y + i] = a[x + i];
    REQUIRE(gort_memcmp(a.data() + x, b.data() + y, n) == 0);
    for (std::size_t i = 0; i < n; i++) {
      unsigned char old = b[y + i];
      b[y + i] = static_cast<unsigned char>(old ^ 0x80);  // unsigned comparison decides
      bool less = old < b[y + i];
      int r = gort_memcmp(a.data() + x, b.data() + y, n);
      int s = gort_memcmp(b.data() + y, a.data() + x, n);
      // What comes behind the first difference does not count.
      if (i + 1 < n) b[y + n - 1] = static_cast<unsigned char>(~b[y + n - 1]);
      int t = gort_memcmp(a.data() + x, b.data() + y, n);
      if (i + 1 < n) b[y + n - 1] = static_cast<unsigned char>(~b[y + n - 1]);
      b[y + i] = old;
      bool ok = less ? r < 0 && s > 0 && t < 0 : r > 0 && s < 0 && t > 0;
      INFO("n=" << n << " i=" << i);
      REQUIRE(ok);
    }
  }
}

// A word that is aligned at both ends is never seen half moved: Go's TestMemmoveAtomicity. The
// mover's stores and the readers' loads race on purpose, so they are hidden from TSan.
namespace {

using namespace gort;

constexpr std::size_t kWords = 64;
alignas(64) std::uint64_t words[kWords * 2];

__attribute__((no_sanitize("thread"))) std::uint64_t rawLoad(std::uint64_t* p) {
  return *static_cast<volatile std::uint64_t*>(p);
}

}  // namespace

GORT_TEST("TestMemmoveAtomicity") {
  constexpr std::uint64_t kPattern = 0x1111111111111111;
  constexpr int rounds = 2000;
  for (std::size_t n : {std::size_t(1), std::size_t(2), std::size_t(3), std::size_t(4),
                        std::size_t(7), std::size_t(8), std::size_t(9), std::size_t(31), kWords}) {
    auto stop = make_chan<bool>();
    auto done = make_chan<bool>();
    go([=] {
      auto* zero = make_slice<std::uint64_t>(kWords).data();
      auto ones = make_slice<std::uint64_t>(kWords);
      for (auto& w : ones) w = kPattern;
      for (int i = 0; i < rounds; i++) {
        gort_memmove(words, ones.data(), n * 8);
        gort_memmove(words, zero, n * 8);
        if (i % 100 == 0) runtime::Gosched();
      }
      stop.close();
      done.send(true);
    });
    while (select(recv_case(stop), default_case) == 1) {
      for (std::size_t i = 0; i < n; i++) {
        std::uint64_t w = rawLoad(&words[i]);
        CHECK_GO(w == 0 || w == kPattern);
      }
      runtime::Gosched();
    }
    done.recv();
  }
}
