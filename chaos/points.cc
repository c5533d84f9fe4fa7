#include "chaos/points.h"

#include <algorithm>
#include <iterator>

#include "chaos/nearest.h"

namespace gort::chaos {

namespace {

constexpr PointInfo kPoints[] = {
#define X(name, file, meaning) {#name, file, meaning},
    GORT_POINTS_TABLE(X)
#undef X
};
constexpr Point kFailing[] = {
#define X(name, file, meaning) Point::name,
    GORT_FAILING_POINTS_TABLE(X)
#undef X
};
static_assert(sizeof(kPoints) / sizeof(kPoints[0]) == kPointCount);

bool Matches(std::string_view name, std::string_view pattern) {
  if (pattern.empty()) return name.empty();
  if (pattern.front() == '*') {
    for (std::size_t skip = 0; skip <= name.size(); skip++)
      if (Matches(name.substr(skip), pattern.substr(1))) return true;
    return false;
  }
  return !name.empty() && name.front() == pattern.front() &&
         Matches(name.substr(1), pattern.substr(1));
}

}  // namespace

std::span<const PointInfo> AllPoints() { return kPoints; }

const char* PointName(Point p) { return kPoints[static_cast<int>(p)].name; }

std::vector<std::string> PointNames() {
  std::vector<std::string> names;
  for (const PointInfo& point : kPoints) names.emplace_back(point.name);
  return names;
}

bool CanFail(Point p) {
  return std::find(std::begin(kFailing), std::end(kFailing), p) != std::end(kFailing);
}

std::optional<Point> FindPoint(std::string_view name) {
  for (int i = 0; i < kPointCount; i++)
    if (name == kPoints[i].name) return static_cast<Point>(i);
  return std::nullopt;
}

std::vector<Point> MatchPoints(std::string_view pattern) {
  std::vector<Point> matches;
  for (int i = 0; i < kPointCount; i++)
    if (Matches(kPoints[i].name, pattern)) matches.push_back(static_cast<Point>(i));
  return matches;
}

std::string UnknownPoint(std::string_view name) {
  if (name.find('*') != std::string_view::npos)
    return "no point matches \"" + std::string(name) + "\"";
  return "unknown point \"" + std::string(name) + "\"" + DidYouMean(name, PointNames());
}

}  // namespace gort::chaos
