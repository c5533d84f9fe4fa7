#include "chaos/faults.h"

#include <charconv>

namespace gort::chaos {

std::optional<Fault> ParseFault(std::string_view text) {
  Fault fault;
  if (text.starts_with("throw:")) {
    fault.kind = Fault::kThrow;
  } else if (text.starts_with("mmap:")) {
    fault.kind = Fault::kMmap;
  } else {
    return std::nullopt;
  }
  text.remove_prefix(text.find(':') + 1);
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), fault.number);
  if (error != std::errc() || fault.number < 1) return std::nullopt;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  if (text != ":once" && text != ":always") return std::nullopt;
  fault.always = text == ":always";
  return fault;
}

std::string ShowFault(const Fault& fault) {
  return std::string(fault.kind == Fault::kThrow ? "throw:" : "mmap:") +
         std::to_string(fault.number) + (fault.always ? ":always" : ":once");
}

}  // namespace gort::chaos
