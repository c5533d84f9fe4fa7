#include "symname.h"

#include "symname_reader.h"

namespace gort::runtime {

bool symname::hasPrefix(const char* prefix) const {
  for (uintptr i = 0; prefix[i] != 0; i++)
    if (i >= len || buf[i] != prefix[i]) return false;
  return true;
}

bool symname::is(const char* name) const {
  uintptr n = 0;
  while (name[n] != 0) n++;
  return n == len && hasPrefix(name);
}

bool symname::contains(char c) const {
  for (uintptr i = 0; i < len; i++)
    if (buf[i] == c) return true;
  return false;
}

namespace {

using namespace mangled;

struct writer {
  symname* out;
  void put(char c) {
    if (out->len < sizeof out->buf) out->buf[out->len++] = c;
  }
  void put(const char* s) {
    while (*s != 0) put(*s++);
  }
  void put(const char* s, uintptr n) {
    for (uintptr i = 0; i < n; i++) put(s[i]);
  }
  void putnumber(uintptr v) {
    if (v >= 10) putnumber(v / 10);
    put(static_cast<char>('0' + v % 10));
  }
};

bool textIs(const component& c, const char* s) {
  if (c.k != kName || c.targs) return false;
  uintptr i = 0;
  for (; i < c.n; i++)
    if (s[i] == 0 || s[i] != c.p[i]) return false;
  return s[i] == 0;
}

struct packageName {
  const char* first;
  const char* second;  // or null
  const char* path;
};
// Namespaces inside gort that are Go packages; longer ones first.
constexpr packageName packages[] = {
    {"runtime", "debug", "runtime/debug"},
    {"runtime", "trace", "runtime/trace"},
    {"runtime", "pprof", "runtime/pprof"},
    {"runtime", nullptr, "runtime"},
    {"sync", nullptr, "sync"},
    {"time", nullptr, "time"},
    {"syscall", nullptr, "syscall"},
    {"os", "signal", "os/signal"},
    {"os", nullptr, "os"},
};

void putcomponent(writer& w, const component* first, const component& c) {
  switch (c.k) {
    case kCtor:
    case kDtor: {
      if (c.k == kDtor) w.put('~');
      if (&c != first && (&c)[-1].k == kName) w.put((&c)[-1].p, (&c)[-1].n);
      break;
    }
    default:
      w.put(c.p, c.n);
  }
  if (c.targs) w.put("[...]");
}

// Writes comps[i..n) behind the package. Each run up to a boundary is one function: classes, then
// its name, or a lambda.
void putfunctions(writer& w, const component* comps, int n, int i, bool builtin) {
  bool afterLambda = false;
  bool first = true;
  while (i < n) {
    int end = i;
    while (end < n && comps[end].k != kBoundary) end++;
    // A lambda may stand in a class or namespace; what comes before it is written like a function.
    int names = i;
    while (names < end && comps[names].k != kLambda) names++;
    if (names > i) {
      w.put('.');
      if (names - i > 1 && !builtin) {
        w.put("(*");
        for (int j = i; j < names - 1; j++) {
          if (j > i) w.put('.');
          putcomponent(w, comps, comps[j]);
        }
        w.put(").");
      } else {
        for (int j = i; j < names - 1; j++) {
          putcomponent(w, comps, comps[j]);
          w.put('.');
        }
      }
      putcomponent(w, comps, comps[names - 1]);
      afterLambda = false;
    } else if (first && i < end) {
      w.put(".glob.");
    }
    for (int j = names; j < end; j++) {
      if (comps[j].k == kLambda) {
        w.put('.');
        if (!afterLambda) w.put("func");
        w.putnumber(comps[j].n);
        afterLambda = true;
      } else {
        w.put('.');
        putcomponent(w, comps, comps[j]);
        afterLambda = false;
      }
    }
    first = false;
    i = end + 1;
  }
}

void writename(writer& w, reader& r) {
  component* c = r.comps;
  int n = r.n;
  // The components of the outermost function.
  int outer = 0;
  while (outer < n && c[outer].k != kBoundary) outer++;
  if (r.constmember && outer == n && n >= 2 && c[n - 2].k == kName) c[n - 2].isclass = true;

  int i = 0;
  if (outer > 1 && textIs(c[0], "gort")) {
    i = 1;
    for (const packageName& pkg : packages) {
      if (!textIs(c[1], pkg.first) || outer < 3) continue;
      if (pkg.second != nullptr && (!textIs(c[2], pkg.second) || outer < 4)) continue;
      w.put(pkg.path);
      i = pkg.second != nullptr ? 3 : 2;
      // Namespaces that are there for C++'s sake only.
      while (i < outer - 1 && (textIs(c[i], "detail") || textIs(c[i], "types"))) i++;
      // throw_, new_: Go's names that are keywords here.
      component& last = c[outer - 1];
      if (last.k == kName && last.n > 1 && last.p[last.n - 1] == '_') last.n--;
      return putfunctions(w, c, n, i, false);
    }
    w.put("runtime");
    std::uint16_t at = w.out->len;
    putfunctions(w, c, n, i, true);
    // A built-in is not one of package runtime's exported functions.
    if (at + 1 < w.out->len && isUpper(w.out->buf[at + 1])) w.out->buf[at + 1] += 'a' - 'A';
    return;
  }
  if (outer > 0 && c[0].k == kName && c[0].n > 2 && c[0].p[0] == '_' && c[0].p[1] == '_' &&
      !textIs(c[0], "__gnu_cxx")) {
    // A sanitizer's or a compiler's own: bare, so that it is hidden like a C function.
    w.put(c[0].p, c[0].n);
    return;
  }
  while (i < outer - 1 && c[i].k == kName && !c[i].targs && !c[i].isclass && !isUpper(c[i].p[0])) {
    if (i > 0) w.put('/');
    w.put(c[i].p, c[i].n);
    i++;
  }
  if (i == 0) w.put("main");
  putfunctions(w, c, n, i, false);
}

bool startsWith(const char* s, const char* prefix) {
  while (*prefix != 0)
    if (*s++ != *prefix++) return false;
  return true;
}

bool equals(const char* a, const char* b) {
  while (*a != 0 && *a == *b) a++, b++;
  return *a == *b;
}

}  // namespace

namespace {

uintptr cstrlen(const char* s) {
  uintptr n = 0;
  while (s[n] != 0) n++;
  return n;
}

// The lambda that Main was called with, as its type is mangled behind «4mainE»; null if it is not one.
const char* mainLambda;  // constant once the scheduler runs

bool isMainLambda(const char* s) {
  if (s == nullptr || mainLambda == nullptr || !startsWith(s, "_Z")) return false;
  for (s += 2; *s == 'Z';) s++;
  if (!startsWith(s, "4mainENK")) return false;
  s += 8;
  if (!startsWith(s, mainLambda)) return false;
  return startsWith(s + cstrlen(mainLambda), "cl");
}

// main.main.funcN -> main.main, main.main.funcN.M... -> main.main.funcM...
void dropMainLambda(symname* out) {
  constexpr uintptr head = 9;  // main.main
  uintptr i = head;
  auto isDigit = [](char c) { return c >= '0' && c <= '9'; };
  if (!out->hasPrefix("main.main.func")) return;
  for (i += 5; i < out->len && isDigit(out->buf[i]);) i++;
  uintptr n = head;
  if (i < out->len && out->buf[i] == '.') {
    i++;
    if (i < out->len && isDigit(out->buf[i])) {
      for (const char* f = ".func"; *f != 0; f++) out->buf[n++] = *f;
    } else {
      out->buf[n++] = '.';
    }
  }
  while (i < out->len) out->buf[n++] = out->buf[i++];
  out->len = static_cast<std::uint16_t>(n);
}

}  // namespace

symname gosymname(const char* s) {
  symname out;
  writer w{&out};
  if (s == nullptr) {
    w.put("?");
  } else if (startsWith(s, "_Z")) {
    reader r(s + 2);
    // A thunk is shown as the function that it leads to.
    if (r.p[0] == 'T' && r.p[1] == 'h') {
      while (*r.p != 0 && *r.p != '_') r.p++;
      if (*r.p != 0) r.p++;
    }
    r.encoding(&out.noargs);
    if (r.n > 0) {
      // What could not be read stands in template arguments; the rest of the name is lost.
      if (!r.ok) r.comps[r.n - 1].targs = true;
      out.noargs &= r.ok;
      writename(w, r);
    } else {
      out.noargs = false;
      const char* t = s + 2;
      while (*t == 'Z' || *t == 'N' || *t == 'K') t++;
      w.put(startsWith(t, "4gort") ? "runtime." : startsWith(t, "St") ? "std." : "main.");
      w.put(s);
    }
  } else if (equals(s, "gort_gostart")) {
    w.put("runtime.goexit");
  } else if (startsWith(s, "__morestack")) {
    w.put("runtime.morestack");
  } else if (startsWith(s, "gort_")) {
    w.put("runtime.");
    w.put(s + 5);
  } else if (equals(s, "main")) {
    w.put("main.main");
  } else {
    w.put(s);
  }
  if (isMainLambda(s)) dropMainLambda(&out);
  return out;
}

void setMainName(const char* typeName) {
  constexpr uintptr head = 7;  // Z4mainE
  if (startsWith(typeName, "Z4mainE")) mainLambda = typeName + head;
}

}  // namespace gort::runtime
