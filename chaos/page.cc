#include "chaos/page.h"

#include <algorithm>

#include "chaos/fold.h"
#include "chaos/markup.h"
#include "chaos/page_files.h"
#include "chaos/story.h"
#include "chaos/table.h"

namespace gort::chaos {

namespace {

constexpr std::size_t kLongestCell = 300;
constexpr std::size_t kMostSwitches = 100;  // whose stacks are shown

constexpr char kRead[] =
    "Time goes down, from the first step to the last. Each column is one thread of the runtime (an "
    "M, in Go's words), and each row is one thing that happened. The explorer lets exactly one "
    "thread "
    "go on at a time: the broad coloured bar shows whose turn it is, so in each row there is at "
    "most "
    "one of them, and an arrow shows where the turn, a wake-up or a signal goes. A row with a "
    "number "
    "is a switch that had to be just there for the run to end as it did; everything else is there "
    "to "
    "explain these.";

std::string Thousands(std::int64_t n) {
  std::string text = std::to_string(n);
  for (int at = static_cast<int>(text.size()) - 3; at > (n < 0 ? 1 : 0); at -= 3)
    text.insert(static_cast<std::size_t>(at), ",");
  return text;
}

std::string Plural(std::int64_t n, const char* what) {
  return Thousands(n) + " " + what + (n == 1 ? "" : "s");
}

// The command with the program's arguments behind it; `between` stands before the first.
std::string WithArguments(std::string command, const Run& run, const char* between) {
  for (const std::string& argument : run.arguments) {
    command += between + ShellWord(argument);
    between = " ";
  }
  return command;
}

std::string BaseName(const std::string& path) { return path.substr(path.find_last_of('/') + 1); }

// The program's name alone, for a heading.
std::string ProgramName(const Run& run) {
  if (run.program.empty()) return "a program";
  const std::string name = BaseName(ShownProgram(run));
  return name.substr(name.find(':') + 1);
}

std::string Heading(const Run& run) {
  const std::string kind = run.ended ? (IsGood(run) ? " good" : "") : " unknown";
  std::string text = Escape(ProgramName(run));
  text += ": <span class=\"outcome" + kind + "\">";
  text += run.ended ? Escape(run.outcome) : "outcome not known";
  text += "</span>";
  return run.detail.empty() ? text : text + " " + Escape(run.detail);
}

std::string Facts(const Run& run) {
  std::string facts;
  auto add = [&](const char* name, const std::string& value) {
    if (!value.empty())
      facts += std::string("<div><dt>") + name + "</dt><dd>" + Escape(value) + "</dd></div>\n";
  };
  add("program", run.program.empty() ? "" : WithArguments(ShellWord(ShownProgram(run)), run, " "));
  add("seed", run.seed);
  add("strategy", run.strategy);
  add("GOMAXPROCS", run.procs == 0 ? "" : std::to_string(run.procs));
  add("build", run.build);
  add("steps", Thousands(run.steps));
  add("virtual time", run.now < 0 ? "" : Thousands(run.now) + " ns");
  add("recorded", Plural(static_cast<std::int64_t>(run.events.size()), "event") + " of " +
                      Plural(static_cast<std::int64_t>(run.threads.size()), "thread"));
  return facts;
}

std::string SwitchLink(int number) {
  const std::string n = std::to_string(number);
  return "<a class=\"badge\" href=\"#switch-" + n + "\" aria-label=\"Critical switch " + n + "\">" +
         n + "</a>";
}

std::string StoryMarkup(const std::vector<Sentence>& story) {
  std::string text;
  for (const Sentence& sentence : story) {
    if (!text.empty()) text += "\n";
    if (sentence.critical > 0) text += SwitchLink(sentence.critical) + " ";
    text += Escape(sentence.text);
  }
  return text;
}

std::string RingSection(const Run& run) {
  const std::vector<RingEdge> ring = RingOf(run);
  if (ring.empty()) return "";
  std::string words;
  for (const RingEdge& edge : ring)
    words += "<li>" + Escape(edge.from + " " + edge.what + " " + edge.to) + "</li>";
  return "<section class=\"ring\" id=\"ring\" aria-labelledby=\"ring-title\">\n"
         "<h2 id=\"ring-title\">Who waits for whom</h2>\n<p class=\"read\">" +
         std::string(
             ring.size() == 1
                 ? "It waits for something that only it could give back, so it waits for ever."
                 : "Each of them waits for the next one, so none of them can ever go on.") +
         "</p>\n" + DrawRing(ring) + "\n<ul class=\"unseen\">" + words + "</ul>\n</section>";
}

std::string StackMarkup(const std::string& title, const std::vector<std::string>& frames) {
  std::string text = "<div><h4>" + Escape(title) + "</h4>";
  if (frames.empty()) return text + "<p class=\"read\">(no stack was taken)</p></div>";
  text += "<ol>";
  for (const std::string& frame : frames) {
    const std::size_t blank = frame.rfind(' ');
    text += "<li>" + Escape(frame.substr(0, blank));
    if (blank != std::string::npos)
      text += " <span class=\"place\">" + Escape(frame.substr(blank + 1)) + "</span>";
    text += "</li>";
  }
  return text + "</ol></div>";
}

std::string SwitchesSection(const Run& run, const std::vector<Sentence>& story) {
  std::string text =
      "<section aria-labelledby=\"switches-title\">\n<h2 id=\"switches-title\">The switches that "
      "matter</h2>\n";
  const std::vector<std::size_t> switches = CriticalSwitches(run);
  if (switches.empty())
    return text +
           "<p class=\"read\">None is marked in this run: either it fails in any order, or it "
           "has not been shrunk yet.</p>\n</section>";
  text +=
      "<p class=\"read\">Where the run left what it would have done by default; of a trace that "
      "was shrunk, "
      "what the failure needs. On the left where the thread stood that was stopped, on the right "
      "where the one stood that went on; innermost function first.</p>\n";
  Lanes lanes(run);
  std::size_t applied = 0;
  for (std::size_t n = 0; n < std::min(switches.size(), kMostSwitches); n++) {
    const Event& event = run.events[switches[n]];
    for (; applied < switches[n]; applied++) lanes.Apply(run.events[applied]);
    const std::string number = std::to_string(n + 1);
    auto name = [&](int t) { return t < 0 ? "nobody" : ThreadAndGoroutine(run, lanes, t); };
    text += "<article class=\"switch\" id=\"switch-" + number +
            "\" aria-labelledby=\"switch-title-" + number + "\">\n<h3 id=\"switch-title-" + number +
            "\"><b class=\"badge\">" + number + "</b> Step " + Thousands(event.step) + ": from " +
            Escape(name(event.t)) + " to " + Escape(name(event.other)) +
            (event.what.empty() ? "" : " (" + Escape(event.what) + ")") + "</h3>\n";
    for (const Sentence& sentence : story)
      if (sentence.critical == static_cast<int>(n + 1))
        text += "<p>" + Escape(sentence.text) + "</p>\n";
    static const Stacks kNone;
    const Stacks& stacks =
        event.stacks < 0 ? kNone : run.stacks[static_cast<std::size_t>(event.stacks)];
    text += "<div class=\"stacks\">" +
            StackMarkup(name(event.t) + " was stopped here", stacks.from) +
            StackMarkup(name(event.other) + " went on from here", stacks.to) +
            "</div>\n<p class=\"to-row\"><a href=\"#row-of-switch-" + number +
            "\">Show it in the lanes</a></p>\n</article>\n";
  }
  if (switches.size() > kMostSwitches)
    text += "<p class=\"notice\">" +
            Plural(static_cast<std::int64_t>(switches.size() - kMostSwitches), "more switch") +
            " are marked and not shown here: shrink the run.</p>";
  return text + "</section>";
}

std::string Cell(const std::string& text) {
  return Escape(text.size() <= kLongestCell ? text : text.substr(0, kLongestCell) + "…");
}

std::string TableRows(const Run& run) {
  std::string rows;
  Lanes lanes(run);
  int critical = 0;
  const std::vector<bool> noRow = RunsOfSwitches(run);
  for (const Stretch& stretch : Stretches(ShownEvents(run))) {
    const Event& event = run.events[stretch.first];
    for (std::size_t i = stretch.first; i < stretch.last; i++) lanes.Apply(run.events[i]);
    if (noRow[stretch.first] && !stretch.folded) continue;
    if (stretch.folded) {
      const std::int64_t until =
          stretch.last < run.events.size() ? run.events[stretch.last].step : run.steps;
      rows += "<tr class=\"folded\"><td class=\"n\">" + Thousands(event.step) +
              "</td><td></td><td></td><td>" +
              Plural(std::max<std::int64_t>(until - event.step, 1), "step") + ", " +
              Plural(static_cast<std::int64_t>(stretch.last - stretch.first), "event") +
              " left out</td><td></td></tr>\n";
      continue;
    }
    const bool isCritical = event.kind == Event::kSwitch && event.critical;
    std::string holds;
    std::string goroutine;
    if (event.t >= 0) {
      const Lanes::Thread& thread = lanes.thread(event.t);
      for (const std::string& lock : thread.locks) holds += (holds.empty() ? "" : ", ") + lock;
      if (thread.goroutine != 0) goroutine = std::to_string(thread.goroutine);
    }
    rows += std::string("<tr") + (isCritical ? " class=\"critical\"" : "") + "><td class=\"n\">" +
            Thousands(event.step) + "</td><td>" +
            (event.t < 0 ? "" : Escape(run.threads[static_cast<std::size_t>(event.t)])) +
            "</td><td class=\"n\">" + goroutine + "</td><td>" +
            (isCritical ? SwitchLink(++critical) + " " : "") + Cell(EventText(run, event)) +
            "</td><td>" + Cell(holds) + "</td></tr>\n";
  }
  return rows;
}

std::string StandardError(const Run& run) {
  std::string text;
  for (const Event& event : run.events)
    if (event.kind == Event::kOut) text += event.what;
  if (text.empty()) return "<p class=\"read\">Nothing.</p>";
  if (text.size() > kMostOutput) {
    const std::size_t half = kMostOutput / 2;
    text = text.substr(0, half) + "\n\n... " +
           Thousands(static_cast<std::int64_t>(text.size() - 2 * half)) +
           " bytes are left out here ...\n\n" + text.substr(text.size() - half);
  }
  return "<pre id=\"stderr\" tabindex=\"0\">" + Escape(text) + "</pre>";
}

std::string TableSummary(const Run& run) {
  const std::vector<bool> shown = ShownEvents(run);
  const auto n = std::count(shown.begin(), shown.end(), true);
  const auto all = static_cast<std::int64_t>(shown.size());
  return n == all ? "All " + Plural(all, "event")
                  : "The " + Thousands(n) + " events of " + Thousands(all) + " that say most";
}

}  // namespace

bool IsGood(const Run& run) {
  return run.outcome == "ok" || run.outcome == "good" || run.outcome == "pass" ||
         run.outcome == "exit status 0" || run.outcome == "exit 0";
}

std::string ReplayCommand(const Run& run) {
  if (!run.replay.empty()) return run.replay;
  std::string command;
  if (run.procs > 0) command = "GOMAXPROCS=" + std::to_string(run.procs) + " ";
  command += "./bazelw run //chaos -- explore --runs 1";
  if (!run.seed.empty()) command += " --seed " + ShellWord(run.seed);
  if (!run.strategy.empty()) command += " --strategy " + ShellWord(run.strategy);
  command += " " + (run.program.empty() ? "PROGRAM" : ShellWord(run.program));
  return WithArguments(command, run, " -- ");
}

std::string Page(const Run& run) {
  const std::vector<Sentence> story = Story(run);
  const std::string title =
      Escape(ProgramName(run) + ": " + (run.ended ? run.outcome : "outcome not known"));
  const std::string heading = Heading(run);
  const std::string notice =
      run.notice.empty() ? "" : "<p class=\"notice\" role=\"alert\">" + Escape(run.notice) + "</p>";
  const std::string facts = Facts(run);
  const std::string replay = Escape(ReplayCommand(run));
  const std::string storyMarkup = StoryMarkup(story);
  const std::string ring = RingSection(run);
  const std::string overview = DrawOverview(run);
  const std::string switches = SwitchesSection(run, story);
  const std::string table = TableRows(run);
  const std::string tableSummary = TableSummary(run);
  const std::string standardError = StandardError(run);
  const std::string file = "<code>" + Escape(BaseName(run.file)) + "</code>";
  const std::string data = EscapeScript(CarriedEvents(run));
  const Slot slots[] = {
      {"title", title},
      {"heading", heading},
      {"notice", notice},
      {"facts", facts},
      {"replay", replay},
      {"story", storyMarkup},
      {"ring", ring},
      {"read", kRead},
      {"overview", overview},
      {"switches", switches},
      {"table-summary", tableSummary},
      {"table", table},
      {"stderr", standardError},
      {"file", file},
      {"data", data},
      {"css", kPageCss},
      {"js", kPageJs},
  };
  return Fill(kPageHtml, slots, std::size(slots));
}

}  // namespace gort::chaos
