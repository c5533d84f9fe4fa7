// The heap, block and mutex profiles as files. Ports runtime/pprof's protomem.go and the parts of pprof.go
// that belong to these profiles.
#include <sys/resource.h>
#include <sys/syscall.h>

#include <algorithm>
#include <charconv>
#include <cmath>

#include "pprof_internal.h"
#include "runtime.h"
#include "syscall.h"

namespace gort::runtime::pprof {

namespace {

struct scaled {
  std::int64_t count, size;
};

// What count sampled objects of size bytes in all stand for: an object of S bytes is sampled with the
// probability 1-exp(-S/rate).
scaled scaleHeapSample(std::int64_t count, std::int64_t size, std::int64_t rate) {
  if (count == 0 || size == 0) return {0, 0};
  if (rate <= 1) return {count, size};
  double avg = static_cast<double>(size) / static_cast<double>(count);
  double scale = 1 / (1 - std::exp(-avg / static_cast<double>(rate)));
  return {static_cast<std::int64_t>(static_cast<double>(count) * scale),
          static_cast<std::int64_t>(static_cast<double>(size) * scale)};
}

// All records of a profile; more may come up between two looks.
template <class Record, class F>
std::vector<Record> records(F fetch) {
  std::vector<Record> p;
  for (ProfileResult r = fetch(p);;) {
    p.resize(static_cast<std::size_t>(r.n) + 50);
    r = fetch(p);
    if (!r.ok) continue;
    p.resize(static_cast<std::size_t>(r.n));
    return p;
  }
}

error writeHeapProto(Writer w, const std::vector<MemProfileRecord>& p, std::int64_t rate,
                     std::string_view defaultSampleType) {
  auto b = std::make_unique<profileBuilder>(w);
  b->pbValueType(tagProfile_PeriodType, "space", "bytes");
  b->period(rate);
  b->pbValueType(tagProfile_SampleType, "alloc_objects", "count");
  b->pbValueType(tagProfile_SampleType, "alloc_space", "bytes");
  b->pbValueType(tagProfile_SampleType, "inuse_objects", "count");
  b->pbValueType(tagProfile_SampleType, "inuse_space", "bytes");
  if (!defaultSampleType.empty()) b->defaultSampleType(defaultSampleType);
  for (const MemProfileRecord& r : p) {
    scaled alloc = scaleHeapSample(r.AllocObjects, r.AllocBytes, rate);
    scaled inuse = scaleHeapSample(r.InUseObjects(), r.InUseBytes(), rate);
    std::int64_t values[] = {alloc.count, alloc.size, inuse.count, inuse.size};
    std::vector<sampleLabel> labels;
    if (r.AllocObjects > 0) labels.push_back({"bytes", "", r.AllocBytes / r.AllocObjects});
    b->sample(values, r.Stack(), hideRuntime, labels);
  }
  return writeError(b->build());
}

// The line of a place: «3: 4096 [5: 8192] @ 0x...».
void appendCounts(std::string* text, const MemProfileRecord& r) {
  text->append(std::to_string(r.InUseObjects())).append(": ");
  text->append(std::to_string(r.InUseBytes())).append(" [");
  text->append(std::to_string(r.AllocObjects)).append(": ");
  text->append(std::to_string(r.AllocBytes)).append("] @");
}

void appendStack(std::string* text, std::span<const uintptr> stk) {
  for (uintptr pc : stk) {
    text->push_back(' ');
    appendHex(text, pc);
  }
  text->push_back('\n');
}

void appendMemStats(std::string* text, const MemStats& s) {
  auto line = [text](const char* name, const std::string& value) {
    text->append("# ").append(name).append(" = ").append(value).append("\n");
  };
  auto num = [&](const char* name, std::uint64_t v) { line(name, std::to_string(v)); };
  auto pair = [&](const char* name, std::uint64_t a, std::uint64_t b) {
    line(name, std::to_string(a) + " / " + std::to_string(b));
  };
  auto ring = [&](const char* name, const std::uint64_t(&v)[256]) {
    std::string all = "[";
    for (std::size_t i = 0; i < 256; i++) all += (i == 0 ? "" : " ") + std::to_string(v[i]);
    line(name, all + "]");
  };
  text->append("\n# runtime.MemStats\n");
  num("Alloc", s.Alloc);
  num("TotalAlloc", s.TotalAlloc);
  num("Sys", s.Sys);
  num("Lookups", s.Lookups);
  num("Mallocs", s.Mallocs);
  num("Frees", s.Frees);
  num("HeapAlloc", s.HeapAlloc);
  num("HeapSys", s.HeapSys);
  num("HeapIdle", s.HeapIdle);
  num("HeapInuse", s.HeapInuse);
  num("HeapReleased", s.HeapReleased);
  num("HeapObjects", s.HeapObjects);
  pair("Stack", s.StackInuse, s.StackSys);
  pair("MSpan", s.MSpanInuse, s.MSpanSys);
  pair("MCache", s.MCacheInuse, s.MCacheSys);
  num("BuckHashSys", s.BuckHashSys);
  num("GCSys", s.GCSys);
  num("OtherSys", s.OtherSys);
  num("NextGC", s.NextGC);
  num("LastGC", s.LastGC);
  ring("PauseNs", s.PauseNs);
  ring("PauseEnd", s.PauseEnd);
  num("NumGC", s.NumGC);
  num("NumForcedGC", s.NumForcedGC);
  char fraction[32];
  auto end = std::to_chars(fraction, fraction + sizeof fraction, s.GCCPUFraction).ptr;
  line("GCCPUFraction", std::string(fraction, end));
  line("DebugGC", s.DebugGC ? "true" : "false");
  rusage ru{};
  if (syscall::RawSyscall(SYS_getrusage, RUSAGE_SELF, reinterpret_cast<long>(&ru)) == 0)
    num("MaxRSS", static_cast<std::uint64_t>(ru.ru_maxrss) << 10);
}

error printCountCycleProfile(Writer w, const std::vector<BlockProfileRecord>& p) {
  auto b = std::make_unique<profileBuilder>(w);
  b->pbValueType(tagProfile_PeriodType, "contentions", "count");
  b->period(1);
  b->pbValueType(tagProfile_SampleType, "contentions", "count");
  b->pbValueType(tagProfile_SampleType, "delay", "nanoseconds");
  double cpuGHz = static_cast<double>(tickspersecond()) / 1e9;
  for (const BlockProfileRecord& r : p) {
    auto ns = static_cast<std::int64_t>(static_cast<double>(r.Cycles) / cpuGHz);
    std::int64_t values[] = {r.Count, ns};
    b->sample(values, r.Stack(), hideWait, {});
  }
  return writeError(b->build());
}

error writeProfileInternal(Writer w, int debug, std::string_view name,
                           ProfileResult (*fetch)(std::span<BlockProfileRecord>)) {
  auto p = records<BlockProfileRecord>([fetch](auto& v) { return fetch(v); });
  std::sort(p.begin(), p.end(), [](auto& a, auto& b) { return a.Cycles > b.Cycles; });
  if (debug <= 0) return printCountCycleProfile(w, p);

  std::string text = "--- " + std::string(name) + ":\n";
  text += "cycles/second=" + std::to_string(tickspersecond()) + "\n";
  if (name == "mutex")
    text += "sampling period=" + std::to_string(SetMutexProfileFraction(-1)) + "\n";
  auto sym = std::make_unique<symbolizer>();
  for (const BlockProfileRecord& r : p) {
    text += std::to_string(r.Cycles) + " " + std::to_string(r.Count) + " @";
    appendStack(&text, r.Stack());
    printStackRecord(&text, sym.get(), r.Stack(), true);
  }
  return writeText(w, tabwriter(text));
}

}  // namespace

int countHeap() { return MemProfile({}, true).n; }

error writeHeap(Writer w, int debug, std::string_view defaultSampleType) {
  // First, so that what is allocated below does not show in it.
  MemStats* memStats = nullptr;
  if (debug != 0) {
    memStats = make<MemStats>();
    ReadMemStats(memStats);
  }
  auto p = records<MemProfileRecord>([](auto& v) { return MemProfile(v, true); });
  if (debug == 0) return writeHeapProto(w, p, MemProfileRate, defaultSampleType);

  std::sort(p.begin(), p.end(), [](auto& a, auto& b) { return a.InUseBytes() > b.InUseBytes(); });
  MemProfileRecord total;
  for (const MemProfileRecord& r : p) {
    total.AllocBytes += r.AllocBytes;
    total.AllocObjects += r.AllocObjects;
    total.FreeBytes += r.FreeBytes;
    total.FreeObjects += r.FreeObjects;
  }
  // Twice the rate is what the tool expects, since early profilers.
  std::string text = "heap profile: ";
  appendCounts(&text, total);
  text += " heap/" + std::to_string(2 * static_cast<std::int64_t>(MemProfileRate)) + "\n";
  auto sym = std::make_unique<symbolizer>();
  for (const MemProfileRecord& r : p) {
    appendCounts(&text, r);
    appendStack(&text, r.Stack());
    printStackRecord(&text, sym.get(), r.Stack(), false);
  }
  appendMemStats(&text, *memStats);
  return writeText(w, tabwriter(text));
}

error writeBlock(Writer w, int debug) {
  return writeProfileInternal(w, debug, "contention", BlockProfile);
}
error writeMutex(Writer w, int debug) {
  return writeProfileInternal(w, debug, "mutex", MutexProfile);
}

}  // namespace gort::runtime::pprof
