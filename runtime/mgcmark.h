// What the files of the marker share. Ports mgcmark.go: roots in mgcroots.cc, marking in mgcmark.cc,
// assists in mgcassist.cc.
#pragma once

#include "cxxnew.h"
#include "mgc.h"

namespace gort::runtime {

// One word of memory that goroutines may write at the same time, with plain stores. The load is one
// instruction, so it gets a value that was stored; TSan does not see it: the marker's reads are no
// part of the program's own ordering, which the write barrier makes up for.
GORT_INLINE uintptr loadWord(uintptr addr) {
  uintptr v;
  asm volatile("movq (%1), %0" : "=r"(v) : "r"(addr) : "memory");
  return v;
}

// Marks the object that p points into, if there is one and it is allocated.
void markConservative(uintptr p, gcWork* gcw);
// The words of [b, b+n), n a multiple of 8, any of which may be pointers.
void scanConservative(uintptr b, uintptr n, gcWork* gcw);
// The same for the words of [lo, hi) of a stack: an address one past the end of an object counts as
// in it. midway: the goroutine was stopped somewhere, and not where it blocks; it may be about to make
// an object known (publish) which is black and into which it has put plain pointers already, so that
// such objects are scanned again.
void scanConservativeStack(uintptr lo, uintptr hi, gcWork* gcw, bool midway);
// Blackens the object or oblet at b.
void scanobject(uintptr b, gcWork* gcw);
std::int64_t scanstack(g* gp, bool stoppedItself, gcWork* gcw);
// Data, bss and memory from operator new; the world is stopped. Returns the bytes of
// data and bss.
std::uint64_t markUnbarrieredRoots(gcWork* gcw);

// ---- mcheckmark.cc ----
// Marks obj in the second bitmap. True if it was marked there already. Throws «checkmark found
// unmarked object» when the first one lacks it.
bool setCheckmark(uintptr obj, struct mspan* span, uintptr objIndex);
void startCheckmarks();
void endCheckmarks();

}  // namespace gort::runtime
