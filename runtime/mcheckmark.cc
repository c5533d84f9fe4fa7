// GODEBUG=gccheckmark=1: after each marking the heap is marked again with bits of its own, in the
// stopped world, and an object that only the second marking finds is an error of the first. Ports
// mcheckmark.go.
//
// What the second marking finds in stacks and other memory that is scanned conservatively is no
// evidence: a dead word may have come to light, or its last use be over. It begins there with objects
// that are marked, and everything that it finds from there on through the heap must be marked too.
#include "malloc.h"
#include "mbitmap.h"
#include "mgcmark.h"
#include "os_linux.h"
#include "print.h"
#include "proc.h"

namespace gort::runtime {

namespace {

constexpr uintptr checkmarkBytes = heapArenaBytes / sys::PtrSize / 8;

void forEachArena(void (*f)(heapArena*)) {
  for (uintptr i = mheap_.arenaIndexLo; i < mheap_.arenaIndexHi; i++)
    if (heapArena* ha = mheap_.arenas[i].LoadAcq(); ha != nullptr) f(ha);
}

}  // namespace

void startCheckmarks() {
  assertWorldStopped();
  forEachArena([](heapArena* ha) {
    if (ha->checkmarks == nullptr)
      ha->checkmarks =
          static_cast<atomic::Value<std::uint8_t>*>(persistentalloc(checkmarkBytes, 0));
    else
      memclrNoHeapPointers(ha->checkmarks, checkmarkBytes);
  });
  useCheckmark = true;
}

void endCheckmarks() {
  if (gcMarkWorkAvailable(nullptr)) throw_("GC work not flushed");
  useCheckmark = false;
}

bool setCheckmark(uintptr obj, mspan* span, uintptr objIndex) {
  if (!span->markBitsForIndex(objIndex).isMarked()) {
    printlock();
    print("runtime: checkmarks found unexpected unmarked object obj=", hex(obj), "\n");
    print("runtime: elemsize=", span->elemsize, " spanclass=", static_cast<int>(span->spanclass.v),
          " freeindex=", span->freeindex, " index=", objIndex, "\n");
    printunlock();
    getg()->m->traceback = 2;
    throw_("checkmark found unmarked object");
  }
  heapArena* ha = mheap_.arenas[obj / heapArenaBytes].LoadAcq();
  uintptr word = obj % heapArenaBytes / sys::PtrSize;
  auto mask = static_cast<std::uint8_t>(1 << word % 8);
  atomic::Value<std::uint8_t>* b = &ha->checkmarks[word / 8];
  if ((b->LoadRelaxed() & mask) != 0) return true;
  b->Or(mask);
  return false;
}

}  // namespace gort::runtime
