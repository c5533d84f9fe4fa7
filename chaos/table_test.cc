// Tables and JSON.

#include "chaos/table.h"

#include <doctest/doctest.h>

using namespace gort::chaos;

TEST_CASE("columns are as wide as their widest cell") {
  CHECK(Table({{"a", "bb"}, {"ccc", "d"}}) == "a    bb\nccc  d\n");
}

TEST_CASE("lines") {
  CHECK(Indent("a\n\nb", 2) == "  a\n\n  b\n");
  CHECK(LastLines("a\nb\nc\n", 2) == "b\nc");
  CHECK(LastLines("a\nb\n", 5) == "a\nb");
  CHECK(LastLines("", 1).empty());
}

TEST_CASE("JSON") {
  Json json;
  json.BeginObject().Key("a").BeginArray().Number(1).String("x\"\\\n").EndArray();
  json.Key("b").BeginObject().EndObject().Key("c").Bool(true).EndObject();
  CHECK(json.text() == R"({"a":[1,"x\"\\\u000a"],"b":{},"c":true})");
}
