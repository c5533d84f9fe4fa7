// The sizes in which small objects are allocated. Ports sizeclasses.go (and mksizeclasses.go, which
// makes it): the tables are computed by the compiler, in sizeclasses.cc.
#pragma once

#include "sys.h"

namespace gort::runtime {

inline constexpr uintptr _PageShift = 13;
inline constexpr uintptr _PageSize = uintptr(1) << _PageShift;

inline constexpr int _NumSizeClasses = 68;  // class 0 is for large objects
inline constexpr uintptr maxSmallSize = 32768;
inline constexpr uintptr smallSizeDiv = 8;
inline constexpr uintptr smallSizeMax = 1024;
inline constexpr uintptr largeSizeDiv = 128;

extern const std::uint16_t class_to_size[_NumSizeClasses];  // bytes
extern const std::uint8_t class_to_allocnpages[_NumSizeClasses];  // pages of a span
extern const std::uint32_t class_to_divmagic[_NumSizeClasses];  // ceil(2^32 / size)
extern const std::uint8_t size_to_class8[smallSizeMax / smallSizeDiv + 1];
extern const std::uint8_t size_to_class128[(maxSmallSize - smallSizeMax) / largeSizeDiv + 1];

// The class for an object of size bytes; size <= maxSmallSize - 8 or == maxSmallSize.
GORT_INLINE std::uint8_t sizeToClass(uintptr size) {
  if (size <= smallSizeMax - 8) return size_to_class8[(size + smallSizeDiv - 1) / smallSizeDiv];
  return size_to_class128[(size - smallSizeMax + largeSizeDiv - 1) / largeSizeDiv];
}
// The bytes that an allocation of size bytes gets. Ports msize.go.
uintptr roundupsize(uintptr size);

}  // namespace gort::runtime
