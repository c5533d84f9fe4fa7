// A schedule as a file. Text, a version in its first line, an end mark in its last:
//
//   gort-trace 4
//   program NAME
//   arguments N
//   argument TEXT         N lines
//   settings N
//   setting NAME=VALUE    N lines: the variables of the environment that the runtime heeds
//   build HEX             of the executable; a replay by another build says so
//   seed N
//   strategy NAME         as --strategy takes it; its rule is the default (schedule.h)
//   limit N               steps
//   outcome TEXT          what the run ended with: "exit 2", "signal 11", "deadlock", "livelock", "idle"
//   said TEXT             the first telling line of its standard error
//   steps N
//   deviations N
//   KIND THREAD STEP WHAT     N lines; KIND: p preemption, s other switch, l leap, w wake,
//                             i injection, k signal
//   end
//
// In a TEXT, \n is a new line and \\ a backslash.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "chaos/explore/schedule.h"

namespace gort::chaos {

struct Trace {
  std::string program;
  std::vector<std::string> arguments;
  std::vector<std::string> settings;  // Settings() where the run was made
  std::string build;
  std::uint64_t seed = 0;
  std::string strategy;
  std::uint64_t limit = 0;
  std::string outcome;
  std::string said;
  std::uint64_t steps = 0;
  std::vector<Deviation> deviations;

  bool operator==(const Trace&) const = default;
  int Preemptions() const;
  int Injections() const;
};

std::string ShowTrace(const Trace& trace);
// False, with what is wrong and in which line, if it is not one.
bool ParseTrace(const std::string& text, Trace* out, std::string* problem);

// Writes the trace to path, whole or not at all. When that cannot be done it is written to a new file
// in the folder for temporary files, and if that fails too, to standard error; *problem says what
// happened and where the trace is now. Returns where it was written, "" for standard error.
std::string SaveTrace(const Trace& trace, const std::string& path, std::string* problem);
bool LoadTrace(const std::string& path, Trace* out, std::string* problem);

// Those of the variables that the runtime heeds (runtime1.h) that are set here, each as NAME=VALUE.
// A run depends on them, and on no other variable unless the program reads it.
std::vector<std::string> Settings();
// Makes Settings() what is said, for the programs that this process starts.
void Set(const std::vector<std::string>& settings);

// A number that tells executables apart, as hex; "" if the file cannot be read.
std::string BuildOf(const std::string& executable);

}  // namespace gort::chaos
