# Makes a C++ source of the ```cpp blocks of a page. Each block goes to a namespace of its own, under
# #include "runtime/go.h"; one that has a main() is run, and has to print to standard error what the
# ```text block that follows says. Lines are those of the page.
BEGIN {
  print "#include <array>\n#include <map>\n#include <string>\n#include <thread>\n#include <vector>"
  print "#include <fcntl.h>\n#include <sys/syscall.h>\n#include <time.h>\n#include <unistd.h>"
  print "#include \"tests/harness.h\"\n"
}
/^```cpp$/ {
  mode = "cpp"
  blocks++
  program = 0
  print "namespace block" blocks " {\nusing namespace gort;"
  print "#line " NR + 1 " \"" FILENAME "\""
  next
}
/^```text$/ {
  mode = "text"
  text = ""
  next
}
/^```/ && mode == "cpp" {
  mode = ""
  print "}  // namespace block" blocks
  if (program) waiting = blocks
  next
}
/^```/ && mode == "text" {
  mode = ""
  if (waiting) {
    programs++
    print "TEST_CASE(\"program in block " waiting "\") {"
    print "  auto r = gort::test::run_child([] { block" waiting "::main(0, nullptr); });"
    print "  CHECK_MESSAGE(r.status == 0, r.str());"
    print "  CHECK(r.err == R\"~~(" text ")~~\");\n}"
    waiting = 0
  }
  next
}
/^```/ { mode = mode == "other" ? "" : "other"; next }
mode == "text" { text = text $0 "\n" }
mode == "cpp" {
  if ($0 ~ /^#include/) { print ""; next }
  if ($0 ~ /^int main\(/) {
    if (waiting) unexpected = 1
    program = 1
  }
  print
}
END {
  if (waiting || unexpected) {
    print "extract_blocks.awk: a program without its output" > "/dev/stderr"
    exit 1
  }
  if (blocks < 5 || programs < 1) {
    print "extract_blocks.awk: only " blocks + 0 " blocks, " programs + 0 " programs" > "/dev/stderr"
    exit 1
  }
}
