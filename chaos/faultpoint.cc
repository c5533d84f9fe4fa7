#include "chaos/faultpoint.h"

#include <atomic>
#include <cstdio>

#include "runtime/os_linux.h"

namespace gort::chaos {

namespace {

constinit std::optional<Fault> fault;  // constant after InstallFault

std::atomic<std::int64_t> visits;  // of the points of its kind
// The first firing writes its line before anybody goes on: it must not stand in the middle of a
// dump.
enum : int { kNotFired, kWriting, kFired };
std::atomic<int> fired;

}  // namespace

bool InstallFault(std::string_view text) {
  fault = ParseFault(text);
  return fault.has_value();
}

bool FaultInstalled() { return fault.has_value(); }

bool AtFault(Point p, bool* throws) {
  if (!fault) return false;
  if (fault->kind == Fault::kThrow ? p != Point::mallocgc_begin : !CanFail(p)) return false;
  const std::int64_t visit = ++visits;
  if (visit < fault->number || (visit > fault->number && !fault->always)) return false;
  if (int expected = kNotFired; fired.compare_exchange_strong(expected, kWriting)) {
    char line[160];
    const int n = std::snprintf(line, sizeof line, "%s%s %lld at %s\n", kFaultFired,
                                fault->kind == Fault::kThrow ? "throw" : "mmap",
                                static_cast<long long>(fault->number), PointName(p));
    runtime::write(2, line, static_cast<runtime::uintptr>(n));
    fired = kFired;
  }
  while (fired != kFired) runtime::usleep(10);
  *throws = fault->kind == Fault::kThrow;
  return true;
}

}  // namespace gort::chaos
