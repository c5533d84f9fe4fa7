// The format of the pprof tool. Ports runtime/pprof's proto.go.
//
// Messages are written as they come, sample by sample; what they refer to by number (functions, places)
// is written before or after, as it comes up. A message is written only while no other is open.
#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <sys/syscall.h>
#include <zlib.h>

#include "goruntime.h"
#include "os_linux.h"
#include "pprof_internal.h"
#include "syscall.h"

namespace gort::runtime::pprof {

// ---- gzip ----

struct gzipWriter::state {
  z_stream z{};
  Writer w;
  bool ok = true;
  unsigned char out[8192];
};

gzipWriter::gzipWriter(Writer w) : s_(new state) {
  s_->w = w;
  // zlib's code has no stack check.
  cgocall([s = s_] {
    constexpr int gzip = 16, windowBits = 15, memLevel = 8;
    s->ok = deflateInit2(&s->z, Z_BEST_SPEED, Z_DEFLATED, windowBits + gzip, memLevel,
                         Z_DEFAULT_STRATEGY) == Z_OK;
  });
}

gzipWriter::~gzipWriter() {
  cgocall([s = s_] { deflateEnd(&s->z); });
  delete s_;
}

void gzipWriter::deflate(std::string_view data, bool finish) {
  state* s = s_;
  s->z.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(data.data()));
  s->z.avail_in = static_cast<uInt>(data.size());
  int ret = Z_OK;
  do {
    s->z.next_out = s->out;
    s->z.avail_out = sizeof s->out;
    cgocall([s, finish, &ret] { ret = ::deflate(&s->z, finish ? Z_FINISH : Z_NO_FLUSH); });
    std::size_t n = sizeof s->out - s->z.avail_out;
    if (ret == Z_STREAM_ERROR || (n > 0 && !s->w.Write(s->out, n))) s->ok = false;
  } while (s->ok && (finish ? ret != Z_STREAM_END : s->z.avail_in > 0));
}

void gzipWriter::Write(std::string_view data) {
  if (s_->ok && !data.empty()) deflate(data, false);
}

bool gzipWriter::Close() {
  if (s_->ok) deflate({}, true);
  return s_->ok;
}

// ---- mappings ----

namespace {

std::string readFile(const char* path) {
  std::string text;
  long fd =
      syscall::Syscall(SYS_openat, AT_FDCWD, reinterpret_cast<long>(path), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return text;
  auto buf = std::make_unique<char[]>(16384);
  for (;;) {
    long n = syscall::Syscall(SYS_read, fd, reinterpret_cast<long>(buf.get()), 16384);
    if (n <= 0) break;
    text.append(buf.get(), static_cast<std::size_t>(n));
  }
  syscall::Syscall(SYS_close, fd);
  return text;
}

// Takes the next field off line, with the blanks behind it.
std::string_view nextField(std::string_view* line) {
  std::size_t n = std::min(line->find(' '), line->size());
  std::string_view f = line->substr(0, n);
  line->remove_prefix(n);
  line->remove_prefix(std::min(line->find_first_not_of(' '), line->size()));
  return f;
}

bool parseHex(std::string_view s, std::uint64_t* v) {
  *v = 0;
  for (char c : s) {
    unsigned d = c >= '0' && c <= '9'   ? static_cast<unsigned>(c - '0')
                 : c >= 'a' && c <= 'f' ? static_cast<unsigned>(c - 'a') + 10
                                        : 16;
    if (d == 16) return false;
    *v = *v << 4 | d;
  }
  return !s.empty();
}

struct buildIDSearch {
  uintptr addr;
  unsigned char id[64];
  std::size_t n;
};

// Looks for the build id note of the module at addr, in memory. In the dynamic linker's callback.
int findBuildID(dl_phdr_info* info, std::size_t, void* arg) {
  auto* s = static_cast<buildIDSearch*>(arg);
  bool here = false;
  for (int i = 0; i < info->dlpi_phnum; i++) {
    const ElfW(Phdr)& ph = info->dlpi_phdr[i];
    uintptr lo = info->dlpi_addr + ph.p_vaddr;
    if (ph.p_type == PT_LOAD && s->addr >= lo && s->addr < lo + ph.p_memsz) here = true;
  }
  if (!here) return 0;
  for (int i = 0; i < info->dlpi_phnum; i++) {
    const ElfW(Phdr)& ph = info->dlpi_phdr[i];
    if (ph.p_type != PT_NOTE) continue;
    const auto* p = reinterpret_cast<const unsigned char*>(info->dlpi_addr + ph.p_vaddr);
    for (std::size_t off = 0; off + sizeof(ElfW(Nhdr)) <= ph.p_memsz;) {
      const auto* nh = reinterpret_cast<const ElfW(Nhdr)*>(p + off);
      std::size_t desc = off + sizeof *nh + alignUp(nh->n_namesz, 4);
      if (nh->n_type == NT_GNU_BUILD_ID && nh->n_descsz <= sizeof s->id) {
        s->n = nh->n_descsz;
        for (std::size_t k = 0; k < s->n; k++) s->id[k] = p[desc + k];
        return 1;
      }
      off = desc + alignUp(nh->n_descsz, 4);
    }
  }
  return 1;
}

std::string buildIDAt(uintptr addr) {
  auto s = std::make_unique<buildIDSearch>();
  s->addr = addr;
  cgocall([p = s.get()] { dl_iterate_phdr(findBuildID, p); });
  std::string hex;
  for (std::size_t i = 0; i < s->n; i++) {
    hex.push_back("0123456789abcdef"[s->id[i] >> 4]);
    hex.push_back("0123456789abcdef"[s->id[i] & 15]);
  }
  return hex;
}

enum : int {
  // ValueType
  tagValueType_Type = 1,
  tagValueType_Unit = 2,
  // Sample
  tagSample_Location = 1,
  tagSample_Value = 2,
  tagSample_Label = 3,
  // Label
  tagLabel_Key = 1,
  tagLabel_Str = 2,
  tagLabel_Num = 3,
  // Mapping
  tagMapping_ID = 1,
  tagMapping_Start = 2,
  tagMapping_Limit = 3,
  tagMapping_Offset = 4,
  tagMapping_Filename = 5,
  tagMapping_BuildID = 6,
  tagMapping_HasFunctions = 7,
  // Location
  tagLocation_ID = 1,
  tagLocation_MappingID = 2,
  tagLocation_Address = 3,
  tagLocation_Line = 4,
  // Line
  tagLine_FunctionID = 1,
  tagLine_Line = 2,
  // Function
  tagFunction_ID = 1,
  tagFunction_Name = 2,
  tagFunction_SystemName = 3,
  tagFunction_Filename = 4,
};

}  // namespace

// The executable mappings of /proc/self/maps:
//   55d0c0a6f000-55d0c0b11000 r-xp 0003f000 08:01 1048602                    /home/u/prog
void profileBuilder::addMappings() {
  std::string maps = readFile("/proc/self/maps");
  std::string_view rest = maps;
  while (!rest.empty()) {
    std::size_t eol = std::min(rest.find('\n'), rest.size());
    std::string_view line = rest.substr(0, eol);
    rest.remove_prefix(std::min(eol + 1, rest.size()));
    std::string_view addr = nextField(&line);
    std::size_t dash = addr.find('-');
    std::uint64_t lo, hi, offset;
    if (dash == addr.npos || !parseHex(addr.substr(0, dash), &lo) ||
        !parseHex(addr.substr(dash + 1), &hi))
      continue;
    std::string_view perm = nextField(&line);
    if (perm.size() < 4 || perm[2] != 'x') continue;
    if (!parseHex(nextField(&line), &offset)) continue;
    nextField(&line);  // device
    std::string_view inode = nextField(&line);
    constexpr std::string_view deleted = " (deleted)";
    if (line.ends_with(deleted)) line.remove_suffix(deleted.size());
    // A part of a huge page that is not filled yet. [vdso] has no inode, but a name.
    if (inode == "0" && line.empty()) continue;
    mem_.push_back({lo, hi, offset, std::string(line), buildIDAt(lo), false});
  }
}

// ---- the profile ----

profileBuilder::profileBuilder(Writer w) : zw_(w) {
  walltimeResult t = walltime();
  start_ = t.sec * 1000000000 + t.nsec;
  stringIndex("");  // the tool wants it at 0
  addMappings();
}

std::int64_t profileBuilder::stringIndex(std::string_view s) {
  auto [it, isNew] = stringMap_.try_emplace(std::string(s), std::ssize(strings_));
  if (isNew) strings_.emplace_back(s);
  return it->second;
}

void profileBuilder::flush() {
  constexpr std::size_t dataFlush = 4096;
  if (pb_.nest != 0 || pb_.data.size() <= dataFlush) return;
  zw_.Write(pb_.data);
  pb_.data.clear();
}

void profileBuilder::pbValueType(int tag, std::string_view type, std::string_view unit) {
  auto start = pb_.startMessage();
  pb_.int64(tagValueType_Type, stringIndex(type));
  pb_.int64(tagValueType_Unit, stringIndex(unit));
  pb_.endMessage(tag, start);
}

std::uint64_t profileBuilder::function(const symFrame& f) {
  auto [it, isNew] = funcs_.try_emplace(f.function, funcs_.size() + 1);
  if (!isNew) return it->second;
  auto start = pb_.startMessage();
  pb_.uint64Opt(tagFunction_ID, it->second);
  pb_.int64Opt(tagFunction_Name, stringIndex(f.function));
  pb_.int64Opt(tagFunction_SystemName, stringIndex(f.function));
  pb_.int64Opt(tagFunction_Filename, stringIndex(f.file));
  pb_.endMessage(tagProfile_Function, start);
  return it->second;
}

// The id of the place addr, without its inlined innermost functions.
std::uint64_t profileBuilder::location(uintptr addr, std::size_t inlined) {
  auto [it, isNew] = locs_.try_emplace({addr, inlined}, locs_.size() + 1);
  std::uint64_t id = it->second;
  if (!isNew) return id;
  const pcFrames& p = sym_.lookup(addr);
  std::vector<std::uint64_t> ids;
  ids.reserve(p.frames.size());
  for (const symFrame& f : p.frames) ids.push_back(function(f));

  auto start = pb_.startMessage();
  pb_.uint64Opt(tagLocation_ID, id);
  pb_.uint64Opt(tagLocation_Address, p.pc);
  for (std::size_t i = inlined; i < ids.size(); i++) {
    auto line = pb_.startMessage();
    pb_.uint64Opt(tagLine_FunctionID, ids[i]);
    pb_.int64Opt(tagLine_Line, p.frames[i].line);
    pb_.endMessage(tagLocation_Line, line);
  }
  for (std::size_t i = 0; i < mem_.size(); i++) {
    if (p.pc < mem_[i].start || p.pc >= mem_[i].end) continue;
    pb_.uint64Opt(tagLocation_MappingID, i + 1);
    if (!p.frames.empty()) mem_[i].hasFunctions = true;
    break;
  }
  pb_.endMessage(tagProfile_Location, start);
  flush();
  return id;
}

void profileBuilder::sample(std::span<const std::int64_t> values, std::span<const uintptr> stk,
                            hideFn hide, std::span<const sampleLabel> labels) {
  auto r = sym_.visible(stk, hide);
  std::vector<std::uint64_t> locs;
  locs.reserve(r.end - r.first);
  for (std::size_t i = r.first; i < r.end; i++)
    locs.push_back(location(stk[i], i == r.first ? r.inlined : 0));

  auto start = pb_.startMessage();
  pb_.repeated<std::int64_t>(tagSample_Value, values);
  pb_.repeated<std::uint64_t>(tagSample_Location, locs);
  for (const sampleLabel& l : labels) {
    auto at = pb_.startMessage();
    pb_.int64Opt(tagLabel_Key, stringIndex(l.key));
    pb_.int64Opt(tagLabel_Str, stringIndex(l.str));
    pb_.int64Opt(tagLabel_Num, l.num);
    pb_.endMessage(tagSample_Label, at);
  }
  pb_.endMessage(tagProfile_Sample, start);
  flush();
}

bool profileBuilder::build() {
  pb_.int64Opt(tagProfile_TimeNanos, start_);
  for (std::size_t i = 0; i < mem_.size(); i++) {
    const memMap& m = mem_[i];
    auto start = pb_.startMessage();
    pb_.uint64Opt(tagMapping_ID, i + 1);
    pb_.uint64Opt(tagMapping_Start, m.start);
    pb_.uint64Opt(tagMapping_Limit, m.end);
    pb_.uint64Opt(tagMapping_Offset, m.offset);
    pb_.int64Opt(tagMapping_Filename, stringIndex(m.file));
    pb_.int64Opt(tagMapping_BuildID, stringIndex(m.buildID));
    // Then the tool does not look into the file itself, where it would find C++ names.
    if (m.hasFunctions) pb_.boolean(tagMapping_HasFunctions, true);
    pb_.endMessage(tagProfile_Mapping, start);
  }
  for (const std::string& s : strings_) pb_.string(tagProfile_StringTable, s);
  zw_.Write(pb_.data);
  return zw_.Close();
}

}  // namespace gort::runtime::pprof
