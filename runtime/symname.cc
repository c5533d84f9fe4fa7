#include "symname.h"

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

enum kind : std::uint8_t { kName, kOperator, kLambda, kCtor, kDtor, kBoundary };

// One component of a nested name; kBoundary ends the name of an enclosing function.
struct component {
  kind k;
  bool targs;      // has template arguments
  bool isclass;
  const char* p;
  uintptr n;       // length, or the number of a lambda
};

bool isDigit(char c) { return '0' <= c && c <= '9'; }
bool isLower(char c) { return 'a' <= c && c <= 'z'; }
bool isUpper(char c) { return 'A' <= c && c <= 'Z'; }

struct operatorName {
  char code[3];
  const char* text;
};
constexpr operatorName operators[] = {
    {"cl", "operator()"}, {"ix", "operator[]"}, {"eq", "operator=="}, {"ne", "operator!="},
    {"lt", "operator<"},  {"gt", "operator>"},  {"le", "operator<="}, {"ge", "operator>="},
    {"ss", "operator<=>"}, {"pl", "operator+"}, {"mi", "operator-"},  {"ml", "operator*"},
    {"dv", "operator/"},  {"rm", "operator%"},  {"aS", "operator="},  {"pL", "operator+="},
    {"mI", "operator-="}, {"pp", "operator++"}, {"mm", "operator--"}, {"ls", "operator<<"},
    {"rs", "operator>>"}, {"pt", "operator->"}, {"de", "operator*"},  {"nt", "operator!"},
    {"nw", "operator new"}, {"dl", "operator delete"}, {"cm", "operator,"}, {"co", "operator~"},
    {"ad", "operator&"},  {"an", "operator&"},  {"or", "operator|"},  {"eo", "operator^"},
    {"aa", "operator&&"}, {"oo", "operator||"}, {"na", "operator new[]"},
    {"da", "operator delete[]"},
};

// Reads one mangled name. All functions advance p; after a failure ok is false and p means nothing.
class reader {
 public:
  explicit reader(const char* s) : p(s) {}

  const char* p;
  bool ok = true;
  component comps[40];
  int n = 0;
  bool constmember = false;

  // <name> [<types>], up to the end or to an E. Sets noargs for the outermost.
  void encoding(bool* noargs) {
    if (!enter()) return;
    bool targs = name(true);
    if (*p != 0 && *p != 'E' && *p != '.') {
      if (targs) type();  // a template's name is followed by its result type
      if (noargs != nullptr) *noargs = ok && *p == 'v' && (p[1] == 0 || p[1] == '.');
      if (noargs == nullptr)
        while (ok && *p != 0 && *p != 'E') type();
    }
    depth--;
  }

 private:
  int depth = 0;

  bool enter() {
    if (++depth > 40) ok = false;
    return ok;
  }
  bool fail() { return ok = false; }
  bool take(char c) {
    if (*p != c) return false;
    p++;
    return true;
  }
  void expect(char c) {
    if (!take(c)) ok = false;
  }

  void add(kind k, const char* s, uintptr len) {
    if (n < int(sizeof comps / sizeof *comps)) comps[n++] = {k, false, false, s, len};
  }

  uintptr number() {
    uintptr v = 0;
    while (isDigit(*p) && v < 100000) v = v * 10 + static_cast<uintptr>(*p++ - '0');
    return v;
  }

  // <seq>_ : digits and capitals, then an underscore.
  void seqid() {
    while (isDigit(*p) || isUpper(*p)) p++;
    expect('_');
  }

  void sourcename(bool keep) {
    uintptr len = number();
    const char* s = p;
    for (uintptr i = 0; i < len; i++, p++)
      if (*p == 0) {
        ok = false;
        return;
      }
    if (!keep) return;
    auto is = [&](const char* t) {
      for (uintptr i = 0; t[i] != 0; i++)
        if (i >= len || s[i] != t[i]) return false;
      return true;
    };
    if (is("_GLOBAL__N_") || is("__cxx11")) return;  // anonymous and inline namespaces
    if (len > 2 && s[0] == '$' && s[1] == '_') {
      uintptr k = 0;
      for (uintptr i = 2; i < len && isDigit(s[i]); i++) k = k * 10 + uintptr(s[i] - '0');
      add(kLambda, nullptr, k + 1);
      return;
    }
    if (n > 0 && comps[n - 1].k == kLambda && is("__invoke")) return;
    add(kName, s, len);
  }

  void templateargs() {
    if (!enter()) return;
    while (ok && *p != 'E' && *p != 0) templatearg();
    expect('E');
    depth--;
  }

  void templatearg() {
    if (take('J')) return templateargs();
    if (take('L')) return literal();
    if (*p == 'X' || *p == 'Q') {  // expressions
      fail();
      return;
    }
    type();
  }

  void literal() {
    if (p[0] == '_' && p[1] == 'Z') {
      p += 2;
      nested(nullptr);
    } else {
      type();
      while (*p != 'E' && *p != 0) p++;
    }
    expect('E');
  }

  // An encoding whose components do not count.
  void nested(bool* noargs) {
    int keep = n;
    bool keepconst = constmember;
    encoding(noargs);
    n = keep;
    constmember = keepconst;
  }

  // Returns whether the name ends with template arguments. keep: its components count.
  bool name(bool keep) {
    if (!enter()) return false;
    int before = n;
    bool targs = false;
    if (take('N')) {
      targs = nestedname();
    } else if (take('Z')) {
      encoding(nullptr);
      expect('E');
      if (take('s')) {  // a string literal
      } else {
        add(kBoundary, nullptr, 0);
        if (take('d')) {
          number();
          expect('_');
        }
        targs = name(true);
      }
      discriminator();
    } else {
      if (p[0] == 'S' && p[1] == 't') {
        p += 2;
        add(kName, "std", 3);
      }
      if (*p == 'S') {
        substitution();
      } else {
        unqualified();
      }
      if (take('I')) {
        templateargs();
        if (n > 0) comps[n - 1].targs = true;
        targs = true;
      }
    }
    if (!keep) n = before;
    depth--;
    return targs;
  }

  void discriminator() {
    if (*p == '_' && isDigit(p[1])) {
      p += 2;
    } else if (p[0] == '_' && p[1] == '_' && isDigit(p[2])) {
      p += 2;
      number();
      expect('_');
    }
  }

  void substitution() {
    expect('S');
    switch (*p) {
      case 't': p++; add(kName, "std", 3); return;
      case 'a': p++; add(kName, "std", 3); add(kName, "allocator", 9); return;
      case 'b':
      case 's': p++; add(kName, "std", 3); add(kName, "string", 6); comps[n - 1].isclass = true; return;
      case 'i': p++; add(kName, "std", 3); add(kName, "istream", 7); return;
      case 'o': p++; add(kName, "std", 3); add(kName, "ostream", 7); return;
      case 'd': p++; add(kName, "std", 3); add(kName, "iostream", 8); return;
      default: seqid();
    }
  }

  bool nestedname() {
    bool targs = false;
    bool isconst = false;
    while (*p == 'r' || *p == 'V' || *p == 'K') isconst |= *p++ == 'K';
    if (*p == 'R' || *p == 'O') p++;
    constmember = isconst;
    while (ok && *p != 'E') {
      if (*p == 0) return fail();
      if (take('I')) {
        templateargs();
        if (n > 0) comps[n - 1].targs = true;
        targs = true;
        continue;
      }
      targs = false;
      if (*p == 'S')
        substitution();
      else if (*p == 'T')
        type();
      else if (*p == 'D' && (p[1] == 't' || p[1] == 'T'))
        return fail();
      else
        unqualified();
    }
    expect('E');
    return targs;
  }

  void markclass() {
    if (n > 0 && comps[n - 1].k == kName) comps[n - 1].isclass = true;
  }

  void unqualified() {
    while (take('L')) {  // internal linkage
    }
    if (take('F')) markclass();  // a friend that is defined in a class
    if (isDigit(*p)) {
      sourcename(true);
    } else if (p[0] == 'U' && p[1] == 'l') {
      p += 2;
      while (ok && *p != 'E' && *p != 0) type();
      expect('E');
      uintptr k = isDigit(*p) ? number() + 2 : 1;
      expect('_');
      add(kLambda, nullptr, k);
    } else if (p[0] == 'U' && p[1] == 't') {
      p += 2;
      number();
      expect('_');
      add(kName, "struct", 6);
    } else if (*p == 'C') {
      markclass();
      p++;
      if (take('I')) {
        p++;
        type();
      } else {
        p++;
      }
      add(kCtor, nullptr, 0);
    } else if (p[0] == 'D' && isDigit(p[1])) {
      markclass();
      p += 2;
      add(kDtor, nullptr, 0);
    } else if (p[0] == 'D' && p[1] == 'C') {
      p += 2;
      while (ok && isDigit(*p)) sourcename(false);
      expect('E');
      add(kName, "binding", 7);
    } else if (isLower(*p)) {
      operatorname();
    } else {
      fail();
    }
    while (ok && take('B')) sourcename(false);  // ABI tags
  }

  void operatorname() {
    if (p[0] == 'c' && p[1] == 'v') {
      markclass();
      p += 2;
      type();
      add(kOperator, "operator type", 13);  // a conversion
      return;
    }
    if (p[0] == 'l' && p[1] == 'i') {
      p += 2;
      sourcename(false);
      add(kOperator, "operator\"\"", 10);
      return;
    }
    for (const operatorName& o : operators) {
      if (p[0] != o.code[0] || p[1] != o.code[1]) continue;
      p += 2;
      if (n > 0 && comps[n - 1].k == kLambda && o.code[0] == 'c' && o.code[1] == 'l') return;
      // These can only be members.
      constexpr const char* members[] = {"cl", "ix", "aS", "pt"};
      for (const char* m : members)
        if (o.code[0] == m[0] && o.code[1] == m[1]) markclass();
      uintptr len = 0;
      while (o.text[len] != 0) len++;
      add(kOperator, o.text, len);
      return;
    }
    if (*p == 0 || p[1] == 0) {
      fail();
      return;
    }
    p += 2;
    add(kOperator, "operator", 8);
  }

  void type() {
    if (!enter()) return;
    typeInner();
    depth--;
  }

  void typeInner() {
    char c = *p;
    switch (c) {
      case 'r': case 'V': case 'K': case 'P': case 'R': case 'O': case 'C': case 'G':
        p++;
        return type();
      case 'F':
        p++;
        take('Y');
        while (ok && *p != 'E' && *p != 0) {
          if ((*p == 'R' || *p == 'O') && p[1] == 'E') {
            p++;
            continue;
          }
          type();
        }
        return expect('E');
      case 'A':
        p++;
        number();
        expect('_');
        return type();
      case 'M':
        p++;
        type();
        return type();
      case 'T':
        p++;
        if (*p == 's' || *p == 'u' || *p == 'e') {
          p++;
          name(false);
          return;
        }
        seqid();
        if (take('I')) templateargs();
        return;
      case 'S': {
        int keep = n;
        if (p[1] == 't') {
          name(false);
        } else {
          substitution();
          if (take('I')) templateargs();
        }
        n = keep;
        return;
      }
      case 'N':
      case 'Z': {
        int keep = n;
        bool keepconst = constmember;
        name(false);
        n = keep;
        constmember = keepconst;
        return;
      }
      case 'U':
        if (p[1] == 'l' || p[1] == 't') {
          int keep = n;
          unqualified();
          n = keep;
          return;
        }
        p++;
        sourcename(false);
        if (take('I')) templateargs();
        return type();
      case 'u':
        p++;
        sourcename(false);
        if (take('I')) templateargs();
        return;
      case 'D':
        switch (p[1]) {
          case 'p': p += 2; return type();
          case 'o': p += 2; return type();  // noexcept function
          case 'v': p += 2; number(); expect('_'); return type();
          case 'd': case 'e': case 'f': case 'h': case 'i': case 's': case 'u': case 'a': case 'c':
          case 'n':
            p += 2;
            return;
          default: ok = false; return;
        }
      default:
        if (isDigit(c)) {
          name(false);
          return;
        }
        if (isLower(c)) {
          p++;
          return;
        }
        ok = false;
    }
  }
};

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
    {"runtime", "debug", "runtime/debug"}, {"runtime", "trace", "runtime/trace"},
    {"runtime", "pprof", "runtime/pprof"}, {"runtime", nullptr, "runtime"},
    {"sync", nullptr, "sync"},             {"time", nullptr, "time"},
    {"syscall", nullptr, "syscall"},       {"os", "signal", "os/signal"},
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
    default: w.put(c.p, c.n);
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
  return out;
}

}  // namespace gort::runtime
