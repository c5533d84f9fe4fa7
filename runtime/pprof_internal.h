// What the files of package pprof share; see pprof.h.
//
// Invariants:
//  - Objects of these classes are made by new (std::make_unique) and stay there: they contain containers
//    that point to themselves, and zlib's state, neither of which may lie in a stack that moves.
//  - Return addresses in a stack are unique up to what is inlined: an address stands for one or more
//    functions, the innermost first.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "pprof.h"
#include "protobuf.h"

namespace gort::runtime::pprof {

using stack = std::vector<uintptr>;

// ---- pprof_symbol.cc ----

struct symFrame {
  std::string function;  // Go's form of its name
  std::string file;
  int line;
};
struct pcFrames {
  uintptr pc = 0;  // inside the call
  uintptr entry = 0;  // of the function whose code it is
  std::vector<symFrame> frames;  // none if unknown
};

// Functions that a profile leaves out at the inner end of a stack.
using hideFn = bool (*)(std::string_view function);
// For allocations: everything of the runtime.
bool hideRuntime(std::string_view function);
// For waits: what channels and locks do inside.
bool hideWait(std::string_view function);

class symbolizer {
 public:
  // What a return address stands for. Looked up once.
  const pcFrames& lookup(uintptr addr);
  // Which frames of stk to show: [first, end), of the first one those from inlined on. All of the
  // inner ones if hide would hide every one; without those that only start goroutines.
  struct range {
    std::size_t first, end, inlined;
  };
  range visible(std::span<const uintptr> stk, hideFn hide);

 private:
  std::unordered_map<uintptr, pcFrames> cache_;
};

// ---- pprof_proto.cc ----

// A gzip stream to a Writer.
class gzipWriter {
 public:
  explicit gzipWriter(Writer w);
  ~gzipWriter();
  void Write(std::string_view data);
  bool Close();  // ends the stream; false if anything could not be written

 private:
  struct state;
  void deflate(std::string_view data, bool finish);
  state* s_;
};

// Numbers of fields of the messages in pprof's profile.proto.
enum profileTag : int {
  tagProfile_SampleType = 1,
  tagProfile_Sample = 2,
  tagProfile_Mapping = 3,
  tagProfile_Location = 4,
  tagProfile_Function = 5,
  tagProfile_StringTable = 6,
  tagProfile_TimeNanos = 9,
  tagProfile_DurationNanos = 10,
  tagProfile_PeriodType = 11,
  tagProfile_Period = 12,
  tagProfile_DefaultSampleType = 14,
};

// Labels of a sample: a text, or a number if the text is empty.
struct sampleLabel {
  std::string key, str;
  std::int64_t num;
};

// Writes a profile piece by piece.
class profileBuilder {
 public:
  explicit profileBuilder(Writer w);

  void pbValueType(int tag, std::string_view type, std::string_view unit);
  void period(std::int64_t n) { pb_.int64Opt(tagProfile_Period, n); }
  void duration(std::int64_t ns) { pb_.int64Opt(tagProfile_DurationNanos, ns); }
  void defaultSampleType(std::string_view type) {
    pb_.int64Opt(tagProfile_DefaultSampleType, stringIndex(type));
  }
  void sample(std::span<const std::int64_t> values, std::span<const uintptr> stk, hideFn hide,
              std::span<const sampleLabel> labels);
  // Ends it; false if it could not be written.
  bool build();

 private:
  struct memMap {
    uintptr start, end;
    std::uint64_t offset;
    std::string file, buildID;
    bool hasFunctions;  // of at least one address
  };

  std::int64_t stringIndex(std::string_view s);
  std::uint64_t location(uintptr addr, std::size_t inlined);
  std::uint64_t function(const symFrame& f);
  void addMappings();
  void flush();

  gzipWriter zw_;
  protobuf pb_;
  std::int64_t start_;  // ns since 1970
  symbolizer sym_;
  std::vector<std::string> strings_;
  std::unordered_map<std::string, std::int64_t> stringMap_;
  std::map<std::pair<uintptr, std::size_t>, std::uint64_t> locs_;  // by address and first function
  std::unordered_map<std::string, std::uint64_t> funcs_;
  std::vector<memMap> mem_;
};

// ---- pprof_text.cc ----

// Appends to text, whose columns are separated by tabs.
void appendHex(std::string* text, std::uint64_t v);  // 0x...
void printStackRecord(std::string* text, symbolizer* sym, std::span<const uintptr> stk,
                      bool allFrames);
// Aligns the columns of text: those in lines that follow each other get one width, by tabs of 8.
std::string tabwriter(std::string_view text);
error writeText(Writer w, std::string_view text);

// ---- pprof.cc, pprof_mem.cc ----

error printCountProfile(Writer w, int debug, std::string_view name, const std::vector<stack>& stks,
                        const std::vector<LabelSet>& labels);
int countHeap();
error writeHeap(Writer w, int debug, std::string_view defaultSampleType);
error writeBlock(Writer w, int debug);
error writeMutex(Writer w, int debug);

inline error writeError(bool ok) { return ok ? error() : error("write failed"); }

}  // namespace gort::runtime::pprof
