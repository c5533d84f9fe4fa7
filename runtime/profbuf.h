// A log between a signal handler, which writes, and a goroutine, which reads: no locks, no waiting on
// either side. Ports profbuf.go. (Go's reader may sleep until there is something to read; here it looks
// again from time to time, as on Go's systems whose wake-up is not safe in a signal handler.)
//
// A record in data has 2+hdrsize+len(stk) words:
//
//      length of the record | time | header, hdrsize words | stack
//
// and one entry in tags, a ring that runs in parallel. A record is not split: if it does not fit into
// the rest of the ring a 0 is put there, and it begins at the start.
//
// r and w say how much was read and written, ever: the number of words in the low 32 bits, of tags in
// the high 30; bit 33 of w is profWriteExtra. They wrap around, which is why the rings' sizes are
// powers of two.
//
// Invariants:
//  - There is one writer at a time (prof.signalLock) and one reader. What lies between r and w belongs
//    to the reader, the rest to the writer; each moves its own index only, and publishes with it what
//    it did to the words (release), before the other side touches them (acquire).
//  - If there is no room the writer counts: the low half of overflow is the number of records lost,
//    overflowTime when the first was. Only the writer makes it more than 0. Either side may turn it
//    into a record and set it to 0; the high half changes at each step between 0 and more, so that a
//    count cannot be mistaken for a later one of the same value.
//  - tags is memory of operator new, where the collector looks: a label set is kept while its record
//    is.
#pragma once

#include "atomic.h"
#include "sys.h"

namespace gort::runtime {

struct profIndex {
  std::uint64_t v;
  GORT_INLINE std::uint32_t dataCount() const { return static_cast<std::uint32_t>(v); }
  GORT_INLINE std::uint32_t tagCount() const { return static_cast<std::uint32_t>(v >> 34); }
  // Moved on by so many words and tags, without flags.
  GORT_INLINE profIndex addCountsAndClearFlags(int data, int tag) const {
    std::uint64_t t = (v >> 34) + static_cast<std::uint64_t>(tag);
    return {t << 34 | static_cast<std::uint32_t>(dataCount() + static_cast<std::uint32_t>(data))};
  }
};
inline constexpr std::uint64_t profWriteExtra = std::uint64_t(1)
                                                << 33;  // overflow or eof to be seen

// x - y for two dataCounts or two tagCounts, at most 2^28 apart. tagCounts have 30 bits.
GORT_INLINE int countSub(std::uint32_t x, std::uint32_t y) {
  return static_cast<std::int32_t>((x - y) << 2) >> 2;
}

struct profBuf {
  atomic::Uint64 r, w;  // profIndex
  atomic::Uint64 overflow;
  atomic::Uint64 overflowTime;
  atomic::Uint32 eof;

  // Constant. Words are relaxed: r and w order them.
  std::uint32_t hdrsize;
  std::uint32_t ndata, ntags;
  atomic::Relaxed<std::uint64_t>* data;
  atomic::Relaxed<void*>* tags;

  // The reader's: the index after what was returned last, and room for a record of an overflow.
  profIndex rNext;
  std::uint64_t overflowBuf[8];

  // ---- the writer; in a signal handler (cpuprof_signal.cc) ----

  // Adds a record, or counts it as lost. tag may be null.
  void write(void* tag, std::int64_t now, const std::uint64_t* hdr, std::uint32_t nhdr,
             const uintptr* stk, std::uint32_t nstk);
  bool canWriteRecords(const std::uint32_t* nstk, int n) const;
  void incrementOverflow(std::int64_t now);
  void wakeupExtra();

  // ---- either side ----

  GORT_INLINE bool hasOverflow() const { return static_cast<std::uint32_t>(overflow.Load()) > 0; }
  struct overflowResult {
    std::uint32_t count;  // 0: none, or somebody else took it
    std::uint64_t time;
  };
  overflowResult takeOverflow();

  // ---- the reader ----

  // Room for at least so many words and tags. On a goroutine.
  static profBuf* make(std::uint32_t hdrsize, std::uint32_t bufwords, std::uint32_t tags);
  void free();
  // No more writes; the reader is told when it has read all.
  void close();
  struct readResult {
    int ndata;  // words stored; whole records
    int ntags;
    bool eof;
  };
  // Moves what there is, as far as there is room, to dst and dsttags; nothing if there is nothing.
  readResult read(std::uint64_t* dst, int maxdata, void** dsttags, int maxtags);
};

}  // namespace gort::runtime
