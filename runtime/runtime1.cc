#include "runtime1.h"

#include <unistd.h>

#include "stubs.h"

namespace gort::runtime {

dbgT dbg;

namespace {

// Until the environment has been read a crash shows everything.
atomic::Uint32 traceback_cache{2 << tracebackShift};
// What the environment asked for: the least that SetTraceback can set.
std::uint32_t traceback_env;

struct dbgVar {
  const char* name;
  std::int32_t* value;
};

const dbgVar dbgvars[] = {
    {"adaptivestackstart", &dbg.adaptivestackstart},
    {"asyncpreemptoff", &dbg.asyncpreemptoff},
    {"clobberfree", &dbg.clobberfree},
    {"dontfreezetheworld", &dbg.dontfreezetheworld},
    {"efence", &dbg.efence},
    {"gccheckmark", &dbg.gccheckmark},
    {"gcevery", &dbg.gcevery},
    {"gcshrinkstackoff", &dbg.gcshrinkstackoff},
    {"gcstoptheworld", &dbg.gcstoptheworld},
    {"gctrace", &dbg.gctrace},
    {"heapstackcheck", &dbg.heapstackcheck},
    {"panicnil", &dbg.panicnil},
    {"scheddetail", &dbg.scheddetail},
    {"schedtrace", &dbg.schedtrace},
    {"stackfaultonfree", &dbg.stackfaultonfree},
    {"stackmoveall", &dbg.stackmoveall},
    {"stackpoison", &dbg.stackpoison},
    {"tracebackancestors", &dbg.tracebackancestors},
};

uintptr indexByte(const char* s, uintptr n, char c) {
  uintptr i = 0;
  while (i < n && s[i] != c) i++;
  return i;
}

uintptr findnull(const char* s) {
  uintptr n = 0;
  while (s[n] != 0) n++;
  return n;
}

// s, of n bytes, is the same text as the C string t.
bool equal(const char* s, uintptr n, const char* t) {
  for (uintptr i = 0; i < n; i++)
    if (t[i] == 0 || s[i] != t[i]) return false;
  return t[n] == 0;
}

// Later settings of a name override earlier ones; unknown names and bad numbers are ignored.
void parsegodebug(const char* p) {
  for (uintptr left = findnull(p); left > 0;) {
    uintptr len = indexByte(p, left, ',');
    uintptr eq = indexByte(p, len, '=');
    if (eq < len) {
      auto [n, ok] = atoi(p + eq + 1, len - eq - 1);
      if (ok && n == static_cast<std::int32_t>(n))
        for (const dbgVar& v : dbgvars)
          if (equal(p, eq, v.name)) *v.value = static_cast<std::int32_t>(n);
    }
    uintptr step = len < left ? len + 1 : len;
    p += step;
    left -= step;
  }
}

}  // namespace

// An explored run is the same whatever else is in the environment.
GORT_NO_STEPS const char* gogetenv(const char* key) {
  uintptr n = findnull(key);
  for (char** e = environ; e != nullptr && *e != nullptr; e++) {
    const char* s = *e;
    uintptr i = 0;
    while (i < n && s[i] == key[i]) i++;
    if (i == n && s[n] == '=') return s + n + 1;
  }
  return nullptr;
}

atoiResult atoi(const char* s, uintptr len) {
  bool negative = len > 0 && *s == '-';
  uintptr i = negative ? 1 : 0;
  if (i == len) return {0, false};
  constexpr std::uint64_t limit = std::uint64_t(1) << 63;
  std::uint64_t u = 0;
  for (; i < len; i++) {
    if (s[i] < '0' || s[i] > '9') return {0, false};
    auto digit = static_cast<std::uint64_t>(s[i] - '0');
    if (u > (limit - digit) / 10) return {0, false};
    u = u * 10 + digit;
  }
  if (!negative && u == limit) return {0, false};
  return {static_cast<std::int64_t>(negative ? ~u + 1 : u), true};
}

atoiResult atoi(const char* s) { return atoi(s, findnull(s)); }

gotracebackResult gotraceback() {
  m* mp = getg()->m;
  std::uint32_t t = traceback_cache.Load();
  throwType throwing = mp->throwing;
  gotracebackResult r;
  r.crash = (t & tracebackCrash) != 0;
  r.all = throwing >= throwTypeUser || (t & tracebackAll) != 0;
  if (mp->traceback != 0)
    r.level = mp->traceback;
  else if (throwing >= throwTypeRuntime)
    r.level = 2;  // a fault of the runtime is looked for in the runtime
  else
    r.level = static_cast<std::int32_t>(t >> tracebackShift);
  return r;
}

void setTraceback(const char* level) {
  uintptr n = findnull(level);
  std::uint32_t t;
  if (equal(level, n, "none")) {
    t = 0;
  } else if (equal(level, n, "single") || n == 0) {
    t = 1 << tracebackShift;
  } else if (equal(level, n, "all")) {
    t = 1 << tracebackShift | tracebackAll;
  } else if (equal(level, n, "system")) {
    t = 2 << tracebackShift | tracebackAll;
  } else if (equal(level, n, "crash")) {
    t = 2 << tracebackShift | tracebackAll | tracebackCrash;
  } else {
    t = tracebackAll;
    auto [num, ok] = atoi(level, n);
    if (ok && num == static_cast<std::uint32_t>(num))
      t |= static_cast<std::uint32_t>(num) << tracebackShift;
  }
  traceback_cache.Store(t | traceback_env);
}

void parsedebugvars() {
  dbg.adaptivestackstart = 1;
  if (const char* s = gogetenv("GODEBUG")) parsegodebug(s);
  const char* s = gogetenv("GOTRACEBACK");
  setTraceback(s != nullptr ? s : "");
  traceback_env = traceback_cache.Load();
}

namespace debug {
void SetTraceback(const char* level) { setTraceback(level); }
}  // namespace debug

}  // namespace gort::runtime
