// The environment variables that a program with a script listens to, and the mark by which the tool
// knows such a program.
#pragma once

namespace gort::chaos {

inline constexpr char kSpecVariable[] = "CHAOS";  // chaos/spec.h
inline constexpr char kStormVariable[] = "CHAOS_STORM";  // chaos/stormknobs.h
inline constexpr char kFaultVariable[] = "CHAOS_FAULT";  // chaos/faults.h
inline constexpr char kVisitsVariable[] = "CHAOS_VISITS";  // a file of visit counts

// Stands in the data of every program that listens.
#define GORT_CHAOS_LISTENS "gort chaos: this program has points and listens, version 1"

// The variable's value, null if it is missing or empty.
const char* Variable(const char* name);

}  // namespace gort::chaos
