// The report page: one run of the explorer as one HTML file that loads nothing.
//
// C++ writes everything that must be there without JavaScript: the header, the story, the ring, the
// overview of the whole run, the critical switches with their stacks, the table, standard error. The
// lanes are drawn by page_*.js from the data that the page carries. The page is well-formed XML as
// well as HTML, so that a plain XML parser can check it.
//
// Its size is bounded: of a run with more than kMostCarried events the folded stretches that are far
// from the end are left out, and stand there as one row that says so.
#pragma once

#include <string>

#include "chaos/events.h"

namespace gort::chaos {

inline constexpr std::size_t kMostCarried = 200000;
inline constexpr std::size_t kMostOutput = 200000;  // bytes of standard error that are shown

// Page returns the whole file.
std::string Page(const Run& run);

// ReplayCommand is what somebody types to see this run again.
std::string ReplayCommand(const Run& run);

// DrawRing returns the ring as an SVG element.
std::string DrawRing(const std::vector<RingEdge>& ring);

// CarriedEvents is what page_*.js get to know, as JSON.
std::string CarriedEvents(const Run& run);

// DrawOverview returns the whole run in a strip of a line for each thread.
std::string DrawOverview(const Run& run);

// IsGood says whether the outcome of the run is that of a program that did what it should.
bool IsGood(const Run& run);

}  // namespace gort::chaos
