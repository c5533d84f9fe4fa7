// From a program counter to function, file and line. Ports the interface of symtab.go; the tables are
// the ELF symbols and the DWARF line tables of the running program, read by libbacktrace.
//
// Invariants:
//  - Lookups work with any runtime lock held, on any M and in a dying process: libbacktrace keeps its
//    own memory (mmap) and does not wait for other threads; nothing here locks.
//  - libbacktrace has no stack check and wants tens of kilobytes: it is called on the system stack
//    only. All functions here switch by themselves.
//  - Names of files and linker names point into the mapped tables and stay good for ever. Go-form
//    names (symname.h) are made anew at each call.
//
// A lookup costs microseconds, the first one reads the debug information of the whole program and
// takes some hundred milliseconds. No part of the scheduler may depend on one.
#pragma once

#include "symname.h"
#include "sys.h"

namespace gort::runtime {

// A function of the symbol table; not valid when no symbol covers the program counter.
struct funcInfo {
  uintptr entry = 0;
  const char* linkername = nullptr;
  bool valid() const { return entry != 0; }
};

funcInfo findfunc(uintptr pc);
// Go's form of f's name; "" when f is not valid.
symname funcname(funcInfo f);

struct fileLine {
  const char* file;  // "?" when unknown
  int line;
};
// Where the innermost function at pc is in the source. For a return address, pass pc-1.
fileLine funcline(funcInfo f, uintptr pc);

// The functions that one machine instruction stands for, innermost first: inlined calls, then the
// function whose code it is in. At least one entry for a valid f.
inline constexpr int maxInlineDepth = 24;
struct srcFrame {
  const char* linkername;
  const char* file;
  int line;
};
struct inlineFrames {
  int n = 0;
  srcFrame frames[maxInlineDepth];
  bool isInlined(int i) const { return i < n - 1; }
};
void expandInlines(funcInfo f, uintptr pc, inlineFrames* out);

}  // namespace gort::runtime
