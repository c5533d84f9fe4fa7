// Buffers of events, the dictionary of strings and the table of stacks of the execution tracer: what
// the files trace*.cc share.
//
// Invariants:
//  - All functions run on g0.
//  - The table of stacks is searched without a lock: an entry does not change once it is in its list,
//    and lists grow at the head. It is emptied by dump, which runs when no event can be written.
#pragma once

#include "trace.h"

namespace gort::runtime {

struct traceBufHeader {
  traceBuf* link;  // in trace_.empty or the queue of full ones
  std::uint64_t lastTicks;  // time of the last event
  uintptr pos;  // next byte of arr
  uintptr stk[traceStackSize];  // scratch space for a stack
};

// A batch. From sysAlloc.
struct traceBuf : traceBufHeader {
  static constexpr uintptr size = 64 << 10;
  std::uint8_t arr[size - sizeof(traceBufHeader)];

  GORT_INLINE void byte(std::uint8_t v) { arr[pos++] = v; }
  void varint(std::uint64_t v);  // little endian, base 128
  void bytes(const void* p, uintptr n);
  uintptr room() const { return sizeof arr - pos; }
};
static_assert(sizeof(traceBuf) == traceBuf::size);

// Memory that is given back all at once. Not safe for two threads.
struct traceAlloc {
  struct block {
    block* next;
    std::uint8_t data[(64 << 10) - sizeof(block*)];
  };
  block* head;
  uintptr off;
  // Zero; n at most the size of a block.
  void* alloc(uintptr n);
  void drop();
};

// ---- trace_buf.cc ----

// Writes an event. skip < 0: it has no stack; 0: an empty one; above: the current goroutine's.
void traceEventN(traceEv ev, int skip, const std::uint64_t* args, int n);
template <class... Args>
GORT_INLINE void traceEvent(traceEv ev, int skip, const Args&... args) {
  const std::uint64_t a[] = {static_cast<std::uint64_t>(args)..., 0};
  traceEventN(ev, skip, a, sizeof...(Args));
}

// Where the caller writes events: its P's buffer, or the global one, which is locked then.
struct traceBufRef {
  m* mp;
  std::int32_t pid;
  traceBuf** bufp;
};
traceBufRef traceAcquireBuffer();
void traceReleaseBuffer(std::int32_t pid);
// Writes an event of n arguments to *bufp, followed by at least extraBytes free bytes if the buffer is
// large enough for that.
void traceEventLocked(uintptr extraBytes, const traceBufRef& b, traceEv ev, int skip,
                      const std::uint64_t* args, int n);
// Queues buf, if not null, as full and returns an empty one, a new batch of pid.
traceBuf* traceFlush(traceBuf* buf, std::int32_t pid);
// trace_.lock must be held.
void traceFullQueue(traceBuf* buf);
traceBuf* traceFullDequeue();
inline constexpr uintptr traceMaxEvent = 2 + 5 * traceBytesPerNumber;

// ---- trace_string.cc ----

// The id of s, which is written to *bufp when it is new; 0 for the empty string. What is longer than
// traceMaxString is cut.
std::uint64_t traceString(traceBuf** bufp, std::int32_t pid, std::string_view s);
inline constexpr uintptr traceMaxString = 16 << 10;
void traceStringsReset();  // world stopped, or nobody traces
extern mutex traceStringsLock;

// ---- trace_stack.cc ----

struct traceStack;
// Maps stacks to ids, which count from 1.
struct traceStackTable {
  static constexpr uintptr buckets = 1 << 13;
  mutex lock;
  std::uint32_t seq;  // last id; protected by lock
  traceAlloc mem;  // protected by lock
  atomic::Pointer<traceStack> tab[buckets];  // lists; stored under lock

  // 0 for an empty stack.
  std::uint32_t put(const uintptr* pcs, int n);
  // Writes all stacks, with the names of their functions, to full buffers; forgets them. Without a P:
  // reading the program's debug information takes long.
  void dump();

 private:
  traceStack* find(const uintptr* pcs, int n, uintptr hash);
};
extern traceStackTable traceStackTab;

// The id of the stack of the goroutine that runs on mp; 0 when there is none, or when somebody else may
// own its stack. buf: traceStackSize words.
std::uint32_t traceStackID(m* mp, uintptr* buf);
// The id of a stack that is nothing but the first instruction of a function.
std::uint32_t traceStartPCID(uintptr pc);

}  // namespace gort::runtime
