// Pseudo-random numbers for everything in chaos/ that is drawn.
//
// Invariants:
//  - A sequence is the counter of splitmix64: each draw is one atomic addition, so that any thread
//    may draw at any point, in a signal handler too.
//  - The same seed gives the same sequence. Which thread gets which number is up to the machine.
#pragma once

#include <atomic>
#include <cstdint>
#include <string_view>

namespace gort::chaos {

inline constexpr std::uint64_t kDiceStep = 0x9e3779b97f4a7c15;

// Mix spreads the bits of z over all bits.
constexpr std::uint64_t Mix(std::uint64_t z) {
  z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
  z = (z ^ z >> 27) * 0x94d049bb133111eb;
  return z ^ z >> 31;
}

// MixName is a seed of its own for the thing of that name.
constexpr std::uint64_t MixName(std::uint64_t seed, std::string_view name) {
  std::uint64_t h = Mix(seed + kDiceStep);
  for (const char c : name) h = Mix((h ^ static_cast<unsigned char>(c)) + kDiceStep);
  return h;
}

class Dice {
 public:
  explicit constexpr Dice(std::uint64_t seed = 1) : state_(seed) {}
  // Not while others draw.
  void Seed(std::uint64_t seed) { state_ = seed; }

  std::uint64_t Next() { return Mix(state_.fetch_add(kDiceStep)); }
  // Uniform in [0, 1).
  double Uniform() { return static_cast<double>(Next() >> 11) * 0x1p-53; }
  // Uniform in [0, n), n not 0.
  std::uint64_t Below(std::uint64_t n) {
    return static_cast<std::uint64_t>(static_cast<unsigned __int128>(Next()) * n >> 64);
  }
  // True with the probability; draws nothing for certainty.
  bool Roll(double probability) { return probability >= 1 || Uniform() < probability; }

 private:
  std::atomic<std::uint64_t> state_;
};

}  // namespace gort::chaos
