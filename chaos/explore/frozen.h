// Memory that a fork need not copy.
//
// What a process has written costs each fork a page table entry a page, and each exit another one. What it
// reads from a file does not: it is mapped when it is touched. So memory that was filled once, as the
// debug information of a program, goes to a file in memory, and is mapped privately in its old place.
#pragma once

#include <cstddef>

namespace gort::chaos {

// Does that for each private mapping that has no name and at least `least` bytes. One thread; nothing may
// keep locks or futexes there. Where it cannot be done, memory stays as it is.
void FreezeMemory(std::size_t least);

}  // namespace gort::chaos
