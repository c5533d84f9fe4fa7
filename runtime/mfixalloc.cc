// See mfixalloc.h. Ports mfixalloc.go.
#include "mfixalloc.h"

#include "malloc.h"
#include "panic_throw.h"
#include "stubs.h"

namespace gort::runtime {

namespace {
constexpr uintptr fixAllocChunk = 16 << 10;  // bytes to get at a time

void*& linkOf(void* p) { return *static_cast<void**>(p); }
}  // namespace

void fixalloc::init(uintptr objsize, void (*firstfn)(void*, void*), void* firstarg) {
  if (objsize > fixAllocChunk) throw_("runtime: fixalloc size too large");
  size = objsize < sizeof(void*) ? sizeof(void*) : alignUp(objsize, sys::PtrSize);
  first = firstfn;
  arg = firstarg;
  list = nullptr;
  chunk = 0;
  nchunk = 0;
  nalloc = static_cast<std::uint32_t>(fixAllocChunk / size * size);
  inuse = 0;
  sys = 0;
  zero = true;
}

void* fixalloc::alloc() {
  if (size == 0) throw_("runtime: internal error");
  inuse += size;
  if (list != nullptr) {
    void* v = list;
    list = linkOf(v);
    if (zero) memclrNoHeapPointers(v, size);
    return v;
  }
  if (nchunk < size) {
    chunk = reinterpret_cast<uintptr>(persistentalloc(nalloc, sys::CacheLineSize));
    nchunk = nalloc;
    sys += nalloc;
  }
  void* v = reinterpret_cast<void*>(chunk);
  chunk += size;
  nchunk -= static_cast<std::uint32_t>(size);
  if (first != nullptr) first(arg, v);
  return v;
}

void fixalloc::free(void* p) {
  inuse -= size;
  linkOf(p) = list;
  list = p;
}

}  // namespace gort::runtime
