// See pprof.h. Ports the part of runtime/pprof's pprof.go that profiles share.
//
// Locks: profiles.mu protects the table of profiles, impl.mu what a program has added to one. Neither is
// held while a profile is written.
#include "pprof.h"

#include <algorithm>

#include "extern.h"
#include "goruntime.h"
#include "pprof_internal.h"
#include "sync.h"

namespace gort::runtime::pprof {

struct Profile::impl {
  std::string name;
  int (*count)() = nullptr;  // of a built-in profile; constant, as write
  error (*write)(Writer w, int debug) = nullptr;

  sync::Mutex mu;
  std::map<const void*, stack> m;  // protected by mu
};

namespace {

// What stacks were lost is attributed to.
GORT_NOINLINE void lostProfileEvent() { asm volatile("nop # lostProfileEvent"); }

// The stacks that fetch returns, with their labels; more may come up between two looks.
error writeRuntimeProfile(Writer w, int debug, std::string_view name,
                          ProfileResult (*fetch)(std::span<StackRecord>, std::span<void*>)) {
  std::vector<StackRecord> p;
  std::vector<void*> sets;
  for (ProfileResult r = fetch({}, {});;) {
    p.resize(static_cast<std::size_t>(r.n) + 10);
    sets.assign(p.size(), nullptr);
    r = fetch(p, sets);
    if (!r.ok) continue;
    p.resize(static_cast<std::size_t>(r.n));
    break;
  }
  std::vector<stack> stks;
  std::vector<LabelSet> labels;
  stks.reserve(p.size());
  labels.reserve(p.size());
  for (std::size_t i = 0; i < p.size(); i++) {
    auto stk = p[i].Stack();
    stks.emplace_back(stk.begin(), stk.end());
    labels.push_back(sets[i] == nullptr ? LabelSet() : *static_cast<LabelSet*>(sets[i]));
  }
  return printCountProfile(w, debug, name, stks, labels);
}

// All stacks as a crash prints them; those beyond 64 MB are cut off.
error writeGoroutineStacks(Writer w) {
  for (std::size_t size = 1 << 20;; size *= 2) {
    std::vector<char> buf(size);
    auto n = static_cast<std::size_t>(Stack(buf, true));
    if (n < size || size >= std::size_t(64) << 20) return writeText(w, {buf.data(), n});
  }
}

error writeGoroutine(Writer w, int debug) {
  if (debug >= 2) return writeGoroutineStacks(w);
  return writeRuntimeProfile(w, debug, "goroutine", GoroutineProfile);
}

error writeThreadCreate(Writer w, int debug) {
  return writeRuntimeProfile(
      w, debug, "threadcreate",
      [](std::span<StackRecord> p, std::span<void*>) { return ThreadCreateProfile(p); });
}

struct {
  sync::Mutex mu;
  std::map<std::string, Profile*, std::less<>>* m = nullptr;  // protected by mu; null at first
} profiles;

Profile* builtin(const char* name, int (*count)(), error (*write)(Writer, int)) {
  auto* p = new Profile::impl;
  p->name = name;
  p->count = count;
  p->write = write;
  return new Profile(p);
}

void addBuiltins() {
  Profile* all[] = {
      builtin(
          "goroutine", [] { return NumGoroutine(); }, writeGoroutine),
      builtin(
          "threadcreate", [] { return ThreadCreateProfile({}).n; }, writeThreadCreate),
      builtin("heap", countHeap, [](Writer w, int debug) { return writeHeap(w, debug, ""); }),
      builtin("allocs", countHeap,
              [](Writer w, int debug) { return writeHeap(w, debug, "alloc_space"); }),
      builtin(
          "block", [] { return BlockProfile({}).n; }, writeBlock),
      builtin(
          "mutex", [] { return MutexProfile({}).n; }, writeMutex),
  };
  for (Profile* p : all) profiles.m->emplace(p->Name(), p);
}

// Calls f with the table, locked.
template <class F>
auto withProfiles(F f) {
  profiles.mu.Lock();
  if (profiles.m == nullptr) {
    profiles.m = new std::map<std::string, Profile*, std::less<>>;
    addBuiltins();
  }
  auto r = f(*profiles.m);
  profiles.mu.Unlock();
  return r;
}

// What stacks and labels look like in the text format: the key by which equal ones are counted.
std::string countKey(const stack& stk, const LabelSet& labels) {
  std::string key = "@";
  for (uintptr pc : stk) {
    key.push_back(' ');
    appendHex(&key, pc);
  }
  if (labels.len() == 0) return key;
  key += "\n# labels: {";
  const char* sep = "";
  labels.ForLabels([&](const string& k, const string& v) {
    key.append(sep).append("\"").append(k).append("\":\"").append(v).append("\"");
    sep = ", ";
  });
  return key + "}";
}

}  // namespace

error printCountProfile(Writer w, int debug, std::string_view name, const std::vector<stack>& stks,
                        const std::vector<LabelSet>& labels) {
  struct entry {
    std::string key;
    std::size_t index;  // of the first of its kind
    std::int64_t count;
  };
  // By new, as all containers that point to themselves (pprof_internal.h).
  auto byKey = std::make_unique<std::map<std::string, entry>>();
  for (std::size_t i = 0; i < stks.size(); i++) {
    std::string key = countKey(stks[i], labels[i]);
    byKey->try_emplace(key, entry{key, i, 0}).first->second.count++;
  }
  std::vector<entry> entries;
  entries.reserve(byKey->size());
  for (auto& [key, e] : *byKey) entries.push_back(e);
  std::sort(entries.begin(), entries.end(), [](const entry& a, const entry& b) {
    return a.count != b.count ? a.count > b.count : a.key < b.key;
  });

  if (debug > 0) {
    std::string text = std::string(name) + " profile: total " + std::to_string(stks.size()) + "\n";
    auto sym = std::make_unique<symbolizer>();
    for (const entry& e : entries) {
      text += std::to_string(e.count) + " " + e.key + "\n";
      printStackRecord(&text, sym.get(), stks[e.index], false);
    }
    return writeText(w, tabwriter(text));
  }

  auto b = std::make_unique<profileBuilder>(w);
  b->pbValueType(tagProfile_PeriodType, name, "count");
  b->period(1);
  b->pbValueType(tagProfile_SampleType, name, "count");
  for (const entry& e : entries) {
    std::vector<sampleLabel> l;
    labels[e.index].ForLabels([&](const string& k, const string& v) {
      l.push_back({std::string(k), std::string(v), 0});
    });
    b->sample({&e.count, 1}, stks[e.index], nullptr, l);
  }
  return writeError(b->build());
}

Profile* NewProfile(std::string_view name) {
  if (name.empty()) panic("pprof: NewProfile with empty name");
  auto* p = new Profile::impl;
  p->name = name;
  auto* profile = new Profile(p);
  bool added = withProfiles([&](auto& m) { return m.emplace(std::string(name), profile).second; });
  if (!added) panic("pprof: NewProfile name already in use: " + string(name));
  return profile;
}

Profile* Lookup(std::string_view name) {
  return withProfiles([name](auto& m) -> Profile* {
    auto it = m.find(name);
    return it == m.end() ? nullptr : it->second;
  });
}

slice<Profile*> Profiles() {
  return withProfiles([](auto& m) {
    slice<Profile*> all;
    for (auto& [name, p] : m) all = append(all, p);
    return all;
  });
}

std::string_view Profile::Name() const { return impl_->name; }

int Profile::Count() {
  if (impl_->count != nullptr) return impl_->count();
  impl_->mu.Lock();
  int n = static_cast<int>(impl_->m.size());
  impl_->mu.Unlock();
  return n;
}

GORT_NOINLINE void Profile::Add(const void* value, int skip) {
  if (impl_->write != nullptr)
    panic("pprof: Add called on built-in Profile " + string(impl_->name));
  stack stk(maxStack);
  stk.resize(static_cast<std::size_t>(Callers(skip + 1, stk)));
  // skip was larger than the stack.
  if (stk.empty()) stk.push_back(reinterpret_cast<uintptr>(lostProfileEvent) + 1);
  impl_->mu.Lock();
  bool added = impl_->m.emplace(value, std::move(stk)).second;
  impl_->mu.Unlock();
  if (!added) panic("pprof: Profile.Add of duplicate value");
}

void Profile::Remove(const void* value) {
  impl_->mu.Lock();
  impl_->m.erase(value);
  impl_->mu.Unlock();
}

error Profile::WriteTo(Writer w, int debug) {
  if (impl_->write != nullptr) return impl_->write(w, debug);
  std::vector<stack> all;
  impl_->mu.Lock();
  all.reserve(impl_->m.size());
  for (auto& [value, stk] : impl_->m) all.push_back(stk);
  impl_->mu.Unlock();
  std::sort(all.begin(), all.end());
  return printCountProfile(w, debug, impl_->name, all, std::vector<LabelSet>(all.size()));
}

error WriteHeapProfile(Writer w) { return writeHeap(w, 0, ""); }

}  // namespace gort::runtime::pprof
