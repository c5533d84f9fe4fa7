// The tracer's table of stacks, and their form in the file. Ports traceStackTable, traceStackID,
// traceFrameForPC and traceAlloc of trace.go (Go 1.19).
//
// Go counts the frames of the runtime that it leaves out at each place where an event is written. How
// many there are depends here on what the compiler has inlined, so stacks are kept whole, and what is the
// runtime's own is left out by name when they are written:
//  - of the innermost frames the last one stays (chan.recv, selectgo), unless a function of the library
//    called it (sync.(*Mutex).Lock, time.Sleep);
//  - further out only exported functions of the runtime stay;
//  - a stack of the runtime's own goroutine stays whole.
#include "trace_buf.h"

#include "os_linux.h"
#include "symtab.h"
#include "traceback.h"

namespace gort::runtime {

traceStackTable traceStackTab;

struct traceStack {
  traceStack* link;
  uintptr hash;
  std::uint32_t id;
  int n;
  uintptr* pcs() { return reinterpret_cast<uintptr*>(this + 1); }
};

void* traceAlloc::alloc(uintptr n) {
  n = alignUp(n, sys::PtrSize);
  if (n > sizeof block::data) throw_("trace: alloc too large");
  if (head == nullptr || off + n > sizeof block::data) {
    auto* b = static_cast<block*>(POINT_FAILS(tracealloc_mmap) ? nullptr : sysAlloc(sizeof(block)));
    if (b == nullptr) throw_("trace: out of memory");
    b->next = head;
    head = b;
    off = 0;
  }
  void* p = head->data + off;
  off += n;
  return p;
}

void traceAlloc::drop() {
  while (block* b = head) {
    head = b->next;
    sysFree(b, sizeof(block));
  }
  off = 0;
}

traceStack* traceStackTable::find(const uintptr* pcs, int n, uintptr hash) {
  for (traceStack* s = tab[hash % buckets].LoadAcq(); s != nullptr; s = s->link) {
    if (s->hash != hash || s->n != n) continue;
    int i = 0;
    while (i < n && s->pcs()[i] == pcs[i]) i++;
    if (i == n) return s;
  }
  return nullptr;
}

std::uint32_t traceStackTable::put(const uintptr* pcs, int n) {
  if (n == 0) return 0;
  uintptr hash = 0;
  for (int i = 0; i < n; i++) {
    hash = (hash ^ pcs[i]) * 0x9e3779b97f4a7c15;
    hash ^= hash >> 32;
  }
  if (traceStack* s = find(pcs, n, hash); s != nullptr) return s->id;
  runtime::lock(&lock);
  traceStack* s = find(pcs, n, hash);
  if (s == nullptr) {
    uintptr words = static_cast<uintptr>(n) * sizeof(uintptr);
    s = static_cast<traceStack*>(mem.alloc(sizeof(traceStack) + words));
    *s = {tab[hash % buckets].LoadRelaxed(), hash, ++seq, n};
    memmove(s->pcs(), pcs, words);
    // Publishes what the entry holds, for who searches without the lock.
    tab[hash % buckets].StoreRel(s);
  }
  unlock(&lock);
  return s->id;
}

std::uint32_t traceStackID(m* mp, uintptr* buf) {
  g* gp = mp->curg;
  if (gp == nullptr) return 0;
  // In any other state somebody may be moving the stack: a mark worker and who stops the world count
  // as waiting.
  std::uint32_t status = readgstatus(gp) & ~_Gscan;
  if (status != _Grunning && status != _Gsyscall) return 0;
  return traceStackTab.put(buf, gcallers(gp, 0, buf, traceStackSize));
}

std::uint32_t traceStartPCID(uintptr pc) {
  pc++;  // readers take 1 off, as from a return address
  return traceStackTab.put(&pc, 1);
}

namespace {

struct traceFrame {
  uintptr pc;
  std::uint64_t funcID, fileID, line;
  bool runtimes;  // of package runtime
  bool shown;  // to users
  bool library;  // of another package of the library
  bool plumbing;  // gopark and the like: shown in no stack
};

// The frames that one program counter stands for, innermost first.
struct pcFrames {
  pcFrames* next;
  uintptr pc;
  int n;
  traceFrame* frames() { return reinterpret_cast<traceFrame*>(this + 1); }
};

// Program counters that have been looked up, while the table is being written.
struct pcTable {
  static constexpr uintptr buckets = 1 << 10;
  pcFrames* tab[buckets];
  traceAlloc mem;
};

std::string_view tail(std::string_view s) {
  constexpr uintptr maxLen = 1 << 10;
  return s.size() > maxLen ? s.substr(s.size() - maxLen) : s;
}

bool isLibrary(const symname& name) {
  for (const char* prefix : {"sync.", "sync/", "time.", "runtime/", "os/", "syscall."})
    if (name.hasPrefix(prefix)) return true;
  return false;
}

bool isPlumbing(const symname& name) {
  for (const char* s : {"runtime.goexit", "runtime.gopark", "runtime.goparkunlock",
                        "runtime.goready", "runtime.morestack", "runtime.systemstack[...]"})
    if (name.is(s)) return true;
  return false;
}

pcFrames* resolve(pcTable* t, uintptr pc, traceBuf** bufp) {
  pcFrames** head = &t->tab[pc / 4 % pcTable::buckets];
  for (pcFrames* p = *head; p != nullptr; p = p->next)
    if (p->pc == pc) return p;
  funcInfo f = findfunc(pc - 1);
  inlineFrames fr;
  expandInlines(f, pc - 1, &fr);
  // A goroutine's function: what is inlined into its first instruction does not count.
  int first = f.valid() && pc - 1 == f.entry ? fr.n - 1 : 0;
  int n = fr.n - first;
  auto* p = static_cast<pcFrames*>(
      t->mem.alloc(sizeof(pcFrames) + static_cast<uintptr>(n) * sizeof(traceFrame)));
  *p = {*head, pc, n};
  *head = p;
  for (int i = 0; i < n; i++) {
    const srcFrame& src = fr.frames[first + i];
    symname name = gosymname(src.linkername);
    std::string_view text(name.data(), name.size());
    if (text == "runtime.runtimemain") text = "runtime.main";
    traceFrame& to = p->frames()[i];
    // Readers take frames with the same program counter for one. Calls that are inlined have none of
    // their own: they are told apart by the bits that no address uses.
    to.pc = pc + (static_cast<uintptr>(n - 1 - i) << 48);
    to.funcID = traceString(bufp, 0, tail(text));
    to.fileID = traceString(bufp, 0, tail(src.file));
    to.line = static_cast<std::uint64_t>(src.line);
    to.runtimes = name.hasPrefix("runtime.");
    to.shown = showfuncinfo(name, false);
    to.library = isLibrary(name);
    to.plumbing = isPlumbing(name);
  }
  return p;
}

// Chooses the frames of a stack that the file shows; see the top. Returns their number.
int chooseFrames(pcTable* t, traceStack* s, traceBuf** bufp, const traceFrame** out) {
  const traceFrame* last = nullptr;  // the innermost function of the runtime's that is left out
  int n = 0;
  for (int i = 0; i < s->n; i++) {
    pcFrames* p = resolve(t, s->pcs()[i], bufp);
    for (int k = 0; k < p->n && n < traceStackSize; k++) {
      const traceFrame* f = &p->frames()[k];
      if (f->runtimes && !f->shown) {
        if (n == 0) last = f;
        continue;
      }
      if (n == 0 && last != nullptr && !f->library && !f->runtimes) out[n++] = last;
      if (n < traceStackSize) out[n++] = f;
    }
  }
  if (n > 0) return n;
  for (int i = 0; i < s->n; i++) {
    pcFrames* p = resolve(t, s->pcs()[i], bufp);
    for (int k = 0; k < p->n && n < traceStackSize; k++)
      if (!p->frames()[k].plumbing) out[n++] = &p->frames()[k];
  }
  return n;
}

}  // namespace

void traceStackTable::dump() {
  // On g0, with room for these. No event is written any more, so nobody else uses the table.
  const traceFrame* frames[traceStackSize];
  auto* t =
      static_cast<pcTable*>(POINT_FAILS(tracedump_mmap) ? nullptr : sysAlloc(sizeof(pcTable)));
  if (t == nullptr) throw_("trace: out of memory");
  traceBuf* buf = traceFlush(nullptr, 0);
  auto length = [](std::uint64_t v) {
    uintptr n = 1;
    for (; v >= 0x80; v >>= 7) n++;
    return n;
  };
  for (atomic::Pointer<traceStack>& head : tab) {
    for (traceStack* s = head.LoadAcq(); s != nullptr; s = s->link) {
      int n = chooseFrames(t, s, &buf, frames);
      uintptr size = length(s->id) + length(static_cast<std::uint64_t>(n));
      for (int i = 0; i < n; i++)
        size += length(frames[i]->pc) + length(frames[i]->funcID) + length(frames[i]->fileID) +
                length(frames[i]->line);
      if (buf->room() < 1 + traceBytesPerNumber + size) buf = traceFlush(buf, 0);
      buf->byte(traceEvStack | 3 << traceArgCountShift);
      buf->varint(size);
      buf->varint(s->id);
      buf->varint(static_cast<std::uint64_t>(n));
      for (int i = 0; i < n; i++) {
        buf->varint(frames[i]->pc);
        buf->varint(frames[i]->funcID);
        buf->varint(frames[i]->fileID);
        buf->varint(frames[i]->line);
      }
    }
  }
  runtime::lock(&trace_.lock);
  traceFullQueue(buf);
  unlock(&trace_.lock);
  t->mem.drop();
  sysFree(t, alignUp(sizeof(pcTable), 4096));

  runtime::lock(&lock);
  for (atomic::Pointer<traceStack>& head : tab) head.Store(nullptr);
  seq = 0;
  mem.drop();
  unlock(&lock);
}

}  // namespace gort::runtime
