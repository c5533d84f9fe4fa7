// The ring of threads that wait for each other: boxes from the top down, and a line back up.

#include <algorithm>

#include "chaos/markup.h"
#include "chaos/page.h"

namespace gort::chaos {

namespace {

constexpr int kLeft = 12;
constexpr int kBoxHeight = 34;
constexpr int kGapBetween = 58;
constexpr int kLetter = 8;  // width of a letter, rounded up
constexpr std::size_t kLongest = 90;

std::string Number(int n) { return std::to_string(n); }

std::string Shortened(const std::string& text) {
  const std::string clean = Clean(text);
  if (clean.size() <= kLongest) return clean;
  std::size_t end = kLongest;
  while (end > 0 && (static_cast<unsigned char>(clean[end]) & 0xC0) == 0x80) end--;
  return clean.substr(0, end) + "…";
}

// "waits for lock allglock, held by" is drawn as two lines with the lock between them.
struct Parts {
  std::string before;
  std::string lock;
  std::string after;
};

Parts Split(const std::string& what) {
  const std::string word = "lock ";
  const std::size_t at = what.find(word);
  const std::size_t comma = what.find(',', at == std::string::npos ? 0 : at);
  if (at == std::string::npos || comma == std::string::npos) return {what, "", ""};
  const std::size_t name = at + word.size();
  std::string after = what.substr(comma + 1);
  after.erase(0, after.find_first_not_of(' '));
  return {what.substr(0, at) + "the lock", what.substr(name, comma - name), after};
}

class Drawing {
 public:
  void Box(const std::string& text, bool lock) {
    const int width = static_cast<int>(text.size()) * kLetter + 28;
    widest_ = std::max(widest_, kLeft + width);
    svg_ += "<rect class=\"" + std::string(lock ? "lockbox" : "box") + "\" x=\"" + Number(kLeft) +
            "\" y=\"" + Number(y_) + "\" width=\"" + Number(width) + "\" height=\"" +
            Number(kBoxHeight) + "\" rx=\"" + (lock ? "4" : "17") + "\"/><text x=\"" +
            Number(kLeft + 14) + "\" y=\"" + Number(y_ + 22) + "\">" + Escape(text) + "</text>";
    edge_ = kLeft + width;
    y_ += kBoxHeight;
  }
  void Down(const std::string& text) {
    const int x = kLeft + 24;
    svg_ += "<path class=\"line\" d=\"M" + Number(x) + " " + Number(y_) + "v" +
            Number(kGapBetween - 10) + "\"/>" + Head(x, y_ + kGapBetween, 0) +
            "<text class=\"say\" x=\"" + Number(x + 14) + "\" y=\"" + Number(y_ + 33) + "\">" +
            Escape(text) + "</text>";
    widest_ = std::max(widest_, x + 14 + static_cast<int>(text.size()) * kLetter);
    y_ += kGapBetween;
  }
  // Back goes from the last box to the first: down, to the right of everything, and up.
  void Back(const std::string& text, int firstEdge) {
    const int x = kLeft + 24;
    widest_ = std::max(widest_, x + 14 + static_cast<int>(text.size()) * kLetter);
    const int right = widest_ + 30;
    const int bottom = y_ + 40;
    const int middle = 10 + kBoxHeight / 2;
    svg_ += "<path class=\"line\" d=\"M" + Number(x) + " " + Number(y_) + "V" +
            Number(bottom - 10) + "q0 10 10 10H" + Number(right - 10) + "q10 0 10 -10V" +
            Number(middle + 10) + "q0 -10 -10 -10H" + Number(firstEdge + 10) + "\"/>" +
            Head(firstEdge, middle, 90) + "<text class=\"say\" x=\"" + Number(x + 14) + "\" y=\"" +
            Number(y_ + 26) + "\">" + Escape(text) + "</text>";
    y_ = bottom;
    widest_ = right;
  }
  int edge() const { return edge_; }
  std::string Svg(const std::string& title) const {
    const int width = widest_ + 12;
    const int height = y_ + 12;
    return "<svg role=\"img\" aria-label=\"" + Escape(title) + "\" viewBox=\"0 0 " + Number(width) +
           " " + Number(height) + "\" width=\"" + Number(width) + "\" height=\"" + Number(height) +
           "\">" + svg_ + "</svg>";
  }

 private:
  // A head whose tip is at (x, y), pointing down, or turned clockwise by so many degrees.
  static std::string Head(int x, int y, int turned) {
    return "<path class=\"head\" d=\"M0 0l-6 -11h12z\" transform=\"translate(" + Number(x) + " " +
           Number(y) + ") rotate(" + Number(turned) + ")\"/>";
  }

  std::string svg_;
  int y_ = 10;
  int edge_ = 0;
  int widest_ = 0;
};

}  // namespace

std::string DrawRing(const std::vector<RingEdge>& ring) {
  if (ring.empty()) return "";
  Drawing drawing;
  int firstEdge = 0;
  std::string title;
  for (const RingEdge& edge : ring) {
    const bool last = &edge == &ring.back();
    title += (title.empty() ? "" : "; ") + edge.from + " " + edge.what + " " + edge.to;
    drawing.Box(Shortened(edge.from), false);
    if (firstEdge == 0) firstEdge = drawing.edge();
    const Parts parts = Split(edge.what);
    if (!parts.lock.empty()) {
      drawing.Down(Shortened(parts.before));
      drawing.Box(Shortened(parts.lock), true);
    }
    const std::string words = Shortened(parts.lock.empty() ? parts.before : parts.after);
    last ? drawing.Back(words, firstEdge) : drawing.Down(words);
  }
  return drawing.Svg(title);
}

}  // namespace gort::chaos
