// The whole run in a strip: for each thread when it had the turn, and marks where something happened.

#include <algorithm>
#include <array>
#include <cstdio>
#include <map>
#include <vector>

#include "chaos/markup.h"
#include "chaos/page.h"
#include "chaos/story.h"

namespace gort::chaos {

namespace {

constexpr int kColumns = 1000;
constexpr int kLine = 14;
constexpr int kShades = 5;
constexpr std::size_t kMostFlags = 100;
constexpr double kBadgeWidth = 1.8;  // per cent of the strip

double Percent(std::int64_t step, std::int64_t steps) {
  return 100.0 * static_cast<double>(step) / static_cast<double>(steps);
}

std::string Left(double percent) {
  char text[40];
  std::snprintf(text, sizeof text, "style=\"left:%.2f%%\"", percent);
  return text;
}

// How much of each column's steps one thread had the turn, and on which goroutine.
struct Column {
  double share = 0;
  std::int64_t goroutine = 0;
};
using Line = std::array<Column, kColumns>;

void Spread(Line* line, std::int64_t from, std::int64_t to, std::int64_t steps,
            std::int64_t goroutine) {
  const double scale = static_cast<double>(kColumns) / static_cast<double>(steps);
  const double left = static_cast<double>(from) * scale;
  const double right = std::min<double>(static_cast<double>(to) * scale, kColumns);
  for (int x = static_cast<int>(left); x < kColumns && x < right; x++) {
    Column& column = (*line)[static_cast<std::size_t>(x)];
    column.share += std::min<double>(right, x + 1) - std::max<double>(left, x);
    column.goroutine = goroutine;
  }
}

// One rectangle for neighbours that look the same.
std::string DrawLine(const Line& line, std::size_t y,
                     std::map<std::int64_t, std::size_t>* colours) {
  std::string svg;
  auto shade = [](const Column& c) {
    return c.share <= 0 ? 0 : std::clamp(static_cast<int>(c.share * kShades + 0.999), 1, kShades);
  };
  for (std::size_t x = 0; x < kColumns;) {
    std::size_t end = x + 1;
    while (end < kColumns && shade(line[end]) == shade(line[x]) &&
           (shade(line[x]) == 0 || line[end].goroutine == line[x].goroutine))
      end++;
    if (shade(line[x]) > 0) {
      const std::int64_t g = line[x].goroutine;
      if (g != 0) colours->try_emplace(g, colours->size());
      svg += "<rect x=\"" + std::to_string(x) + "\" y=\"" + std::to_string(y * kLine + 2) +
             "\" width=\"" + std::to_string(end - x) + "\" height=\"" + std::to_string(kLine - 4) +
             "\" fill=\"var(--" + (g == 0 ? "sys" : "g" + std::to_string((*colours)[g] % 8)) +
             ")\"" +
             (shade(line[x]) == kShades
                  ? ""
                  : " opacity=\"0." + std::to_string(2 + 2 * (shade(line[x]) - 1) * 7 / 8) + "\"") +
             "/>";
    }
    x = end;
  }
  return svg;
}

std::string Flags(const Run& run, std::int64_t steps) {
  std::string marks;
  std::size_t flags = 0;
  for (const Event& event : run.events)
    if (event.kind == Event::kInject && ++flags <= kMostFlags)
      marks += "<i class=\"mark inj\" " + Left(Percent(event.step, steps)) + " title=\"" +
               Escape("step " + std::to_string(event.step) + ": " + event.what) + "\"></i>";
  return marks;
}

// A line where each critical switch is, and above it its number, moved to the left, or at the
// left end to the right, where numbers would lie upon each other.
std::string Badges(const Run& run, std::int64_t steps) {
  std::vector<std::size_t> switches = CriticalSwitches(run);
  switches.resize(std::min(switches.size(), kMostFlags));
  std::vector<double> badges(switches.size());
  double right = 100 + kBadgeWidth;
  for (std::size_t i = switches.size(); i-- > 0;) {
    right = std::min(Percent(run.events[switches[i]].step, steps), right - kBadgeWidth);
    badges[i] = std::max(right, 0.0);
  }
  for (std::size_t i = 1; i < badges.size(); i++)
    badges[i] = std::max(badges[i], badges[i - 1] + kBadgeWidth);
  std::string marks;
  for (std::size_t i = 0; i < switches.size(); i++) {
    const std::string number = std::to_string(i + 1);
    marks += "<i class=\"mark cut\" " + Left(Percent(run.events[switches[i]].step, steps)) +
             "></i><a class=\"mark badge\" " + Left(badges[i]) + " href=\"#switch-" + number +
             "\" aria-label=\"Critical switch " + number + "\">" + number + "</a>";
  }
  return marks;
}

}  // namespace

std::string DrawOverview(const Run& run) {
  const std::size_t threads = run.threads.size();
  const std::int64_t steps = std::max<std::int64_t>(run.steps, 1);
  std::vector<Line> lines(threads);
  std::map<std::int64_t, std::size_t> colours;
  Lanes lanes(run);
  std::int64_t since = 0;
  for (const Event& event : run.events) {
    // The same colours as in the lanes: in the order in which goroutines first run.
    if (event.kind == Event::kG && event.number != 0)
      colours.try_emplace(event.number, colours.size());
    const int turn = lanes.turn();
    if (turn >= 0 && (event.kind == Event::kRun || event.kind == Event::kG)) {
      Spread(&lines[static_cast<std::size_t>(turn)], since, event.step, steps,
             lanes.thread(turn).goroutine);
      since = event.step;
    } else if (event.kind == Event::kRun) {
      since = event.step;
    }
    lanes.Apply(event);
  }
  if (lanes.turn() >= 0)
    Spread(&lines[static_cast<std::size_t>(lanes.turn())], since, std::max(steps, since + 1), steps,
           lanes.thread(lanes.turn()).goroutine);

  std::string names;
  std::string svg;
  for (std::size_t t = 0; t < threads; t++) {
    names += "<div>" + Escape(run.threads[t]) + "</div>";
    svg += DrawLine(lines[t], t, &colours);
  }
  const std::string marks = Flags(run, steps) + Badges(run, steps);
  const std::string height = std::to_string(std::max<std::size_t>(threads, 1) * kLine);
  return "<div class=\"strip\"><div class=\"names\" aria-hidden=\"true\">" + names +
         "</div><div class=\"map\"><svg role=\"img\" aria-labelledby=\"overview-caption\" "
         "viewBox=\"0 0 " +
         std::to_string(kColumns) + " " + height + "\" height=\"" + height +
         "\" preserveAspectRatio=\"none\">" + svg + "</svg>" + marks + "</div></div>";
}

}  // namespace gort::chaos
