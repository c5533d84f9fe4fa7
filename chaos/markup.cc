#include "chaos/markup.h"

#include <algorithm>

namespace gort::chaos {

namespace {

constexpr char kReplacement[] = "\xEF\xBF\xBD";

// How many bytes at the front of text are one character of UTF-8, 0 if they are none.
std::size_t CharacterLength(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char lead = byte(0);
  std::size_t length = lead < 0x80 ? 1 : lead < 0xC2 ? 0 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
  if (lead > 0xF4 || text.size() < length) return 0;
  for (std::size_t i = 1; i < length; i++)
    if ((byte(i) & 0xC0) != 0x80) return 0;
  // Longer than need be, a surrogate, or above U+10FFFF.
  if (lead == 0xE0 && byte(1) < 0xA0) length = 0;
  if (lead == 0xED && byte(1) >= 0xA0) length = 0;
  if (lead == 0xF0 && byte(1) < 0x90) length = 0;
  if (lead == 0xF4 && byte(1) >= 0x90) length = 0;
  // U+FFFE and U+FFFF are no characters of XML.
  if (lead == 0xEF && length == 3 && byte(1) == 0xBF && byte(2) >= 0xBE) length = 0;
  return length;
}

}  // namespace

std::string Clean(std::string_view text) {
  std::string clean;
  clean.reserve(text.size());
  while (!text.empty()) {
    std::size_t length = CharacterLength(text);
    const auto first = static_cast<unsigned char>(text[0]);
    if (length == 1 && (first < 0x20 || first == 0x7F) && first != '\n' && first != '\t')
      length = 0;
    if (length == 0) {
      clean += kReplacement;
      length = 1;
    } else {
      clean += text.substr(0, length);
    }
    text.remove_prefix(length);
  }
  return clean;
}

std::string Escape(std::string_view text) {
  std::string escaped;
  for (const char c : Clean(text)) {
    switch (c) {
      case '&':
        escaped += "&amp;";
        break;
      case '<':
        escaped += "&lt;";
        break;
      case '>':
        escaped += "&gt;";
        break;
      case '"':
        escaped += "&quot;";
        break;
      default:
        escaped += c;
    }
  }
  return escaped;
}

std::string EscapeScript(std::string_view json) {
  std::string escaped;
  escaped.reserve(json.size());
  for (const char c : json) {
    switch (c) {
      case '&':
        escaped += "\\u0026";
        break;
      case '<':
        escaped += "\\u003c";
        break;
      case '>':
        escaped += "\\u003e";
        break;
      default:
        escaped += c;
    }
  }
  return escaped;
}

std::string Fill(std::string_view page, const Slot* slots, std::size_t n) {
  std::string filled;
  while (!page.empty()) {
    const std::size_t open = page.find("{{");
    filled += page.substr(0, open);
    if (open == std::string_view::npos) break;
    page.remove_prefix(open + 2);
    const std::size_t close = page.find("}}");
    const std::string_view name = page.substr(0, close);
    const Slot* slot =
        std::find_if(slots, slots + n, [&](const Slot& s) { return s.name == name; });
    if (slot != slots + n) filled += slot->value;
    if (close == std::string_view::npos) break;
    page.remove_prefix(close + 2);
  }
  return filled;
}

}  // namespace gort::chaos
