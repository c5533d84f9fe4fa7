// profBuf: records come out as they went in, in order, and what had no room is counted. The writer here
// is a goroutine; that it is a signal handler elsewhere makes no difference to the buffer.
#include "runtime/profbuf.h"

#include "tests/harness.h"

using namespace gort;
using runtime::profBuf;

namespace {

void put(profBuf* b, std::uint64_t id, std::uint32_t nstk, void* tag = nullptr) {
  uintptr stk[64];
  for (std::uint32_t i = 0; i < nstk; i++) stk[i] = id * 100 + i;
  b->write(tag, static_cast<std::int64_t>(id), &id, 1, stk, nstk);
}

struct reader {
  std::uint64_t data[256];
  void* tags[64];
  profBuf::readResult r;
  void read(profBuf* b) { r = b->read(data, 256, tags, 64); }
};

// Checks the record at data, and returns its length.
int check(const std::uint64_t* data, std::uint64_t id, std::uint32_t nstk) {
  CHECK_GO(data[0] == 3 + nstk);
  CHECK_GO(data[1] == id);
  CHECK_GO(data[2] == id);
  for (std::uint32_t i = 0; i < nstk; i++) CHECK_GO(data[3 + i] == id * 100 + i);
  return static_cast<int>(data[0]);
}

}  // namespace

GORT_TEST("records come out as they went in") {
  profBuf* b = profBuf::make(1, 64, 16);
  auto* rd = make<reader>();
  rd->read(b);
  CHECK_GO(rd->r.ndata == 0);
  CHECK_GO(!rd->r.eof);
  void* tag = make<int>();
  // Many times around the ring, with lengths that do not divide it.
  for (std::uint64_t id = 1; id < 2000; id += 2) {
    auto n = static_cast<std::uint32_t>(id % 13);
    put(b, id, n, tag);
    put(b, id + 1, 3);
    int seen = 0;
    while (seen < 2) {
      rd->read(b);
      CHECK_GO(rd->r.ndata > 0);
      int at = 0;
      for (int k = 0; k < rd->r.ntags; k++, seen++) {
        CHECK_GO(rd->tags[k] == (seen == 0 ? tag : nullptr));
        at += seen == 0 ? check(rd->data + at, id, n) : check(rd->data + at, id + 1, 3);
      }
      CHECK_GO(at == rd->r.ndata);
    }
  }
  b->close();
  rd->read(b);
  CHECK_GO(rd->r.eof);
  b->free();
}

GORT_TEST("what has no room is counted, with the time of the first") {
  profBuf* b = profBuf::make(1, 16, 16);
  auto* rd = make<reader>();
  put(b, 1, 5);  // 8 words
  put(b, 2, 5);
  for (std::uint64_t id = 3; id < 10; id++) put(b, id, 5);
  rd->read(b);
  CHECK_GO(rd->r.ntags == 2);
  check(rd->data + check(rd->data, 1, 5), 2, 5);
  // The reader finds the count itself.
  rd->read(b);
  CHECK_GO(rd->r.ntags == 1);
  CHECK_GO(rd->data[0] == 4);
  CHECK_GO(rd->data[1] == 3);
  CHECK_GO(rd->data[2] == 0);
  CHECK_GO(rd->data[3] == 7);
  // Or the writer puts it in front of the next record that fits.
  put(b, 20, 5);
  put(b, 21, 5);
  put(b, 22, 5);
  rd->read(b);
  CHECK_GO(rd->r.ntags == 2);
  put(b, 23, 2);
  rd->read(b);
  CHECK_GO(rd->r.ntags == 2);
  CHECK_GO(rd->data[1] == 22);
  CHECK_GO(rd->data[2] == 0);
  CHECK_GO(rd->data[3] == 1);
  check(rd->data + 4, 23, 2);
  b->close();
  rd->read(b);
  CHECK_GO(rd->r.eof);
  b->free();
}

GORT_TEST("a writer and a reader at the same time lose nothing that is not counted") {
  profBuf* b = profBuf::make(1, 128, 32);
  constexpr std::uint64_t total = 20000;
  auto closed = make_chan<bool>();
  go([=] {
    for (std::uint64_t id = 1; id <= total; id++) {
      put(b, id, static_cast<std::uint32_t>(id % 7));
      if (id % 16 == 0) runtime::Gosched();
    }
    b->close();
    closed.send(true);
  });
  auto* rd = make<reader>();
  std::uint64_t seen = 0, last = 0;
  for (;;) {
    rd->read(b);
    if (rd->r.eof) break;
    if (rd->r.ndata == 0) runtime::Gosched();
    for (int at = 0; at < rd->r.ndata; at += static_cast<int>(rd->data[at])) {
      const std::uint64_t* d = rd->data + at;
      if (d[2] == 0) {
        CHECK_GO(d[0] == 4);
        seen += d[3];
        continue;
      }
      CHECK_GO(d[2] > last);
      last = d[2];
      check(d, last, static_cast<std::uint32_t>(last % 7));
      seen++;
    }
  }
  CHECK_GO(seen == total);
  closed.recv();
  b->free();
}

// Reader and writer meet at the end again and again.
GORT_TEST("the reader of a profile was told of its end before the last record") {
  constexpr int rounds = 1000;
  auto next = make_chan<profBuf*>(), closed = make_chan<profBuf*>();
  go([=] {
    for (profBuf* b : next) {
      put(b, 1, 2);
      b->close();
      closed.send(b);
    }
  });
  auto* rd = make<reader>();
  for (int i = 0; i < rounds; i++) {
    profBuf* b = profBuf::make(1, 128, 32);
    next.send(b);
    int seen = 0;
    for (;;) {
      rd->read(b);
      if (rd->r.eof) break;
      if (rd->r.ndata > 0)
        seen++;
      else if (runtime::fastrandn(64) == 0)
        runtime::Gosched();
    }
    CHECK_GO(seen == 1);
    closed.recv()->free();
  }
  next.close();
}
