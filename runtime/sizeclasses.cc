// The size class tables. Ports mksizeclasses.go, run by the compiler, and msize.go.
//
// Invariants, checked below:
//  - Rounding a size up to its class wastes at most an eighth where alignment allows it, and so does
//    cutting a span into objects: the two together stay below 27%.
//  - From 32 bytes on every class is a multiple of 16. So the smallest class for a size that is a
//    multiple of 16 is one too: objects with such a size are aligned to 16.
//  - Classes above smallSizeMax are multiples of largeSizeDiv; the lookup table relies on it.
#include "sizeclasses.h"

namespace gort::runtime {

namespace {

struct sizeTables {
  std::array<std::uint16_t, _NumSizeClasses> size{};
  std::array<std::uint8_t, _NumSizeClasses> npages{};
  std::array<std::uint32_t, _NumSizeClasses> divmagic{};
  std::array<std::uint8_t, smallSizeMax / smallSizeDiv + 1> class8{};
  std::array<std::uint8_t, (maxSmallSize - smallSizeMax) / largeSizeDiv + 1> class128{};
  unsigned n = 1;  // class 0 stands for large objects
};

constexpr bool powerOfTwo(uintptr x) { return x != 0 && (x & (x - 1)) == 0; }

// The distance to the next candidate size, for sizes from this power of two on.
constexpr uintptr alignFrom(uintptr size, uintptr align) {
  if (size >= 2048) return 256;
  if (size >= 128) return size / 8;
  if (size >= 32) return 16;
  return align;
}

// Pages of a span for objects of size bytes: what is left over is at most an eighth of it.
constexpr uintptr pagesFor(uintptr size) {
  uintptr bytes = _PageSize;
  while (bytes % size > bytes / 8) bytes += _PageSize;
  return bytes / _PageSize;
}

constexpr void makeClasses(sizeTables& t) {
  uintptr align = 8;
  for (uintptr size = align; size <= maxSmallSize; size += align) {
    if (powerOfTwo(size)) align = alignFrom(size, align);
    uintptr npages = pagesFor(size), bytes = npages * _PageSize;
    // A class with as many objects in as many pages as the one before takes that one's place.
    bool same = t.n > 1 && t.npages[t.n - 1] == npages && bytes / t.size[t.n - 1] == bytes / size;
    if (!same) t.n++;
    t.size[t.n - 1] = static_cast<std::uint16_t>(size);
    t.npages[t.n - 1] = static_cast<std::uint8_t>(npages);
  }
  // What a span has left over is given to its objects where the alignment stays.
  for (unsigned c = 1; c < t.n; c++) {
    uintptr bytes = t.npages[c] * _PageSize;
    uintptr larger = alignDown(bytes / (bytes / t.size[c]), largeSizeDiv);
    if (larger > t.size[c]) t.size[c] = static_cast<std::uint16_t>(larger);
  }
}

constexpr void makeLookup(sizeTables& t) {
  unsigned c = 0;
  for (uintptr i = 0; i <= smallSizeMax / smallSizeDiv; i++) {
    while (t.size[c] < i * smallSizeDiv) c++;
    t.class8[i] = static_cast<std::uint8_t>(c);
  }
  for (uintptr i = 0; i <= (maxSmallSize - smallSizeMax) / largeSizeDiv; i++) {
    while (t.size[c] < smallSizeMax + i * largeSizeDiv) c++;
    t.class128[i] = static_cast<std::uint8_t>(c);
  }
}

constexpr sizeTables makeTables() {
  sizeTables t;
  makeClasses(t);
  makeLookup(t);
  for (unsigned c = 1; c < t.n; c++) t.divmagic[c] = ~std::uint32_t(0) / t.size[c] + 1;
  return t;
}

constexpr sizeTables tables = makeTables();

static_assert(tables.n == unsigned{_NumSizeClasses}, "number of size classes has changed");
static_assert(tables.size[1] == 8 && tables.size[2] == 16 && tables.size[3] == 24);
static_assert(tables.size[4] == 32 && tables.size[33] == 1152 && tables.size[52] == 9472);
static_assert(tables.size[66] == 28672 && tables.size[67] == 32768);
static_assert(tables.npages[1] == 1 && tables.npages[60] == 9 && tables.npages[67] == 4);
static_assert(tables.divmagic[3] == 178956971);

constexpr bool multiplesOf16() {
  for (unsigned c = 4; c < _NumSizeClasses; c++)
    if (tables.size[c] % 16 != 0) return false;
  return true;
}
static_assert(multiplesOf16());

}  // namespace

const std::array<std::uint16_t, _NumSizeClasses> class_to_size = tables.size;
const std::array<std::uint8_t, _NumSizeClasses> class_to_allocnpages = tables.npages;
const std::array<std::uint32_t, _NumSizeClasses> class_to_divmagic = tables.divmagic;
const std::array<std::uint8_t, smallSizeMax / smallSizeDiv + 1> size_to_class8 = tables.class8;
const std::array<std::uint8_t, (maxSmallSize - smallSizeMax) / largeSizeDiv + 1> size_to_class128 =
    tables.class128;

uintptr roundupsize(uintptr size) {
  if (size <= maxSmallSize) return class_to_size[sizeToClass(size)];
  if (size + _PageSize < size) return size;
  return alignUp(size, _PageSize);
}

}  // namespace gort::runtime
