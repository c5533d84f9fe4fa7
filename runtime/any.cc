// Values of any type: comparison, printing and type names. Ports the printany part of error.go.
#include "any.h"

#include "error.h"
#include "panic.h"
#include "print.h"
#include "stubs.h"

namespace gort::runtime {

std::string_view copystring(const char* p, uintptr n) {
  char* s = static_cast<char*>(mallocgc(n + 1, nullptr));
  memmove(s, p, n);
  return {s, n};
}

std::string_view concatstrings(std::string_view a, std::string_view b) {
  char* s = static_cast<char*>(mallocgc(a.size() + b.size() + 1, nullptr));
  memmove(s, a.data(), a.size());
  memmove(s + a.size(), b.data(), b.size());
  return {s, a.size() + b.size()};
}

bool equaltext(const void* a, const void* b) {
  const auto& x = *static_cast<const std::string_view*>(a);
  const auto& y = *static_cast<const std::string_view*>(b);
  if (x.size() != y.size()) return false;
  for (uintptr i = 0; i < x.size(); i++)
    if (x.data()[i] != y.data()[i]) return false;
  return true;
}

namespace {

bool hasPrefix(std::string_view s, std::string_view prefix) {
  if (s.size() < prefix.size()) return false;
  for (uintptr i = 0; i < prefix.size(); i++)
    if (s[i] != prefix[i]) return false;
  return true;
}

struct nameWriter {
  char* buf;
  uintptr cap;
  uintptr n = 0;
  void put(char c) {
    if (n < cap) buf[n++] = c;
  }
  void put(std::string_view s) {
    for (char c : s) put(c);
  }
};

constexpr std::string_view basicNames[] = {"bool",   "char",     "int",    "long",
                                           "short",  "float",    "double", "void",
                                           "string", "unsigned", "signed", "std::nullptr_t"};

bool isBasicName(std::string_view s) {
  for (std::string_view b : basicNames)
    if (hasPrefix(s, b) && (s.size() == b.size() || s[b.size()] == ' ')) return true;
  return false;
}

}  // namespace

uintptr gotypename(std::string_view s, char* buf, uintptr cap) {
  nameWriter w{buf, cap};
  if (hasPrefix(s, "const ")) s.remove_prefix(6);
  while (!s.empty() && (s.back() == '*' || s.back() == ' ' || s.back() == '&')) {
    if (s.back() == '*') w.put('*');
    s.remove_suffix(1);
  }
  if (hasPrefix(s, "(lambda")) {
    w.put("func()");
    return w.n;
  }
  if (isBasicName(s)) {
    w.put(s);
    return w.n;
  }
  if (hasPrefix(s, "gort::")) s.remove_prefix(6);
  // The components before the last are the package's path.
  bool package = false;
  uintptr start = 0;
  int depth = 0;
  for (uintptr i = 0; i <= s.size(); i++) {
    if (i < s.size()) {
      if (s[i] == '<' || s[i] == '(') depth++;
      if (s[i] == '>' || s[i] == ')') depth--;
      bool separator = depth == 0 && s[i] == ':' && i + 1 < s.size() && s[i + 1] == ':';
      if (!separator) continue;
    }
    std::string_view part(s.data() + start, i - start);
    bool last = i == s.size();
    bool anonymous = hasPrefix(part, "(anonymous");
    if (last) w.put(package ? "." : "main.");
    if (!anonymous) {
      if (!last && package) w.put('/');
      if (!last) package = true;
      for (char c : part) {
        if (c == '<') {
          w.put("[...]");
          break;
        }
        w.put(c);
      }
    }
    start = i + 2;
    i++;
  }
  return w.n;
}

namespace {

void printtypename(const anytype* t) {
  char buf[128];
  uintptr n = gotypename(t->cxxname, buf, sizeof buf);
  printstring(buf, n);
}

template <class T>
const T& valueAs(const any& v) {
  return *static_cast<const T*>(v.value());
}

// Prints the value if its kind is one that Go prints by value.
bool printbykind(const any& v, std::string_view open, std::string_view close) {
  auto show = [&](auto x) { print(open, x, close); };
  switch (v.type()->kind) {
    case kindBool:
      show(valueAs<bool>(v));
      return true;
    case kindInt8:
      show(valueAs<std::int8_t>(v));
      return true;
    case kindInt16:
      show(valueAs<std::int16_t>(v));
      return true;
    case kindInt32:
      show(valueAs<std::int32_t>(v));
      return true;
    case kindInt64:
      show(valueAs<std::int64_t>(v));
      return true;
    case kindUint8:
      show(valueAs<std::uint8_t>(v));
      return true;
    case kindUint16:
      show(valueAs<std::uint16_t>(v));
      return true;
    case kindUint32:
      show(valueAs<std::uint32_t>(v));
      return true;
    case kindUint64:
      show(valueAs<std::uint64_t>(v));
      return true;
    case kindFloat32:
      show(valueAs<float>(v));
      return true;
    case kindFloat64:
      show(valueAs<double>(v));
      return true;
    case kindString:
      show(valueAs<std::string_view>(v));
      return true;
    default:
      return false;
  }
}

}  // namespace

void printany(const any& v) {
  const anytype* t = v.type();
  if (t == nullptr) return printcstring("nil");
  if (t->basic && printbykind(v, "", "")) return;
  printlock();
  if (t->kind <= kindFloat64) {
    printtypename(t);
    printbykind(v, "(", ")");
  } else {
    printcstring("(");
    printtypename(t);
    printcstring(") ");
    printpointer(t->direct ? *static_cast<void* const*>(v.value()) : v.value());
  }
  printunlock();
}

void anytotext(any* v) {
  const anytype* t = v->type();
  if (t == nullptr) return;
  if (t->error != nullptr)
    *v = any(t->error(v->value()));
  else if (t->string != nullptr)
    *v = any(t->string(v->value()));
}

}  // namespace gort::runtime

namespace gort {

std::string_view any::Error() const {
  if (type_ == nullptr) return {};
  if (type_->error != nullptr) return type_->error(value());
  if (type_->string != nullptr) return type_->string(value());
  if (const auto* s = as<std::string_view>()) return *s;
  return {};
}

void any::printgo() const { runtime::printany(*this); }

bool any::equal(const any& a, const any& b) {
  if (a.type_ != b.type_) return false;
  if (a.type_ == nullptr) return true;
  if (a.type_->equal == nullptr) {
    char buf[128];
    runtime::uintptr n = runtime::gotypename(a.type_->cxxname, buf, sizeof buf);
    runtime::gopanic(runtime::errorString{
        runtime::concatstrings("comparing uncomparable type ", {buf, n}).data()});
  }
  return a.type_->equal(a.value(), b.value());
}

}  // namespace gort
