// Reads the name part of an Itanium-mangled symbol. Only symname.cc includes this.
//
// Invariants:
//  - The cursor never passes the terminating zero, and nesting is bounded: any text is safe input.
//  - comps holds the components of the function's own qualified name, outermost first. Those of
//    types, template arguments and parameters are skipped.
//  - After ok became false comps is what had been read by then; the rest of the name is unknown.
#pragma once

#include "sys.h"

namespace gort::runtime::mangled {

enum kind : std::uint8_t { kName, kOperator, kLambda, kCtor, kDtor, kBoundary };

// One component of a nested name; kBoundary ends the name of an enclosing function.
struct component {
  kind k;
  bool targs;      // has template arguments
  bool isclass;
  const char* p;
  uintptr n;       // length, or the number of a lambda
};

inline bool isDigit(char c) { return '0' <= c && c <= '9'; }
inline bool isLower(char c) { return 'a' <= c && c <= 'z'; }
inline bool isUpper(char c) { return 'A' <= c && c <= 'Z'; }

struct operatorName {
  char code[3];
  const char* text;
};
inline constexpr operatorName operators[] = {
    {"cl", "operator()"},   {"ix", "operator[]"},      {"eq", "operator=="},
    {"ne", "operator!="},   {"lt", "operator<"},       {"gt", "operator>"},
    {"le", "operator<="},   {"ge", "operator>="},      {"ss", "operator<=>"},
    {"pl", "operator+"},    {"mi", "operator-"},       {"ml", "operator*"},
    {"dv", "operator/"},    {"rm", "operator%"},       {"aS", "operator="},
    {"pL", "operator+="},   {"mI", "operator-="},      {"pp", "operator++"},
    {"mm", "operator--"},   {"ls", "operator<<"},      {"rs", "operator>>"},
    {"pt", "operator->"},   {"de", "operator*"},       {"nt", "operator!"},
    {"nw", "operator new"}, {"dl", "operator delete"}, {"cm", "operator,"},
    {"co", "operator~"},    {"ad", "operator&"},       {"an", "operator&"},
    {"or", "operator|"},    {"eo", "operator^"},       {"aa", "operator&&"},
    {"oo", "operator||"},   {"na", "operator new[]"},  {"da", "operator delete[]"},
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
      case 't':
        p++;
        add(kName, "std", 3);
        return;
      case 'a':
        p++;
        add(kName, "std", 3);
        add(kName, "allocator", 9);
        return;
      case 'b':
      case 's':
        p++;
        add(kName, "std", 3);
        add(kName, "string", 6);
        comps[n - 1].isclass = true;
        return;
      case 'i':
        p++;
        add(kName, "std", 3);
        add(kName, "istream", 7);
        return;
      case 'o':
        p++;
        add(kName, "std", 3);
        add(kName, "ostream", 7);
        return;
      case 'd':
        p++;
        add(kName, "std", 3);
        add(kName, "iostream", 8);
        return;
      default:
        seqid();
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
      case 'r':
      case 'V':
      case 'K':
      case 'P':
      case 'R':
      case 'O':
      case 'C':
      case 'G':
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
          case 'p':
            p += 2;
            return type();
          case 'o':
            p += 2;
            return type();  // noexcept function
          case 'v':
            p += 2;
            number();
            expect('_');
            return type();
          case 'd':
          case 'e':
          case 'f':
          case 'h':
          case 'i':
          case 's':
          case 'u':
          case 'a':
          case 'c':
          case 'n':
            p += 2;
            return;
          default:
            ok = false;
            return;
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

}  // namespace gort::runtime::mangled
