// The named points of runtime/point.h, as data: names, where they stand, what they mean.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/point.h"

namespace gort::chaos {

using runtime::Point;

inline constexpr int kPointCount = static_cast<int>(Point::count_);

struct PointInfo {
  const char* name;
  const char* file;     // in runtime/
  const char* meaning;  // what holds when a thread is there
};

// AllPoints is the table, indexed by Point.
std::span<const PointInfo> AllPoints();
const char* PointName(Point p);
std::vector<std::string> PointNames();

// CanFail: the point stands in front of a request for memory that may be refused there.
bool CanFail(Point p);

std::optional<Point> FindPoint(std::string_view name);

// MatchPoints returns the points that pattern names, in the table's order; a `*` stands for any
// letters, none included.
std::vector<Point> MatchPoints(std::string_view pattern);

// UnknownPoint is the message for a name or a pattern that no point has, with the nearest name.
std::string UnknownPoint(std::string_view name);

}  // namespace gort::chaos
