// Profiles in the format of the pprof tool. Ports runtime/pprof.
//
//   auto* p = runtime::pprof::Lookup("heap");
//   p->WriteTo(fd, 0);                        go tool pprof -top FILE
//
//   runtime::pprof::StartCPUProfile(fd);
//   ...
//   runtime::pprof::StopCPUProfile();
//
//   pprof.cc         the profiles that there are, and those that programs make
//   pprof_proto.cc   pprof's format: a protocol buffer, gzipped
//   pprof_symbol.cc  from return addresses to functions
//   pprof_text.cc    the formats for people (debug 1 and 2)
//   pprof_cpu.cc     the CPU profile
//
// Profiles that exist: goroutine (stacks of all), threadcreate, heap (sampled allocations that live),
// allocs (all sampled allocations; the same data with another default), block and mutex (waits; see
// SetBlockProfileRate and SetMutexProfileFraction in mprof.h).
//
// All functions are to be called on a goroutine. Writing a profile takes some hundred milliseconds when
// the program's debug information is read for the first time.
#pragma once

#include <string_view>

#include "error.h"
#include "goslice.h"
#include "mprof.h"
#include "proflabel.h"
#include "writer.h"

namespace gort::runtime::pprof {

class Profile {
 public:
  std::string_view Name() const;
  // Number of stacks in it now.
  int Count();
  // Writes a snapshot to w. debug 0: the format of the tool. 1: text, with functions and lines, that the
  // tool can read as well. 2, for goroutine: the stacks as a crash prints them.
  error WriteTo(Writer w, int debug);
  // Adds the stack of the caller's caller, skip 0, with value as its key, or of one skip frames further
  // out. value must not be there: «pprof: Profile.Add of duplicate value». The profile keeps
  // the object alive.
  void Add(const void* value, int skip);
  // Takes it out; no effect if it is not there.
  void Remove(const void* value);

  struct impl;
  explicit Profile(impl* p) : impl_(p) {}

 private:
  impl* impl_;
};

// A new, empty profile. Panics if there is one of that name: «pprof: NewProfile name already in use: ».
Profile* NewProfile(std::string_view name);
// The profile of that name, or null.
Profile* Lookup(std::string_view name);
// All of them, by name.
slice<Profile*> Profiles();
// Lookup("heap")->WriteTo(w, 0).
error WriteHeapProfile(Writer w);

// Samples all threads 100 times in each second of CPU time that they use, and writes the profile to w:
// by a goroutine of its own, at the end of it. «cpu profiling already in use».
error StartCPUProfile(Writer w);
// Stops, and returns when all has been written.
void StopCPUProfile();

}  // namespace gort::runtime::pprof
