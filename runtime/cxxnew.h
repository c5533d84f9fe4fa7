// Memory of operator new as roots of the collector. This port's own: Go has one heap, C++ programs
// keep part of their data in std:: containers.
#pragma once

#include "sys.h"

namespace gort::runtime {

// Every block that operator new has handed out and operator delete has not got back is in one shard.
inline constexpr std::uint32_t cxxRootShards = 256;

// Calls scan(address, bytes, arg) for each block of the shard, which holds its lock meanwhile: scan
// may mark and queue objects, and must take no lock but those of work buffers and of the heap. Words of
// a block may change while it is scanned, unless the world is stopped. On the system stack.
void markCxxRoots(std::uint32_t shard, void (*scan)(uintptr b, uintptr n, void* arg), void* arg);
// Bytes in all blocks; a snapshot, for the pacer's estimate of root work.
uintptr cxxRootBytes();

}  // namespace gort::runtime
