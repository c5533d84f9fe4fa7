// The formats for people. Ports the text part of runtime/pprof's pprof.go, with as much of text/tabwriter
// as it uses.
#include <charconv>

#include "pprof_internal.h"

namespace gort::runtime::pprof {

void appendHex(std::string* text, std::uint64_t v) {
  char buf[16];
  auto r = std::to_chars(buf, buf + sizeof buf, v, 16);
  text->append("0x").append(buf, r.ptr);
}

// A frame a line: «#	0x4a2f13	main.f+0x33	/home/u/prog.cc:17». Functions of the runtime at the inner
// end are left out unless allFrames, or if there is nothing else.
void printStackRecord(std::string* text, symbolizer* sym, std::span<const uintptr> stk,
                      bool allFrames) {
  auto r = sym->visible(stk, allFrames ? nullptr : hideRuntime);
  for (std::size_t i = r.first; i < r.end; i++) {
    const pcFrames& p = sym->lookup(stk[i]);
    if (p.frames.empty()) {
      text->append("#\t");
      appendHex(text, p.pc);
      text->append("\n");
    }
    for (std::size_t k = i == r.first ? r.inlined : 0; k < p.frames.size(); k++) {
      const symFrame& f = p.frames[k];
      text->append("#\t");
      appendHex(text, p.pc);
      text->append("\t").append(f.function).append("+");
      appendHex(text, p.pc - p.entry);
      text->append("\t").append(f.file).append(":").append(std::to_string(f.line)).append("\n");
    }
  }
  text->append("\n");
}

namespace {

constexpr std::size_t tabwidth = 8;
constexpr std::size_t padding = 1;

using cells = std::vector<std::string_view>;

// A cell that a tab ends belongs to a column: the cells at the same place in the lines around it that
// have one there. Sets the widths of the column at place col that begins in line from; returns the line
// behind it.
std::size_t measure(const std::vector<cells>& lines, std::vector<std::vector<std::size_t>>* widths,
                    std::size_t from, std::size_t col) {
  std::size_t to = from, width = 0;
  for (; to < lines.size() && lines[to].size() > col + 1; to++)
    width = std::max(width, lines[to][col].size() + padding);
  width = (width + tabwidth - 1) / tabwidth * tabwidth;
  for (std::size_t i = from; i < to; i++) (*widths)[i][col] = width;
  return to;
}

}  // namespace

std::string tabwriter(std::string_view text) {
  std::vector<cells> lines;
  while (!text.empty()) {
    std::size_t eol = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, eol);
    text.remove_prefix(std::min(eol + 1, text.size()));
    cells c;
    for (std::size_t tab; (tab = line.find('\t')) != line.npos; line.remove_prefix(tab + 1))
      c.push_back(line.substr(0, tab));
    c.push_back(line);
    lines.push_back(std::move(c));
  }
  std::vector<std::vector<std::size_t>> widths;
  widths.reserve(lines.size());
  for (const cells& c : lines) widths.emplace_back(c.size());
  for (std::size_t i = 0; i < lines.size(); i++)
    for (std::size_t col = 0; col + 1 < lines[i].size(); col++)
      if (widths[i][col] == 0) measure(lines, &widths, i, col);
  std::string out;
  for (std::size_t i = 0; i < lines.size(); i++) {
    for (std::size_t col = 0; col < lines[i].size(); col++) {
      std::string_view cell = lines[i][col];
      out.append(cell);
      if (col + 1 == lines[i].size()) break;
      std::size_t pad = widths[i][col] - cell.size();
      out.append((pad + tabwidth - 1) / tabwidth, '\t');
    }
    out.push_back('\n');
  }
  return out;
}

error writeText(Writer w, std::string_view text) {
  return writeError(text.empty() || w.Write(text.data(), text.size()));
}

}  // namespace gort::runtime::pprof
