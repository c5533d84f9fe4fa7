"""External repositories, all of them made from packages that are installed on the machine.

Invariants:
  - Nothing here opens a network connection.
  - Nothing of a Debian package is checked in: what has to be mended is mended on the way.
  - A missing package is named in the error, with the command that installs it.
"""

_DEBIAN_RULES = "/usr/share/bazel/rules"
_DEBIAN_TOOLS = "/usr/share/bazel/tools"

# Debian's rules_cc 0.0.4 loads use_cpp_toolchain from @bazel_tools, whose 4.2.3 does not have it
# yet. Its meaning there is this list.
_USE_CPP_TOOLCHAIN_FILES = [
    "cc/private/rules_impl/cc_flags_supplier.bzl",
    "cc/private/rules_impl/compiler_flag.bzl",
]
_USE_CPP_TOOLCHAIN_IMPORT = ", \"use_cpp_toolchain\""
_USE_CPP_TOOLCHAIN_CALL = "use_cpp_toolchain()"
_USE_CPP_TOOLCHAIN_VALUE = "[\"@bazel_tools//tools/cpp:toolchain_type\"]"

def _missing(what, package):
    fail("%s was not found. On Debian 12: apt-get install %s (or run ./bazelw once)." %
         (what, package))

def _debian_rules_cc_impl(rctx):
    root = rctx.path(_DEBIAN_RULES + "/cc")
    if not root.exists:
        _missing(str(root), "bazel-rules-cc")
    for entry in root.readdir():
        if entry.basename != "cc":
            rctx.symlink(entry, entry.basename)

    # The one folder with files to mend is linked entry by entry, down to those files.
    for folder in ["cc", "cc/private", "cc/private/rules_impl"]:
        for entry in rctx.path(_DEBIAN_RULES + "/cc/" + folder).readdir():
            name = folder + "/" + entry.basename
            if name in ["cc/private", "cc/private/rules_impl"]:
                continue
            if name in _USE_CPP_TOOLCHAIN_FILES:
                text = rctx.read(entry)
                if _USE_CPP_TOOLCHAIN_IMPORT not in text or _USE_CPP_TOOLCHAIN_CALL not in text:
                    fail("%s is not the bazel-rules-cc 0.0.4 that this rule mends" % entry)
                text = text.replace(_USE_CPP_TOOLCHAIN_IMPORT, "")
                text = text.replace(_USE_CPP_TOOLCHAIN_CALL, _USE_CPP_TOOLCHAIN_VALUE)
                rctx.file(name, text, executable = False)
            else:
                rctx.symlink(entry, name)

_debian_rules_cc = repository_rule(
    implementation = _debian_rules_cc_impl,
    doc = "Debian's bazel-rules-cc in a form that Debian's own Bazel 4.2.3 can load.",
    local = True,
)

def _coverage_tools_stub_impl(rctx):
    rctx.file("BUILD", """
package(default_visibility = ["//visibility:public"])

filegroup(name = "coverage_report_generator")

filegroup(name = "lcov_merger")
""")

_coverage_tools_stub = repository_rule(
    implementation = _coverage_tools_stub_impl,
    doc = "Every `bazel test` of Bazel 4 resolves these two; without the stub it downloads them.",
)

def _doctest_impl(rctx):
    header = "/usr/include/doctest/doctest.h"
    if not rctx.path(header).exists:
        _missing(header, "doctest-dev")
    rctx.symlink(header, "doctest/doctest.h")
    rctx.file("main.cc", """
#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#include <doctest/doctest.h>
""")

    # Goroutine code has no exceptions, and every file of one program has to agree with doctest
    # about that. REQUIRE stays available; without exceptions it reports and goes on.
    rctx.file("BUILD", """
load("@rules_cc//cc:defs.bzl", "cc_library")

package(default_visibility = ["//visibility:public"])

cc_library(
    name = "doctest",
    hdrs = ["doctest/doctest.h"],
    defines = ["DOCTEST_CONFIG_NO_EXCEPTIONS_BUT_WITH_ALL_ASSERTS"],
    includes = ["."],
)

# A main() that runs the TEST_CASEs. A program that has its own main() does not take this one.
cc_library(
    name = "main",
    srcs = ["main.cc"],
    copts = ["-std=c++20", "-g", "-w"],
    deps = [":doctest"],
)
""")

_doctest = repository_rule(
    implementation = _doctest_impl,
    doc = "The installed doctest header and a library with its main().",
    local = True,
)

def _libbacktrace_impl(rctx):
    found = None
    root = rctx.path("/usr/lib/gcc/x86_64-linux-gnu")
    for version in (root.readdir() if root.exists else []):
        archive = version.get_child("libbacktrace.a")
        header = version.get_child("include").get_child("backtrace.h")
        if archive.exists and header.exists:
            found = (archive, header)
    if not found:
        _missing("libbacktrace.a with backtrace.h", "libgcc-12-dev")
    rctx.symlink(found[0], "libbacktrace.a")
    rctx.symlink(found[1], "include/backtrace.h")
    rctx.file("BUILD", """
load("@rules_cc//cc:defs.bzl", "cc_library")

exports_files(["include/backtrace.h"])

cc_library(
    name = "libbacktrace",
    srcs = ["libbacktrace.a"],
    hdrs = ["include/backtrace.h"],
    includes = ["include"],
    visibility = ["//visibility:public"],
)
""")

_libbacktrace = repository_rule(
    implementation = _libbacktrace_impl,
    doc = "GCC's static libbacktrace, which reads the program's own debug information.",
    local = True,
)

def _zlib_impl(rctx):
    archive = rctx.path("/usr/lib/x86_64-linux-gnu/libz.a")
    headers = [rctx.path("/usr/include/" + name) for name in ["zlib.h", "zconf.h"]]
    if not archive.exists or not headers[0].exists or not headers[1].exists:
        _missing("libz.a with zlib.h", "zlib1g-dev")
    rctx.symlink(archive, "libz.a")
    for header in headers:
        rctx.symlink(header, "include/" + header.basename)
    rctx.file("BUILD", """
load("@rules_cc//cc:defs.bzl", "cc_library")

exports_files(["include/zlib.h"])

cc_library(
    name = "zlib",
    srcs = ["libz.a"],
    hdrs = ["include/zlib.h", "include/zconf.h"],
    includes = ["include"],
    visibility = ["//visibility:public"],
)
""")

_zlib = repository_rule(
    implementation = _zlib_impl,
    doc = "The machine's static zlib, by which profiles are gzipped.",
    local = True,
)

def _nlohmann_json_impl(rctx):
    headers = rctx.path("/usr/include/nlohmann")
    if not headers.get_child("json.hpp").exists:
        _missing("nlohmann/json.hpp", "nlohmann-json3-dev")
    rctx.symlink(headers, "include/nlohmann")
    rctx.file("BUILD", """
load("@rules_cc//cc:defs.bzl", "cc_library")

cc_library(
    name = "json",
    hdrs = glob(["include/nlohmann/**"]),
    includes = ["include"],
    visibility = ["//visibility:public"],
)
""")

_nlohmann_json = repository_rule(
    implementation = _nlohmann_json_impl,
    doc = "The machine's nlohmann-json, headers only: the report page's events.",
    local = True,
)

# Name in @llvm//:tools.bzl -> (what to look for, in this order; Debian's package).
_LLVM_TOOLS = {
    "LLD": (["ld.lld-19", "ld.lld"], "lld-19"),
    "LLVM_SYMBOLIZER": (["llvm-symbolizer-19", "llvm-symbolizer"], "llvm-19"),
    "LLVM_NM": (["llvm-nm-19"], "llvm-19"),
    "LLVM_OBJDUMP": (["llvm-objdump-19"], "llvm-19"),
    "CLANG_FORMAT": (["clang-format-19"], "clang-format-19"),
    "CLANG_TIDY": (["clang-tidy-19"], "clang-tidy-19"),
}

def _llvm_impl(rctx):
    lines = ["\"\"\"Where the tools of LLVM are on this machine.\"\"\"", ""]
    for name, (candidates, package) in _LLVM_TOOLS.items():
        path = None
        for candidate in candidates:
            path = path or rctx.which(candidate)
        if not path:
            _missing(candidates[0], package)
        lines.append("%s = \"%s\"" % (name, path))
    rctx.file("BUILD", "")
    rctx.file("tools.bzl", "\n".join(lines) + "\n")

_llvm = repository_rule(
    implementation = _llvm_impl,
    doc = "Absolute paths of the LLVM tools that belong to the tested compiler.",
    environ = ["PATH"],
    local = True,
)

def host_repositories():
    """Declares what a build takes from the machine, whichever Bazel reads it."""
    _doctest(name = "doctest")
    _libbacktrace(name = "libbacktrace")
    _zlib(name = "zlib")
    _nlohmann_json(name = "nlohmann_json")
    _llvm(name = "llvm")

def gort_repositories():
    """Declares every repository for a build that reads WORKSPACE."""
    _debian_rules_cc(name = "rules_cc")
    _coverage_tools_stub(name = "remote_coverage_tools")
    native.local_repository(name = "bazel_skylib", path = _DEBIAN_TOOLS + "/skylib")
    native.local_repository(name = "platforms", path = _DEBIAN_TOOLS + "/platforms")
    native.local_repository(name = "rules_java", path = _DEBIAN_RULES + "/java")
    native.local_repository(name = "rules_proto", path = _DEBIAN_RULES + "/proto")
    host_repositories()
    native.register_toolchains("@bazel_skylib//toolchains/unittest:bash_toolchain")
