#include "chaos/table.h"

#include <algorithm>
#include <cstdio>

namespace gort::chaos {

std::string Table(const std::vector<std::vector<std::string>>& rows) {
  std::vector<std::size_t> widths;
  for (const auto& row : rows) {
    widths.resize(std::max(widths.size(), row.size()));
    for (std::size_t i = 0; i < row.size(); i++) widths[i] = std::max(widths[i], row[i].size());
  }
  std::string text;
  for (const auto& row : rows) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); i++) {
      line += row[i];
      if (i + 1 < row.size()) line += std::string(widths[i] - row[i].size() + 2, ' ');
    }
    text += line + "\n";
  }
  return text;
}

std::string Indent(std::string_view text, int blanks) {
  std::string result;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    if (end > 0) result += std::string(static_cast<std::size_t>(blanks), ' ');
    result += text.substr(0, end);
    result += '\n';
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return result;
}

std::string LastLines(std::string_view text, int n) {
  while (!text.empty() && text.back() == '\n') text.remove_suffix(1);
  std::size_t begin = text.size();
  while (n-- > 0 && begin != 0 && begin != std::string_view::npos)
    begin = text.rfind('\n', begin - 1);
  if (begin == std::string_view::npos || begin == 0) return std::string(text);
  return std::string(text.substr(begin + 1));
}

std::string ShellWord(const std::string& word) {
  constexpr std::string_view kPlain =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_=+.,:/@%";
  if (!word.empty() && word.find_first_not_of(kPlain) == std::string::npos) return word;
  std::string quoted = "'";
  for (const char c : word) {
    if (c == '\'')
      quoted += "'\\''";
    else
      quoted += c;
  }
  return quoted + "'";
}

void Json::Separate() {
  if (!first_ && !afterKey_) text_ += ',';
  first_ = afterKey_ = false;
}

namespace {

// How many bytes the UTF-8 sequence at the beginning of s has; 0 if there is none.
std::size_t SequenceOf(std::string_view s) {
  const auto byte = [&](std::size_t i) {
    return i < s.size() ? static_cast<unsigned char>(s[i]) : 0u;
  };
  const auto continues = [&](std::size_t i) { return (byte(i) & 0xc0) == 0x80; };
  if (byte(0) < 0x80) return 1;
  if (byte(0) >= 0xc2 && byte(0) <= 0xdf) return continues(1) ? 2 : 0;
  if ((byte(0) & 0xf0) == 0xe0) {
    const bool overlong = byte(0) == 0xe0 && byte(1) < 0xa0;
    const bool surrogate = byte(0) == 0xed && byte(1) > 0x9f;
    return continues(1) && continues(2) && !overlong && !surrogate ? 3 : 0;
  }
  if (byte(0) < 0xf0 || byte(0) > 0xf4) return 0;
  const bool overlong = byte(0) == 0xf0 && byte(1) < 0x90;
  const bool beyond = byte(0) == 0xf4 && byte(1) > 0x8f;
  return continues(1) && continues(2) && continues(3) && !overlong && !beyond ? 4 : 0;
}

}  // namespace

void Json::Quote(std::string_view s) {
  text_ += '"';
  while (!s.empty()) {
    const std::size_t n = SequenceOf(s);
    if (n != 1) {
      text_ += n == 0 ? "\ufffd" : s.substr(0, n);
      s.remove_prefix(n == 0 ? 1 : n);
      continue;
    }
    const char c = s[0];
    s.remove_prefix(1);
    if (c == '"' || c == '\\') {
      text_ += '\\';
      text_ += c;
    } else if (static_cast<unsigned char>(c) < 0x20) {
      char code[8];
      std::snprintf(code, sizeof code, "\\u%04x", c);
      text_ += code;
    } else {
      text_ += c;
    }
  }
  text_ += '"';
}

Json& Json::Open(char c) {
  Separate();
  text_ += c;
  first_ = true;
  return *this;
}

Json& Json::Close(char c) {
  text_ += c;
  first_ = false;
  return *this;
}

Json& Json::Key(std::string_view key) {
  Separate();
  Quote(key);
  text_ += ':';
  afterKey_ = true;
  return *this;
}

Json& Json::String(std::string_view value) {
  Separate();
  Quote(value);
  return *this;
}

Json& Json::Number(long long value) {
  Separate();
  text_ += std::to_string(value);
  return *this;
}

Json& Json::Real(double value) {
  Separate();
  char text[40];
  std::snprintf(text, sizeof text, "%.6g", value);
  text_ += text;
  return *this;
}

Json& Json::Bool(bool value) {
  Separate();
  text_ += value ? "true" : "false";
  return *this;
}

}  // namespace gort::chaos
