// Rounds of a scenario in children of their own, with settings of chance, for as long as asked.
#pragma once

#include <initializer_list>
#include <random>
#include <string>

#include "tests/harness.h"

namespace gort::test {

// Of this round; its scenario draws from it what it needs.
extern std::uint32_t soakSeed;

std::string pick(std::mt19937* random, std::initializer_list<const char*> of);

// Runs round again and again, for as many seconds as the environment variable says (5 if it is not
// set), each time with other settings. A round that fails ends the test case, with all that is needed
// to run it again.
void soak(const char* secondsVariable, Env (*settings)(std::mt19937*), void (*round)());

}  // namespace gort::test
