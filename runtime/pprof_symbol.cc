// From return addresses to functions. Ports allFrames of runtime/pprof's proto.go; the merging of inlined
// functions (pcDeck) is not needed: an address here stands for all functions that are inlined there.
//
// The first lookup reads the debug information of the program. It is done as a system call is, so that
// neither the P nor a stop-the-world waits for it.
#include "pprof_internal.h"

#include "goruntime.h"
#include "symtab.h"

namespace gort::runtime::pprof {

namespace {

// The functions by which gort starts a goroutine, and main.
bool startsGoroutine(std::string_view f) {
  if (f == "runtime.goexit") return true;
  if (!f.starts_with("runtime.")) return false;
  f.remove_prefix(8);
  return f.starts_with("runcall[") || f.starts_with("runheapcall[") ||
         f.starts_with("(*gocall[...]).run");
}

// What one lookup finds; too large for a small stack.
struct lookupBuf {
  funcInfo f;
  inlineFrames fr;
  symname names[maxInlineDepth];
};

}  // namespace

bool hideRuntime(std::string_view f) { return f.starts_with("runtime."); }

bool hideWait(std::string_view f) {
  static constexpr std::string_view inner[] = {
      "runtime.parkOn",           "runtime.chansend",
      "runtime.chanrecv",         "runtime.semacquire1",
      "runtime.semrelease1",      "runtime.chargeContention",
      "runtime.notifyListWait",   "sync.(*Mutex).lockSlow",
      "sync.(*Mutex).unlockSlow", "sync.(*RWMutex).rUnlockSlow",
  };
  for (std::string_view s : inner)
    if (f == s) return true;
  return f.starts_with("runtime.sync_runtime_");
}

const pcFrames& symbolizer::lookup(uintptr addr) {
  auto it = cache_.find(addr);
  if (it != cache_.end()) return it->second;
  auto buf = std::make_unique<lookupBuf>();
  uintptr pc = addr - 1;
  cgocall([b = buf.get(), pc] {
    b->f = findfunc(pc);
    expandInlines(b->f, pc, &b->fr);
    for (int i = 0; i < b->fr.n; i++) b->names[i] = gosymname(b->fr.frames[i].linkername);
  });
  pcFrames& r = cache_[addr];
  r.pc = pc;
  r.entry = buf->f.entry;
  r.frames.reserve(static_cast<std::size_t>(buf->fr.n));
  for (int i = 0; i < buf->fr.n; i++)
    r.frames.push_back({std::string(buf->names[i].data(), buf->names[i].size()),
                        buf->fr.frames[i].file, buf->fr.frames[i].line});
  return r;
}

symbolizer::range symbolizer::visible(std::span<const uintptr> stk, hideFn hide) {
  range r{0, stk.size(), 0};
  while (r.end > 0) {
    const pcFrames& p = lookup(stk[r.end - 1]);
    bool starts = !p.frames.empty();
    for (const symFrame& f : p.frames) starts = starts && startsGoroutine(f.function);
    if (!starts) break;
    r.end--;
  }
  if (hide == nullptr) return r;
  for (std::size_t i = 0; i < r.end; i++) {
    const pcFrames& p = lookup(stk[i]);
    if (p.frames.empty()) return {i, r.end, 0};
    for (std::size_t k = 0; k < p.frames.size(); k++)
      if (!hide(p.frames[k].function)) return {i, r.end, k};
  }
  return r;
}

}  // namespace gort::runtime::pprof
