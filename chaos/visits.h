// Who has come to which point: what conditions ask, what the watcher shows, what tests count.
//
// Invariants:
//  - A visit is recorded before it is counted: who has seen the count comes to his own points
//    later.
//  - Nothing here allocates or locks; all of it may be called at any point.
#pragma once

#include <cstdint>

#include "chaos/points.h"

namespace gort::chaos {

// RecordVisit notes that this thread has come to p, and returns the number of the visit among all.
std::uint64_t RecordVisit(Point p);

// CountVisit counts one more visit of p, and returns how many there have been.
std::int64_t CountVisit(Point p);

// AnotherThreadWasAt is whether a thread other than this has ever come to p.
bool AnotherThreadWasAt(Point p);

// NewestVisit is the number of the newest visit of p, 0 for none.
std::uint64_t NewestVisit(Point p);

// ShareVisits makes the process count all visits in a file, too, in which several processes may
// count: 8 bytes for each point, in the table's order. False, and errno, if the file cannot be had.
bool ShareVisits(const char* path);

}  // namespace gort::chaos
