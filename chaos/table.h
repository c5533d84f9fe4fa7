// Text for people and for programs: tables in columns, JSON.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace gort::chaos {

// Table lays rows out in columns, two blanks apart; the first row is the heading.
std::string Table(const std::vector<std::vector<std::string>>& rows);

// Indent puts blanks in front of every line that is not empty.
std::string Indent(std::string_view text, int blanks);

// LastLines is the end of text, at most n lines.
std::string LastLines(std::string_view text, int n);

// ShellWord is the text as one word of a shell's command line, in quotes if it needs them.
std::string ShellWord(const std::string& word);

// Json writes one value; commas and quotes are its business.
class Json {
 public:
  Json& BeginObject() { return Open('{'); }
  Json& EndObject() { return Close('}'); }
  Json& BeginArray() { return Open('['); }
  Json& EndArray() { return Close(']'); }
  Json& Key(std::string_view key);
  Json& String(std::string_view value);
  Json& Number(long long value);
  Json& Real(double value);  // finite
  Json& Bool(bool value);
  const std::string& text() const { return text_; }

 private:
  Json& Open(char c);
  Json& Close(char c);
  void Separate();
  void Quote(std::string_view s);
  std::string text_;
  bool first_ = true;     // nothing stands in the innermost object or array yet
  bool afterKey_ = false;
};

}  // namespace gort::chaos
