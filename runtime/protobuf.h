// An encoder of protocol buffers, as far as a profile needs one. Ports runtime/pprof's protobuf.go.
//
// A field is its tag << 3 | type, then a varint (type 0), or a length and that many bytes (type 2).
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace gort::runtime::pprof {

class protobuf {
 public:
  std::string data;
  int nest = 0;  // messages begun and not ended

  void varint(std::uint64_t x) { putvarint(&data, x); }
  void length(int tag, std::size_t len) {
    varint(static_cast<std::uint64_t>(tag) << 3 | 2);
    varint(len);
  }
  void uint64(int tag, std::uint64_t x) {
    varint(static_cast<std::uint64_t>(tag) << 3);
    varint(x);
  }
  void int64(int tag, std::int64_t x) { uint64(tag, static_cast<std::uint64_t>(x)); }
  // Fields that are 0 when they are missing.
  void uint64Opt(int tag, std::uint64_t x) {
    if (x != 0) uint64(tag, x);
  }
  void int64Opt(int tag, std::int64_t x) {
    if (x != 0) int64(tag, x);
  }
  // A repeated field; more than two are packed.
  template <class T>
  void repeated(int tag, std::span<const T> x) {
    if (x.size() <= 2) {
      for (T v : x) uint64(tag, static_cast<std::uint64_t>(v));
      return;
    }
    auto start = startMessage();
    for (T v : x) varint(static_cast<std::uint64_t>(v));
    endMessage(tag, start);
  }
  void string(int tag, std::string_view x) {
    length(tag, x.size());
    data.append(x);
  }
  void boolean(int tag, bool x) { uint64(tag, x ? 1 : 0); }

  // What is written from startMessage to endMessage is a field of its own.
  std::size_t startMessage() {
    nest++;
    return data.size();
  }
  void endMessage(int tag, std::size_t start) {
    std::string head;
    putvarint(&head, static_cast<std::uint64_t>(tag) << 3 | 2);
    putvarint(&head, data.size() - start);
    data.insert(start, head);
    nest--;
  }

 private:
  static void putvarint(std::string* to, std::uint64_t x) {
    for (; x >= 128; x >>= 7) to->push_back(static_cast<char>(x | 0x80));
    to->push_back(static_cast<char>(x));
  }
};

}  // namespace gort::runtime::pprof
