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

int Situation::Default() const {
  if (reason == Reason::kStep || reason == Reason::kWoken) return current;
  if (longest >= 0) return longest;
  return current;
}

}  // namespace gort::chaos
