#include "mgc.h"
#include "mfinal.h"
#include "proc.h"
namespace gort::runtime {
void bgscavenge() {}
void wakeScavenger() {}
void gcPaceScavenger(std::uint64_t, std::uint64_t) {}
uintptr scavenge(uintptr) { return 0; }
atomic::Bool fingWake, fingWait;
g* wakefing() { return nullptr; }
void forEachQueuedFinalizer(void (*)(void*, void*, void*), void*) {}
void freespecial(special*, void*, uintptr) {}
}
