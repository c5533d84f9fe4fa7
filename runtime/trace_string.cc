// The tracer's dictionary of strings. Ports traceString of trace.go (Go 1.19).
//
// Invariants:
//  - An id is given once, and its traceEvString stands in some batch. The reader of the file collects
//    all of them before it looks at events, so their order does not matter.
//  - The table and its memory are protected by traceStringsLock. The buffer that the string is written
//    to is the caller's.
#include "trace_buf.h"

namespace gort::runtime {

mutex traceStringsLock;

namespace {

struct entry {
  entry* next;
  std::uint64_t hash;
  std::uint64_t id;
  uintptr len;
  char* data() { return reinterpret_cast<char*>(this + 1); }
};

constexpr uintptr buckets = 1 << 10;

// Protected by traceStringsLock.
struct {
  entry* tab[buckets];
  std::uint64_t seq;  // last id
  traceAlloc mem;
} strings;

bool equal(entry* e, std::uint64_t hash, std::string_view s) {
  if (e->hash != hash || e->len != s.size()) return false;
  const char* p = e->data();
  for (uintptr i = 0; i < s.size(); i++)
    if (p[i] != s[i]) return false;
  return true;
}

// The id of s, and whether it is new.
struct lookup {
  std::uint64_t id;
  bool isNew;
};
lookup intern(std::string_view s) {
  std::uint64_t hash = 0xcbf29ce484222325;
  for (char c : s) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  lock(&traceStringsLock);
  entry** head = &strings.tab[hash % buckets];
  lookup r{0, false};
  for (entry* e = *head; e != nullptr && r.id == 0; e = e->next)
    if (equal(e, hash, s)) r.id = e->id;
  if (r.id == 0) {
    auto* e = static_cast<entry*>(strings.mem.alloc(sizeof(entry) + s.size()));
    r = {++strings.seq, true};
    *e = {*head, hash, r.id, s.size()};
    memmove(e->data(), s.data(), s.size());
    *head = e;
  }
  unlock(&traceStringsLock);
  return r;
}

}  // namespace

std::uint64_t traceString(traceBuf** bufp, std::int32_t pid, std::string_view s) {
  if (s.empty()) return 0;
  if (s.size() > traceMaxString) s = s.substr(0, traceMaxString);
  lookup r = intern(s);
  if (!r.isNew) return r.id;
  traceBuf* buf = *bufp;
  if (buf == nullptr || buf->room() < 1 + 2 * traceBytesPerNumber + s.size())
    *bufp = buf = traceFlush(buf, pid);
  buf->byte(traceEvString);
  buf->varint(r.id);
  buf->varint(s.size());
  buf->bytes(s.data(), s.size());
  return r.id;
}

void traceStringsReset() {
  lock(&traceStringsLock);
  for (entry*& e : strings.tab) e = nullptr;
  strings.seq = 0;
  strings.mem.drop();
  unlock(&traceStringsLock);
}

}  // namespace gort::runtime
