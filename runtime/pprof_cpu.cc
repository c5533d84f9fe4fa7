// The CPU profile as a file. Ports that part of runtime/pprof's pprof.go and addCPUData of proto.go.
//
// cpu.mu protects what starts and stops; profileWriter, a goroutine, reads what the signal handlers log
// (cpuprof.h) and collects it, and writes the file when the profile has been stopped.
#include "cpuprof.h"
#include "gofunc.h"
#include "pprof_internal.h"
#include "sema.h"
#include "stack.h"
#include "sync.h"
#include "time.h"
#include "tsan.h"

namespace gort::runtime::pprof {

namespace {

struct {
  sync::Mutex mu;
  bool profiling = false;  // protected by mu
  Writer w;  // written under mu, before profileWriter exists
  atomic::Uint32 done;  // semaphore: profileWriter has ended
  bool ok = false;  // what it wrote came through; written before done is released
} cpu;

GORT_NOINLINE void lostProfileEvent() { asm volatile("nop # lostProfileEvent"); }

// What has been sampled: how often each stack, with which labels.
struct cpuData {
  std::int64_t period = 0;  // ns
  std::map<std::pair<stack, void*>, std::int64_t> counts;

  // Adds whole records: length, time, count, stack. The first one ever has the rate in Hz for its count.
  // A count of 0 says that as many records were lost as the stack's only word says.
  void add(std::span<const std::uint64_t> data, std::span<void* const> tags) {
    for (void* tag : tags) {
      std::size_t n = data[0];
      if (n < 3 || n > data.size()) panic("runtime/pprof: converting profile: malformed profile");
      auto count = static_cast<std::int64_t>(data[2]);
      stack stk(data.begin() + 3, data.begin() + static_cast<std::ptrdiff_t>(n));
      data = data.subspan(n);
      if (period == 0) {
        period = 1000000000 / count;
        continue;
      }
      if (count == 0 && stk.size() == 1) {
        count = static_cast<std::int64_t>(stk[0]);
        stk[0] = reinterpret_cast<uintptr>(lostProfileEvent) + 1;
      }
      counts[{std::move(stk), tag}] += count;
    }
  }

  bool write(Writer w, std::int64_t duration) {
    auto b = std::make_unique<profileBuilder>(w);
    b->pbValueType(tagProfile_SampleType, "samples", "count");
    b->pbValueType(tagProfile_SampleType, "cpu", "nanoseconds");
    b->duration(duration);
    b->pbValueType(tagProfile_PeriodType, "cpu", "nanoseconds");
    b->period(period);
    for (auto& [key, count] : counts) {
      std::int64_t values[] = {count, count * period};
      std::vector<sampleLabel> labels;
      if (key.second != nullptr)
        static_cast<LabelSet*>(key.second)->ForLabels([&](const string& k, const string& v) {
          labels.push_back({std::string(k), std::string(v), 0});
        });
      b->sample(values, key.first, nullptr, labels);
    }
    return b->build();
  }
};

void profileWriter() {
  constexpr int maxData = 1 << 13, maxTags = 1 << 10;
  auto all = std::make_unique<cpuData>();
  std::vector<std::uint64_t> data(maxData);
  std::vector<void*> tags(maxTags);
  std::int64_t start = time::Now().UnixNano();
  for (;;) {
    profBuf::readResult r = readProfile(data.data(), maxData, tags.data(), maxTags);
    if (r.eof) break;
    if (r.ndata == 0) {
      time::Sleep(100 * time::Millisecond);
      continue;
    }
    // For TSan: after whoever has set the labels (proflabel.cc).
    runtime_getProfLabel();
    all->add({data.data(), static_cast<std::size_t>(r.ndata)},
             {tags.data(), static_cast<std::size_t>(r.ntags)});
  }
  cpu.ok = all->write(cpu.w, time::Now().UnixNano() - start);
  semrelease(&cpu.done);
}

}  // namespace

error StartCPUProfile(Writer w) {
  constexpr int hz = 100;
  checkclosure(&w, sizeof w);
  cpu.mu.Lock();
  bool busy = cpu.profiling;
  if (!busy) {
    cpu.profiling = true;
    cpu.w = w;
    SetCPUProfileRate(hz);
    go(profileWriter);
  }
  cpu.mu.Unlock();
  return busy ? error("cpu profiling already in use") : error();
}

void StopCPUProfile() {
  cpu.mu.Lock();
  if (cpu.profiling) {
    cpu.profiling = false;
    SetCPUProfileRate(0);
    semacquire(&cpu.done);
  }
  cpu.mu.Unlock();
}

}  // namespace gort::runtime::pprof
