// See profbuf.h. The reader's side; the writer's is in cpuprof_signal.cc.
#include "profbuf.h"

#include <new>

#include "os_linux.h"
#include "panic_throw.h"
#include "point.h"
#include "stubs.h"

namespace gort::runtime {

namespace {

constexpr std::uint32_t maxBuf = 1 << 28;  // counts have 30 bits, with room for calculations

std::uint32_t powerOfTwo(std::uint32_t n) {
  std::uint32_t p = 1;
  while (p < n) p <<= 1;
  return p;
}

uintptr dataBytes(const profBuf* b) {
  return alignUp(b->ndata * sizeof(atomic::Relaxed<std::uint64_t>), 4096);
}

}  // namespace

profBuf* profBuf::make(std::uint32_t hdrsize, std::uint32_t bufwords, std::uint32_t tags) {
  auto* b = new profBuf();
  if (bufwords < 2 + hdrsize + 1) bufwords = 2 + hdrsize + 1;
  if (bufwords >= maxBuf || tags >= maxBuf || 2 + hdrsize + 1 > std::size(b->overflowBuf))
    throw_("newProfBuf: buffer too large");
  b->hdrsize = hdrsize;
  b->ndata = powerOfTwo(bufwords);
  b->ntags = powerOfTwo(tags);
  void* p = POINT_FAILS(profbuf_mmap) ? nullptr : sysAlloc(dataBytes(b));
  if (p == nullptr) throw_("runtime: cannot allocate memory");
  b->data = static_cast<atomic::Relaxed<std::uint64_t>*>(p);
  b->tags = new atomic::Relaxed<void*>[b->ntags];
  return b;
}

void profBuf::free() {
  sysFree(data, dataBytes(this));
  delete[] tags;
  delete this;
}

void profBuf::close() {
  if (eof.Load() > 0) throw_("runtime: profBuf already closed");
  eof.Store(1);
  wakeupExtra();
}

profBuf::readResult profBuf::read(std::uint64_t* dst, int maxdata, void** dsttags, int maxtags) {
  for (;;) {
    // Before w and overflow: whoever sees the end sees all that was written before it. (Go looks last, and may
    // tell the end before the last records.)
    const bool over = eof.Load() > 0;
    profIndex br = rNext;
    profIndex bw{w.Load()};
    int numData = countSub(bw.dataCount(), br.dataCount());
    if (numData == 0) {
      if (hasOverflow()) {
        auto [count, time] = takeOverflow();
        if (count == 0) continue;  // the writer was faster
        int n = static_cast<int>(2 + hdrsize + 1);
        if (maxdata < n || maxtags < 1) throw_("profBuf.read: no room for a record");
        dst[0] = static_cast<std::uint64_t>(n);
        dst[1] = time;
        for (std::uint32_t i = 0; i < hdrsize; i++) dst[2 + i] = 0;
        dst[2 + hdrsize] = count;
        dsttags[0] = nullptr;
        return {n, 1, false};
      }
      if (over) return {0, 0, true};
      if ((bw.v & profWriteExtra) != 0) {
        // Something besides records was announced: look again with the mark taken off, or with
        // what has changed meanwhile.
        w.CompareAndSwap(bw.v, bw.v & ~profWriteExtra);
        continue;
      }
      return {0, 0, false};
    }
    std::uint32_t at = br.dataCount() % ndata;
    int skip = 0;
    if (data[at] == 0) {
      // The rest of the ring was too short for a record.
      skip = static_cast<int>(ndata - at);
      numData -= skip;
      at = 0;
    }
    int ntag = countSub(bw.tagCount(), br.tagCount());
    if (ntag == 0) throw_("runtime: malformed profBuf buffer - tag and data out of sync");
    int di = 0, ti = 0;
    while (di < numData && at + static_cast<std::uint32_t>(di) < ndata && ti < ntag) {
      std::uint64_t n = data[at + static_cast<std::uint32_t>(di)];
      if (n == 0) break;
      if (n > static_cast<std::uint64_t>(numData - di))
        throw_("runtime: malformed profBuf buffer - invalid size");
      if (di + static_cast<int>(n) > maxdata || ti == maxtags) break;
      for (std::uint32_t i = 0; i < n; i++)
        dst[static_cast<std::uint32_t>(di) + i] = data[at + static_cast<std::uint32_t>(di) + i];
      std::uint32_t t = (br.tagCount() + static_cast<std::uint32_t>(ti)) % ntags;
      dsttags[ti] = tags[t];
      tags[t] = nullptr;
      di += static_cast<int>(n);
      ti++;
    }
    if (di == 0) throw_("profBuf.read: no room for a record");
    rNext = br.addCountsAndClearFlags(skip + di, ti);
    r.Store(rNext.v);
    return {di, ti, false};
  }
}

}  // namespace gort::runtime
