// From the linker's name of a function to the name that Go would print.
//
//   gort::runtime::gopark(...)          runtime.gopark
//   gort::chan<int>::recv()             runtime.chan[...].recv      (built-ins are the runtime's)
//   gort::sync::Mutex::Lock()           sync.(*Mutex).Lock
//   gort::os::signal::Notify(...)       os/signal.Notify
//   square(...)                         main.square
//   Shape::area() const                 main.(*Shape).area
//   a::b::f(...)                        a/b.f
//   a::Shape::area()                    a.(*Shape).area
//   the lambda that Main() runs         main.main;        one inside that: main.main.func1
//   another lambda in main()            main.main.func2;  one inside that: main.main.func2.1
//   a lambda at namespace scope         main.glob..func1
//   f<int>(...)                         main.f[...]
//   gort::runtime::throw_(...)          runtime.throw               (keywords have a _ behind)
//   gort_gostart, __morestack           runtime.goexit, runtime.morestack
//   another C function                  its bare name: not shown below level 2
//
// The mangled name does not say whether a::f is in a namespace or in a class. A component counts as
// a class if it has template arguments, begins with a capital, or contains a const member, a
// constructor, a destructor or one of = () [] ->; leading others are the path of the package.
//
// The reader knows the part of the Itanium mangling that names are made of; it skips types without
// expanding substitutions and allocates nothing, so it works in any state of the process. A name
// that it cannot read to the end (expressions in template arguments) is shown as far as it was read.
#pragma once

#include "sys.h"

namespace gort::runtime {

struct symname {
  char buf[240];
  std::uint16_t len = 0;
  bool noargs = false;  // the function certainly has no parameters
  const char* data() const { return buf; }
  uintptr size() const { return len; }
  bool hasPrefix(const char* prefix) const;
  bool is(const char* name) const;
  bool contains(char c) const;
};

symname gosymname(const char* linkername);

// Says which lambda of main() is the program: typeid's name of what Main was called with. It is shown
// as main.main, and the lambdas inside it are counted from main.main.func1.
void setMainName(const char* typeName);

}  // namespace gort::runtime
