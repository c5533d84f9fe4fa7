// Where a profile or a trace goes: the part of Go's io.Writer that the runtime's own output needs.
//
//   pprof::Lookup("heap")->WriteTo(fd, 0);                                a file descriptor
//   trace::Start([](const void* p, std::size_t n) { return ... });        anything else
//
// Invariants:
//  - A Writer is a value of a few words, copied freely. It owns nothing: the descriptor stays open,
//    and what a callable refers to lives, as long as somebody writes.
//  - A callable is copied into the Writer by its bytes, so it is small and needs no destructor; a
//    std::function goes by std::ref.
//  - A function that has returned while it still writes (trace::Start, pprof::StartCPUProfile) checks
//    its Writer by checkclosure, and keeps it in a global variable, where the collector sees what it
//    refers to.
#pragma once

#include <cstddef>
#include <new>
#include <type_traits>
#include <utility>

#include "sys.h"
#include "type.h"

namespace gort::runtime {

class Writer {
 public:
  Writer() = default;  // loses everything: Write is false
  // Writes to fd, blocking as a system call does while it takes nothing.
  Writer(int fd) : fd_(fd) {}
  // Calls f(p, n) for each piece; false from it means that no more can be written.
  template <class F>
    requires std::is_invocable_r_v<bool, std::decay_t<F>&, const void*, std::size_t>
  Writer(F&& f) : call_(invoke<std::decay_t<F>>) {
    using Fn = std::decay_t<F>;
    static_assert(sizeof(Fn) <= sizeof closure_ && alignof(Fn) <= sys::PtrSize && bitwise<Fn>,
                  "a Writer takes a callable of at most 32 bytes without a destructor; capture "
                  "pointers, or hand over std::ref of it");
    ::new (static_cast<void*>(closure_)) Fn(std::forward<F>(f));
  }

  // Writes all of [p, p+n), or returns false. On a goroutine, which may block in it.
  bool Write(const void* p, std::size_t n) {
    return call_ != nullptr ? call_(closure_, p, n) : writefd(fd_, p, n);
  }

 private:
  template <class Fn>
  static bool invoke(void* closure, const void* p, std::size_t n) {
    return (*static_cast<Fn*>(closure))(p, n);
  }
  static bool writefd(int fd, const void* p, std::size_t n);

  bool (*call_)(void* closure, const void* p, std::size_t n) = nullptr;
  int fd_ = -1;
  alignas(sys::PtrSize) unsigned char closure_[32] = {};
};

}  // namespace gort::runtime
