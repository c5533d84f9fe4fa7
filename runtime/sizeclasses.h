// The sizes in which small objects are allocated. Ports sizeclasses.go (and mksizeclasses.go, which
// makes it): the tables are computed by the compiler, in sizeclasses.cc.
#pragma once

#include <array>

#include "sys.h"

namespace gort::runtime {

inline constexpr uintptr _PageShift = 13;
inline constexpr uintptr _PageSize = uintptr(1) << _PageShift;

inline constexpr int _NumSizeClasses = 68;  // class 0 is for large objects
inline constexpr uintptr maxSmallSize = 32768;
inline constexpr uintptr smallSizeDiv = 8;
inline constexpr uintptr smallSizeMax = 1024;
inline constexpr uintptr largeSizeDiv = 128;

// Constant, indexed by class: bytes of an object, pages of a span, and ceil(2^32 / size).
extern const std::array<std::uint16_t, _NumSizeClasses> class_to_size;
extern const std::array<std::uint8_t, _NumSizeClasses> class_to_allocnpages;
extern const std::array<std::uint32_t, _NumSizeClasses> class_to_divmagic;
// Indexed by size, in steps of smallSizeDiv, and of largeSizeDiv from smallSizeMax on.
extern const std::array<std::uint8_t, smallSizeMax / smallSizeDiv + 1> size_to_class8;
extern const std::array<std::uint8_t, (maxSmallSize - smallSizeMax) / largeSizeDiv + 1>
    size_to_class128;

// The class for an object of size bytes; size <= maxSmallSize.
GORT_INLINE std::uint8_t sizeToClass(uintptr size) {
  if (size <= smallSizeMax - 8) return size_to_class8[(size + smallSizeDiv - 1) / smallSizeDiv];
  return size_to_class128[(size - smallSizeMax + largeSizeDiv - 1) / largeSizeDiv];
}
// The bytes that an allocation of size bytes gets. Ports msize.go.
uintptr roundupsize(uintptr size);

}  // namespace gort::runtime
