#include "chaos/events.h"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <numeric>
#include <optional>
#include <sstream>

namespace gort::chaos {

namespace {

using nlohmann::json;

// Steps and times above this are not exact as numbers of JavaScript.
constexpr std::int64_t kLargest = std::int64_t{1} << 53;
constexpr std::int64_t kMostThreads = 1000;

struct KindName {
  const char* name;
  Event::Kind kind;
};

constexpr KindName kKinds[] = {
    {"thread", Event::kThread}, {"run", Event::kRun},       {"g", Event::kG},
    {"point", Event::kPoint},   {"op", Event::kOp},         {"lock", Event::kLock},
    {"unlock", Event::kUnlock}, {"wait", Event::kWait},     {"wake", Event::kWake},
    {"signal", Event::kSignal}, {"inject", Event::kInject}, {"switch", Event::kSwitch},
    {"out", Event::kOut},
};

std::string Quoted(std::string_view text) { return "\"" + std::string(text) + "\""; }

// One object of the file. The first thing that is wrong with it is kept, and the getters go on with
// values that do no harm.
class Fields {
 public:
  explicit Fields(const json& object) : object_(object) {}

  const std::string& problem() const { return problem_; }
  void Complain(const std::string& problem) {
    if (problem_.empty()) problem_ = problem;
  }
  bool Has(const char* key) const { return object_.contains(key); }

  std::string String(const char* key) {
    const json* value = Find(key);
    return value == nullptr ? "" : StringOf(*value, key);
  }
  std::string StringOr(const char* key, const char* otherwise) {
    return Has(key) ? String(key) : otherwise;
  }
  // Seeds and builds may be written as numbers as well.
  std::string Text(const char* key) {
    if (!Has(key)) return "";
    const json& value = object_[key];
    return value.is_number() ? value.dump() : StringOf(value, key);
  }

  std::int64_t Number(const char* key, std::int64_t least, std::int64_t most = kLargest) {
    const json* value = Find(key);
    if (value == nullptr) return least;
    if (!value->is_number_integer()) {
      Complain(Quoted(key) + " must be a whole number, not " + value->dump());
      return least;
    }
    const std::int64_t n = value->is_number_unsigned() &&
                                   value->get<std::uint64_t>() > static_cast<std::uint64_t>(most)
                               ? kLargest + 1
                               : value->get<std::int64_t>();
    if (n < least || n > most) {
      Complain(Quoted(key) + " must be from " + std::to_string(least) + " to " +
               std::to_string(most) + ", not " + value->dump());
      return least;
    }
    return n;
  }
  std::int64_t NumberOr(const char* key, std::int64_t least, std::int64_t otherwise) {
    return Has(key) ? Number(key, least) : otherwise;
  }

  bool Flag(const char* key) {
    if (!Has(key)) return false;
    const json& value = object_[key];
    if (!value.is_boolean()) Complain(Quoted(key) + " must be true or false");
    return value.is_boolean() && value.get<bool>();
  }

  std::vector<std::string> Strings(const char* key) {
    std::vector<std::string> strings;
    if (!Has(key)) return strings;
    const json& value = object_[key];
    if (!value.is_array()) Complain(Quoted(key) + " must be a list of strings");
    if (value.is_array())
      for (const json& entry : value) strings.push_back(StringOf(entry, key));
    return strings;
  }

  // Number of a thread that has been announced; -1 stands for none where `optional`.
  int Thread(const char* key, const Run& run, bool optional = false) {
    if (optional && !Has(key)) return -1;
    const std::int64_t t = Number(key, optional ? -1 : 0);
    if (t >= static_cast<std::int64_t>(run.threads.size()) || (t >= 0 && run.threads[t].empty())) {
      Complain(Quoted(key) + ": thread " + std::to_string(t) + " has no \"thread\" event before");
      return optional ? -1 : 0;
    }
    return static_cast<int>(t);
  }

 private:
  const json* Find(const char* key) {
    const auto at = object_.find(key);
    if (at != object_.end()) return &*at;
    Complain(Quoted(key) + " is missing");
    return nullptr;
  }
  std::string StringOf(const json& value, const char* key) {
    if (value.is_string()) return value.get<std::string>();
    Complain(Quoted(key) + " must be a string");
    return "";
  }

  const json& object_;
  std::string problem_;
};

// Parse returns nothing for text that is no JSON object, and then says why.
std::optional<json> Parse(std::string_view line, std::string* why) {
  try {
    json value = json::parse(line.begin(), line.end());
    if (value.is_object()) return value;
    *why = "not a JSON object";
  } catch (const json::exception& error) {
    *why = error.what();
    // What the library puts in front: "[json.exception.parse_error.101] parse error at line 1,".
    const std::size_t column = why->find("column ");
    *why = "not JSON: " + (column == std::string::npos ? *why : why->substr(column));
  }
  return std::nullopt;
}

void ReadHeader(Fields* fields, Run* run) {
  run->program = fields->StringOr("program", "");
  run->arguments = fields->Strings("args");
  run->build = fields->Text("build");
  run->seed = fields->Text("seed");
  run->strategy = fields->StringOr("strategy", "");
  run->procs = fields->NumberOr("procs", 0, 0);
  run->replay = fields->StringOr("replay", "");
}

void ReadRing(const json& object, Fields* fields, Run* run) {
  run->ring.clear();
  const auto edges = object.find("edges");
  if (edges == object.end() || !edges->is_array()) {
    fields->Complain("\"edges\" must be a list");
    return;
  }
  for (const json& edge : *edges) {
    if (!edge.is_object()) {
      fields->Complain("\"edges\" must be a list of objects");
      return;
    }
    Fields of(edge);
    run->ring.push_back({of.String("from"), of.String("what"), of.String("to")});
    if (!of.problem().empty()) fields->Complain("an edge of the ring: " + of.problem());
  }
}

void ReadThread(Fields* fields, Event* event, Run* run) {
  event->t = static_cast<int>(fields->Number("t", 0, kMostThreads - 1));
  event->what = fields->StringOr("name", "");
  if (event->what.empty()) event->what = "thread " + std::to_string(event->t);
  const auto index = static_cast<std::size_t>(event->t);
  if (run->threads.size() <= index) run->threads.resize(index + 1);
  run->threads[index] = event->what;
}

void ReadSwitch(Fields* fields, Event* event, Run* run) {
  event->t = fields->Thread("from", *run, true);
  event->other = fields->Thread("to", *run);
  event->what = fields->StringOr("kind", "");
  event->critical = fields->Flag("critical");
  Stacks stacks{fields->Strings("stack_from"), fields->Strings("stack_to")};
  if (stacks.from.empty() && stacks.to.empty()) return;
  event->stacks = static_cast<int>(run->stacks.size());
  run->stacks.push_back(std::move(stacks));
}

void ReadEvent(Fields* fields, Event* event, Run* run) {
  if (event->kind == Event::kThread) return ReadThread(fields, event, run);
  if (event->kind == Event::kSwitch) return ReadSwitch(fields, event, run);
  event->t = fields->Thread("t", *run, event->kind == Event::kOut);
  switch (event->kind) {
    case Event::kRun:
      event->what = fields->StringOr("why", "");
      break;
    case Event::kG:
      event->number = fields->Number("goid", 0);
      break;
    case Event::kPoint:
      event->what = fields->String("name");
      break;
    case Event::kOp:
      event->detail = fields->String("op");
      event->what = fields->StringOr("what", "");
      event->function = fields->StringOr("fn", "");
      break;
    case Event::kLock:
    case Event::kUnlock:
      event->what = fields->String("lock");
      break;
    case Event::kWait:
      event->what = fields->String("what");
      if (event->what.empty()) event->what = "something";
      break;
    case Event::kWake:
      event->other = fields->Thread("who", *run, true);
      break;
    case Event::kSignal:
      event->number = fields->NumberOr("sig", 0, 0);
      event->what = fields->StringOr("name", "");
      if (event->what.empty()) event->what = "signal " + std::to_string(event->number);
      event->detail = fields->StringOr("phase", "");
      event->other = fields->Thread("from", *run, true);
      break;
    case Event::kInject:
      event->what = fields->String("what");
      event->detail = fields->StringOr("point", "");
      break;
    case Event::kOut:
      event->what = fields->String("text");
      break;
    case Event::kThread:
    case Event::kSwitch:
      break;
  }
}

// ReadLine takes in one line after the first and returns what is wrong with it, "" for nothing.
std::string ReadLine(const json& object, Run* run) {
  Fields fields(object);
  const std::string kind = fields.String("e");
  if (!fields.problem().empty()) return fields.problem();
  const std::string of = " in " + Quoted(kind);
  if (kind == "ring") {
    ReadRing(object, &fields, run);
  } else if (kind == "end") {
    run->ended = true;
    run->steps = fields.NumberOr("step", 0, run->steps);
    run->now = fields.NumberOr("now", 0, -1);
    run->outcome = fields.String("outcome");
    run->detail = fields.StringOr("detail", "");
  } else {
    const auto* known = std::find_if(std::begin(kKinds), std::end(kKinds),
                                     [&](const KindName& k) { return kind == k.name; });
    if (known == std::end(kKinds)) return "";
    Event event;
    event.kind = known->kind;
    event.step = fields.NumberOr("step", 0, run->steps);
    event.now = fields.NumberOr("now", 0, -1);
    ReadEvent(&fields, &event, run);
    run->steps = std::max(run->steps, event.step);
    if (fields.problem().empty()) run->events.push_back(std::move(event));
  }
  return fields.problem().empty() ? "" : fields.problem() + of;
}

// ReadFirst takes in the first line and returns what is wrong with it.
std::string ReadFirst(std::string_view line, Run* run) {
  std::string why;
  const std::optional<json> object = Parse(line, &why);
  if (!object) return "not an events file of gort (" + why + ")";
  if (!object->contains("gort_events"))
    return "not an events file of gort (the first line has no \"gort_events\")";
  const json& version = (*object)["gort_events"];
  if (version != kEventsVersion)
    return "events of version " + version.dump() + ", where this tool reads " +
           std::to_string(kEventsVersion) + ": use the tool that comes with the explorer";
  Fields fields(*object);
  ReadHeader(&fields, run);
  return fields.problem();
}

std::string Plural(std::int64_t n, const char* what) {
  return std::to_string(n) + " " + what + (n == 1 ? "" : "s");
}

// Sort brings events of an earlier step, which the explorer may have learnt of later, to their place.
void Sort(std::vector<Event>* events) {
  auto earlier = [](const Event& a, const Event& b) { return a.step < b.step; };
  if (std::is_sorted(events->begin(), events->end(), earlier)) return;
  std::vector<std::size_t> order(events->size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return (*events)[a].step != (*events)[b].step ? earlier((*events)[a], (*events)[b]) : a < b;
  });
  std::vector<Event> sorted;
  sorted.reserve(events->size());
  for (const std::size_t i : order) sorted.push_back(std::move((*events)[i]));
  *events = std::move(sorted);
}

}  // namespace

std::variant<Run, std::string> ParseEvents(std::string_view text, const std::string& file) {
  Run run;
  run.file = file;
  auto problem = [&](std::int64_t line, const std::string& what) {
    return file + ": line " + std::to_string(line) + ": " + what;
  };
  if (text.empty()) return file + ": not an events file of gort (it is empty)";

  std::int64_t number = 0;
  bool half = false;
  while (!text.empty()) {
    const std::size_t newline = text.find('\n');
    std::string_view line = text.substr(0, newline);
    text.remove_prefix(newline == std::string_view::npos ? text.size() : newline + 1);
    if (line.ends_with('\r')) line.remove_suffix(1);
    number++;
    if (number == 1) {
      if (const std::string wrong = ReadFirst(line, &run); !wrong.empty()) return problem(1, wrong);
      continue;
    }
    if (line.find_first_not_of(" \t") == std::string_view::npos) continue;
    std::string why;
    const std::optional<json> object = Parse(line, &why);
    if (!object) {
      // The explorer writes whole lines: only a last one without an end can be half of one.
      half = newline == std::string_view::npos;
      if (!half) return problem(number, why);
      break;
    }
    if (const std::string wrong = ReadLine(*object, &run); !wrong.empty())
      return problem(number, wrong);
  }
  if (!run.ended)
    run.notice = "The events file was cut off " +
                 (half ? "in the middle of line " + std::to_string(number)
                       : "after line " + std::to_string(number)) +
                 ": it has no end. What is there is shown, " +
                 Plural(static_cast<std::int64_t>(run.events.size()), "event") + " up to step " +
                 std::to_string(run.steps) + "; the outcome is not known.";
  for (std::size_t t = 0; t < run.threads.size(); t++)
    if (run.threads[t].empty()) run.threads[t] = "thread " + std::to_string(t);
  Sort(&run.events);
  return run;
}

std::variant<Run, std::string> ReadEvents(const std::string& file) {
  if (std::filesystem::is_directory(file)) return file + ": cannot be read: it is a folder";
  std::ifstream in(file, std::ios::binary);
  if (!in) return file + ": cannot be read: " + std::strerror(errno);
  std::ostringstream text;
  text << in.rdbuf();
  if (in.bad()) return file + ": cannot be read to its end";
  return ParseEvents(text.str(), file);
}

const char* EventKindName(Event::Kind kind) {
  for (const KindName& known : kKinds)
    if (known.kind == kind) return known.name;
  return "";
}

std::string ShownProgram(const Run& run) {
  std::string path = run.program;
  // .../bazel-out/CONFIGURATION/bin/PACKAGE/NAME, or by way of the link to it.
  const std::string out = "bazel-out/", bin = "/bin/", link = "bazel-bin/";
  std::size_t package = path.find(out);
  if (package != std::string::npos) {
    package = path.find(bin, package + out.size());
    if (package != std::string::npos) package += bin.size();
  } else if (package = path.find(link); package != std::string::npos) {
    package += link.size();
  }
  if (package != std::string::npos) {
    path.erase(0, package);
    // A program is linked under another name than its target's (tools/bazel/gort.bzl).
    const std::string linked = ".goroutine";
    if (path.ends_with(linked)) path.resize(path.size() - linked.size());
    const std::size_t slash = path.rfind('/');
    if (slash == std::string::npos) return "//:" + path;
    path[slash] = ':';
    return "//" + path;
  }
  const char* caller = std::getenv("BUILD_WORKING_DIRECTORY");
  std::error_code none;
  const std::string folder =
      (caller != nullptr ? std::string(caller) : std::filesystem::current_path(none).string()) +
      "/";
  return folder.size() > 1 && path.starts_with(folder) ? path.substr(folder.size()) : path;
}

}  // namespace gort::chaos
