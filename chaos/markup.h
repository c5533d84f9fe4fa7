// Text on its way into a page.
#pragma once

#include <string>
#include <string_view>

namespace gort::chaos {

// Clean makes text fit for a page: what is no UTF-8, and control characters other than the newline
// and the tab, become U+FFFD. A program may write any byte to its standard error.
std::string Clean(std::string_view text);

// Escape is Clean, and &, <, > and the double quote as entities.
std::string Escape(std::string_view text);

// EscapeScript makes JSON fit to stand in a <script>: no &, < and > are left in it.
std::string EscapeScript(std::string_view json);

// Fill puts values into a template: {{name}} becomes the value of that name. Values are not looked
// at again, so they may contain braces. An unknown name is left out.
struct Slot {
  std::string_view name;
  std::string_view value;
};
std::string Fill(std::string_view page, const Slot* slots, std::size_t n);

}  // namespace gort::chaos
