// Writing events to buffers. Ports traceEvent, traceFlush and what is between them of trace.go (Go
// 1.19); invariants in trace.h.
#include "trace_buf.h"

#include "os_linux.h"

namespace gort::runtime {

void traceBuf::varint(std::uint64_t v) {
  for (; v >= 0x80; v >>= 7) byte(static_cast<std::uint8_t>(v | 0x80));
  byte(static_cast<std::uint8_t>(v));
}

void traceBuf::bytes(const void* p, uintptr n) {
  memmove(arr + pos, p, n);
  pos += n;
}

void traceFullQueue(traceBuf* buf) {
  assertLockHeld(&trace_.lock);
  buf->link = nullptr;
  // The tail first: who sees a head by itself does not follow it.
  if (trace_.fullHead.LoadRelaxed() == nullptr)
    trace_.fullHead.Store(buf);
  else
    trace_.fullTail->link = buf;
  trace_.fullTail = buf;
}

traceBuf* traceFullDequeue() {
  assertLockHeld(&trace_.lock);
  traceBuf* buf = trace_.fullHead.LoadRelaxed();
  if (buf == nullptr) return nullptr;
  trace_.fullHead.Store(buf->link);
  if (buf->link == nullptr) trace_.fullTail = nullptr;
  buf->link = nullptr;
  return buf;
}

traceBuf* traceFlush(traceBuf* buf, std::int32_t pid) {
  lock(&trace_.lock);
  if (buf != nullptr) traceFullQueue(buf);
  buf = trace_.empty;
  if (buf != nullptr) trace_.empty = buf->link;
  unlock(&trace_.lock);
  if (buf == nullptr) {
    buf =
        static_cast<traceBuf*>(POINT_FAILS(traceflush_mmap) ? nullptr : sysAlloc(sizeof(traceBuf)));
    if (buf == nullptr) throw_("trace: out of memory");
  }
  buf->link = nullptr;
  buf->pos = 0;
  std::uint64_t ticks = cputicks() / traceTickDiv;
  if (ticks == buf->lastTicks) ticks++;
  buf->lastTicks = ticks;
  buf->byte(traceEvBatch | 1 << traceArgCountShift);
  buf->varint(static_cast<std::uint64_t>(pid));
  buf->varint(ticks);
  return buf;
}

traceBufRef traceAcquireBuffer() {
  m* mp = getg()->m;
  if (p* pp = mp->p; pp != nullptr) return {mp, pp->id, &pp->tracebuf};
  lock(&trace_.bufLock);
  return {mp, traceGlobProc, &trace_.buf};
}

void traceReleaseBuffer(std::int32_t pid) {
  if (pid == traceGlobProc) unlock(&trace_.bufLock);
}

void traceEventLocked(uintptr extraBytes, const traceBufRef& b, traceEv ev, int skip,
                      const std::uint64_t* args, int n) {
  traceBuf* buf = *b.bufp;
  uintptr maxSize = traceMaxEvent + extraBytes;
  if (buf == nullptr || buf->room() < maxSize) *b.bufp = buf = traceFlush(buf, b.pid);

  // Times of a batch grow, even if the counter has not moved on by a whole tick, or, on another
  // processor, is a little behind.
  std::uint64_t ticks = cputicks() / traceTickDiv;
  std::uint64_t diff = ticks - buf->lastTicks;
  if (ticks <= buf->lastTicks) {
    ticks = buf->lastTicks + 1;
    diff = 1;
  }
  buf->lastTicks = ticks;

  // Two bits for the number of arguments, the time left out; from 3 on their length in bytes follows.
  int narg = n + (skip >= 0 ? 1 : 0);
  if (narg > 3) narg = 3;
  uintptr start = buf->pos;
  buf->byte(static_cast<std::uint8_t>(ev | narg << traceArgCountShift));
  if (narg == 3) buf->byte(0);
  buf->varint(diff);
  for (int i = 0; i < n; i++) buf->varint(args[i]);
  if (skip == 0) buf->varint(0);
  if (skip > 0) buf->varint(traceStackID(b.mp, buf->stk));
  uintptr size = buf->pos - start;
  if (size > maxSize) throw_("invalid length of trace event");
  if (narg == 3) buf->arr[start + 1] = static_cast<std::uint8_t>(size - 2);
}

void traceEventN(traceEv ev, int skip, const std::uint64_t* args, int n) {
  // The arguments may be on the goroutine's stack, which does not move while this runs on g0.
  systemstack([=] {
    traceBufRef b = traceAcquireBuffer();
    // The caller's look was without order. Now that this M has a P (for as long as it is here, so the
    // world does not stop) or bufLock, the answer is good until the event is written.
    if (trace_.enabled || b.mp->startingtrace) traceEventLocked(0, b, ev, skip, args, n);
    traceReleaseBuffer(b.pid);
  });
}

}  // namespace gort::runtime
