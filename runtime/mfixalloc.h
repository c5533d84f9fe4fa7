// A free list of objects of one size in memory that is never given back, for the page heap's own
// structures. Ports mfixalloc.go.
//
// The caller locks. Objects come zeroed the first time only, unless zero is set.
#pragma once

#include "sys.h"

namespace gort::runtime {

struct fixalloc {
  uintptr size;  // of an object
  void (*first)(void* arg, void* p);  // called the first time that p is handed out; may be null
  void* arg;
  void* list;  // freed objects, linked through their first word
  uintptr chunk;  // rest of the current chunk
  std::uint32_t nchunk;  // bytes left in chunk
  std::uint32_t nalloc;  // size of new chunks, a multiple of size
  uintptr inuse;  // bytes handed out
  uintptr sys;  // bytes of all chunks
  bool zero;  // zero what is handed out again

  void init(uintptr size, void (*first)(void*, void*), void* arg);
  void* alloc();
  void free(void* p);
};

}  // namespace gort::runtime
