#include "symtab.h"

#include <backtrace.h>

#include "atomic.h"
#include "stubs.h"

namespace gort::runtime {

namespace {

// Set once by whoever comes first; a second state made at the same time is dropped.
atomic::Pointer<backtrace_state> state;

void ignoreError(void*, const char*, int) {}

// Runs on the system stack.
backtrace_state* getstate() {
  backtrace_state* s = state.Load();
  if (s != nullptr) return s;
  s = backtrace_create_state(nullptr, 1, ignoreError, nullptr);
  if (s != nullptr && !state.CompareAndSwap(nullptr, s)) s = state.Load();
  return s;
}

template <class F>
void onSystemStack(F&& f) {
  if (getg() == nullptr)
    f();
  else
    systemstack(f);
}

struct inlineLookup {
  inlineFrames* out;
  funcInfo f;
};

// libbacktrace reports the inlined calls first and the enclosing function last.
int addFrame(void* arg, std::uintptr_t, const char* file, int line, const char* function) {
  auto* l = static_cast<inlineLookup*>(arg);
  if (file == nullptr && function == nullptr) return 0;
  if (l->out->n == maxInlineDepth) return 1;
  l->out->frames[l->out->n++] = {function != nullptr ? function : l->f.linkername,
                                 file != nullptr ? file : "?", line};
  return 0;
}

}  // namespace

funcInfo findfunc(uintptr pc) {
  funcInfo f;
  if (pc == 0) return f;
  onSystemStack([&] {
    backtrace_state* s = getstate();
    if (s == nullptr) return;
    backtrace_syminfo(
        s, pc,
        [](void* arg, std::uintptr_t, const char* name, std::uintptr_t value, std::uintptr_t) {
          if (name != nullptr) *static_cast<funcInfo*>(arg) = {value, name};
        },
        ignoreError, &f);
  });
  return f;
}

symname funcname(funcInfo f) { return f.valid() ? gosymname(f.linkername) : symname{}; }

void expandInlines(funcInfo f, uintptr pc, inlineFrames* out) {
  out->n = 0;
  if (!f.valid()) return;
  onSystemStack([&] {
    backtrace_state* s = getstate();
    if (s == nullptr) return;
    inlineLookup l{out, f};
    backtrace_pcinfo(s, pc, addFrame, ignoreError, &l);
  });
  if (out->n == 0) out->frames[out->n++] = {f.linkername, "?", 0};
  // The symbol knows the enclosing function best: C++ names in DWARF may lack their linker name.
  out->frames[out->n - 1].linkername = f.linkername;
}

fileLine funcline(funcInfo f, uintptr pc) {
  inlineFrames fr;
  expandInlines(f, pc, &fr);
  if (fr.n == 0) return {"?", 0};
  return {fr.frames[0].file, fr.frames[0].line};
}

}  // namespace gort::runtime
