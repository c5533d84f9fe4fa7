#include "tests/soak.h"

#include <chrono>
#include <cstdlib>

namespace gort::test {

std::uint32_t soakSeed;

std::string pick(std::mt19937* random, std::initializer_list<const char*> of) {
  return *(of.begin() + (*random)() % of.size());
}

void soak(const char* secondsVariable, Env (*settings)(std::mt19937*), void (*round)()) {
  const char* seconds = std::getenv(secondsVariable);
  const auto until = std::chrono::steady_clock::now() +
                     std::chrono::seconds(seconds != nullptr ? std::atoi(seconds) : 5);
  std::mt19937 random(std::random_device{}());
  int rounds = 0;
  do {
    soakSeed = static_cast<std::uint32_t>(random());
    const Env env = settings(&random);
    Result r = run_go(round, env);
    std::string text = "seed " + std::to_string(soakSeed);
    for (const auto& [name, value] : env) text += " " + name + "=" + value;
    INFO(text << "\n" << r.str());
    REQUIRE(r.status == 0);
    rounds++;
  } while (std::chrono::steady_clock::now() < until);
  MESSAGE(rounds << " rounds");
}

}  // namespace gort::test
