// The ring of threads that wait for each other, as it stands at this moment.
#pragma once

#include <cstdint>
#include <vector>

#include "chaos/waitfor.h"
#include "runtime/runtime2.h"

namespace gort::chaos {

// The stack of mp from the frame at fp on, innermost first; fp lies on one of its stacks.
std::vector<StackFrame> StackFrom(const runtime::m* mp, std::uint64_t fp);

// The functions at a return address, inlined ones first.
std::vector<StackFrame> FramesOf(std::uint64_t pc);

// The return addresses on the stacks of mp from the frame at fp on, innermost first, at most max;
// returns how many. Allocates nothing.
int WalkPcs(const runtime::m* mp, std::uint64_t fp, std::uint64_t* pcs, int max);

// The ring that stands now as a number that is the same as long as the same threads are in it, each still in
// the same wait; 0 if there is none. For a process in which no thread runs but the calling one. Allocates
// nothing.
std::uint64_t RingNow();

// Writes the report (waitfor.h) to standard error if there is a ring. For a process in which no
// thread runs but the calling one.
bool ReportRingNow();

}  // namespace gort::chaos
