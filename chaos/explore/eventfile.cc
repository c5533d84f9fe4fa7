#include "chaos/explore/eventfile.h"

#include <sys/stat.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <sstream>

#include "chaos/explore/zygote.h"
#include "chaos/rings.h"
#include "chaos/table.h"

namespace gort::chaos {

namespace {

// ,"stack_from":["function file:line",...] for the addresses in "pcs_from":["0x...",...].
std::string NamedStack(const std::string& line, const std::string& side) {
  const std::string key = "\"pcs_" + side + "\":[";
  const std::size_t begin = line.find(key);
  if (begin == std::string::npos) return "";
  Json stack;
  stack.BeginArray();
  std::size_t at = begin + key.size();
  while (at < line.size() && line[at] == '"') {
    const std::uint64_t pc = std::strtoull(line.c_str() + at + 1, nullptr, 16);
    for (const StackFrame& frame : FramesOf(pc)) {
      // The explorer itself, and the atomic operation that asked it, say nothing.
      if (frame.function.find("explore") != std::string::npos ||
          frame.function.find("(*atomic.") != std::string::npos)
        continue;
      stack.String(frame.place.empty() ? frame.function : frame.function + " " + frame.place);
    }
    at = line.find('"', at + 1);
    if (at == std::string::npos) break;
    at++;
    if (at < line.size() && line[at] == ',') at++;
  }
  return ",\"stack_" + side + "\":" + stack.EndArray().text();
}

bool WriteFile(const std::string& path, const std::string& text, std::string* problem) {
  std::FILE* file = std::fopen(path.c_str(), "we");
  const bool written =
      file != nullptr && std::fwrite(text.data(), 1, text.size(), file) == text.size();
  if (file != nullptr && std::fclose(file) == 0 && written) return true;
  *problem = "cannot write " + path + ": " + std::strerror(errno);
  return false;
}

std::string Header(const Trace& trace, const std::string& tracePath) {
  Json json;
  json.BeginObject().Key("gort_events").Number(1).Key("program").String(trace.program);
  json.Key("args").BeginArray();
  for (const std::string& argument : trace.arguments) json.String(argument);
  json.EndArray().Key("build").String(trace.build).Key("seed").String(std::to_string(trace.seed));
  json.Key("strategy").String(trace.strategy);
  json.Key("replay").String("./bazelw run //chaos -- replay " + ShellWord(tracePath)).EndObject();
  return json.text() + "\n";
}

std::string ReadAll(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

}  // namespace

bool BeginEventFile(const std::string& path, const Trace& trace, const std::string& tracePath,
                    std::string* problem) {
  if (!WriteFile(path, Header(trace, tracePath), problem)) return false;
  struct stat is = {};
  if (stat(path.c_str(), &is) == 0 && S_ISREG(is.st_mode)) return true;
  *problem = path + " is no regular file: what happens cannot be read again there";
  return false;
}

bool FinishEventFile(const std::string& path, const RunReport& report, std::string* problem) {
  std::istringstream in(ReadAll(path));
  std::string text;
  for (std::string line; std::getline(in, line);) {
    if (line.starts_with("{\"e\":\"switch\"") && line.ends_with("}")) {
      line.pop_back();
      line += NamedStack(line, "from") + NamedStack(line, "to") + "}";
    }
    if (line.starts_with("{\"e\":\"end\"")) continue;  // comes again, with more
    text += line + "\n";
  }
  const RunRecord& r = shared->result;
  const auto step = static_cast<long long>(r.steps);
  if (!report.out.empty()) {
    Json out;
    out.BeginObject().Key("e").String("out").Key("step").Number(step).Key("text").String(
        report.out);
    text += out.EndObject().text() + "\n";
  }
  Json end;
  end.BeginObject().Key("e").String("end").Key("step").Number(step).Key("now").Number(r.now);
  end.Key("outcome").String(report.outcome).Key("detail").String(TellingLine(report.out));
  text += end.EndObject().text() + "\n";
  return WriteFile(path, text, problem);
}

}  // namespace gort::chaos
