// Memory for programs and for the runtime. Ports malloc.go.
#pragma once

#include <new>

#include "mcache.h"
#include "mheap.h"
#include "runtime2.h"
#include "type.h"

namespace gort::runtime {

inline constexpr uintptr maxTinySize = 16;  // bytes of a tiny block

void mallocinit();

// Zeroed memory for an object of size bytes, aligned to the largest power of two, 16 at most, that
// divides size: so as any type of that size needs it. typ says where its pointers are: as many values
// of typ as size holds, one after another; null for none. Without needzero the contents are anything
// (typ must have no pointers). Throws «out of memory» when the system has none. Not in a signal
// handler («malloc during signal»), nor from within itself («malloc deadlock»). Without a P only
// before the scheduler runs; such an object is never freed. May start a collection, unless a lock is
// held or it runs on the system stack.
void* mallocgc(uintptr size, const _type* typ, bool needzero = true);

// Zeroed memory that is never freed and that the collector does not look at, for the runtime's own
// structures; align a power of two, 0 for the default of 8. Needs no P.
void* persistentalloc(uintptr size, uintptr align = 0);

// A new T in memory that is never freed.
template <class T>
T* newpersistent() {
  return new (persistentalloc(sizeof(T), alignof(T))) T();
}
// A new T in collected memory.
template <class T>
T* new_() {
  return new (mallocgc(sizeof(T), typeOf<T>())) T();
}

}  // namespace gort::runtime
