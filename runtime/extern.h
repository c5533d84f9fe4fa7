// What programs may ask about stacks: Stack, Caller, Callers, frames and functions. Ports extern.go
// and the exported part of symtab.go and of runtime/debug's stack.go.
#pragma once

#include <span>
#include <string_view>

#include "symtab.h"
#include "sys.h"

namespace gort::runtime {

// Writes the calling goroutine's stack, in the form of a crash, to buf and returns the number of
// bytes; with all, those of all other goroutines too, for which the world is stopped. What does not
// fit is cut off.
int Stack(std::span<char> buf, bool all);

struct CallerResult {
  uintptr pc;
  std::string_view file;
  int line;
  bool ok;
};
// Where the function skip levels above the caller of Caller is just now.
CallerResult Caller(int skip);
// Return addresses of the functions that are active; skip 0 begins with Callers itself, 1 with its
// caller. A skip that ends between functions that were inlined into one begins with all of them.
int Callers(int skip, std::span<uintptr> pc);

// A function of the program; of functions inlined into another, the innermost one, with the entry of
// the one whose code it is in.
class Func {
 public:
  Func(funcInfo f, const char* linkername) : f_(f), linkername_(linkername) {}
  explicit operator bool() const { return f_.valid(); }
  // As in tracebacks; in collected memory.
  std::string_view Name() const;
  uintptr Entry() const { return f_.entry; }
  fileLine FileLine(uintptr pc) const { return funcline(f_, pc); }

 private:
  funcInfo f_;
  const char* linkername_;
};
// The function that pc is in; false when there is none.
Func FuncForPC(uintptr pc);

struct Frame {
  uintptr PC = 0;  // inside the call, not behind it
  std::string_view Function;  // "" if unknown
  std::string_view File;
  int Line = 0;
  uintptr Entry = 0;
};
// Expands the result of Callers to functions, inlined ones too.
class Frames {
 public:
  explicit Frames(std::span<const uintptr> pcs) : pcs_(pcs) {}
  struct NextResult {
    Frame frame;
    bool more;
  };
  NextResult Next();

 private:
  std::span<const uintptr> pcs_;
  funcInfo fn_;
  int i_ = 0;  // next one of the first pc's functions
};
inline Frames CallersFrames(std::span<const uintptr> pcs) { return Frames(pcs); }

namespace debug {
// The calling goroutine's stack, in collected memory.
std::string_view Stack();
// Writes it to standard error.
void PrintStack();
}  // namespace debug

}  // namespace gort::runtime
