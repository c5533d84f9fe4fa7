#include "chaos/explore/schedule.h"

#include <cmath>

namespace gort::chaos {

std::int64_t Sequence::Wait(double mean) {
  if (mean <= 1) return 1;
  const double u = (static_cast<double>(Next() >> 11) + 1) * 0x1p-53;
  const double n = std::ceil(std::log(u) / std::log1p(-1 / mean));
  return n < 1 ? 1 : static_cast<std::int64_t>(n);
}

std::uint64_t DeriveSeed(std::uint64_t seed, std::uint64_t purpose) {
  Sequence dice(seed * 0x2545f4914f6cdd1d + purpose);
  dice.Next();
  return dice.Next();
}

bool Situation::CanGoOn(int thread) const {
  for (int i = 0; i < n; i++)
    if (runnable[i] == thread) return true;
  return false;
}

int Rotation::Default(const Situation& s) {
  if (s.reason == Reason::kStep || s.reason == Reason::kWoken) return s.current;
  const int other = s.reason == Reason::kFairness ? s.longest : s.next;
  return other >= 0 ? other : s.current;
}

int Priorities::Highest(const Situation& s) const {
  int best = s.runnable[0];
  for (int i = 1; i < s.n; i++)
    if (priority_[s.runnable[i]] > priority_[best]) best = s.runnable[i];
  return best;
}

int Priorities::Default(const Situation& s) {
  if (s.reason == Reason::kStep) return s.current;
  if (s.reason == Reason::kYield || s.reason == Reason::kFairness) Preempted(s.current);
  if (s.reason == Reason::kFairness) priority_[s.longest] = ++highest_;
  return Highest(s);
}

}  // namespace gort::chaos
