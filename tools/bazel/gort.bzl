"""Rules for programs that run on goroutines.

    gort_library(name, srcs, hdrs, deps)
    gort_binary(name, srcs, deps, mode = "plain" | "tsan" | "explore")
    gort_test(name, srcs, deps, modes = ["plain", "tsan"])

Each builds its sources with the stack check (flags.bzl) against //runtime. A binary or a test is
two targets: an inner cc_binary, and a rule of the public name that sets the mode by a transition
for the inner one and all its dependencies. So one `bazel test //...` builds every mode, and the
same library serves all of them.

Invariants:
  - All code of one program is built in one mode, with one runtime.
  - A program of mode "explore" has the explorer linked in (chaos/explore), whatever it is.
  - gort_test builds checked (lock ranks) and with the named points of runtime/point.h; gort_binary
    does neither unless it says so.
"""

load("@rules_cc//cc:defs.bzl", "cc_binary", "cc_library")
load(":flags.bzl", "HOST_COPTS", "TSAN_OPTIONS", "goroutine_copts", "runtime_defines", "runtime_linkopts")

MODES = ["plain", "tsan", "explore"]

_RUNTIME = "//tools/bazel:runtime"

# What takes a program of mode "explore" over where Main begins.
_EXPLORER = select({
    "//tools/bazel:is_explore": ["//chaos/explore"],
    "//conditions:default": [],
})

def _mode_transition_impl(_settings, attr):
    return {
        "//tools/bazel:checked": attr.checked,
        "//tools/bazel:mode": attr.mode,
        # The explorer asks at points as well.
        "//tools/bazel:points": attr.points or attr.mode == "explore",
        "//tools/bazel:runtime": attr.runtime,
    }

_mode_transition = transition(
    implementation = _mode_transition_impl,
    inputs = [],
    outputs = [
        "//tools/bazel:checked",
        "//tools/bazel:mode",
        "//tools/bazel:points",
        "//tools/bazel:runtime",
    ],
)

def _program_impl(ctx):
    inner = ctx.attr.inner[0]  # a list, because the attribute has a transition
    executable = ctx.actions.declare_file(ctx.label.name)
    ctx.actions.symlink(
        output = executable,
        target_file = ctx.executable.inner,
        is_executable = True,
    )
    runfiles = ctx.runfiles(files = [executable] + ctx.files.data)
    for target in [inner] + ctx.attr.data:
        runfiles = runfiles.merge(target[DefaultInfo].default_runfiles)
    return [
        DefaultInfo(executable = executable, runfiles = runfiles),
        testing.TestEnvironment({
            key: ctx.expand_location(value, targets = ctx.attr.data)
            for key, value in ctx.attr.env.items()
        }),
    ]

_PROGRAM_ATTRS = {
    "checked": attr.bool(),
    "data": attr.label_list(allow_files = True),
    "env": attr.string_dict(),
    "inner": attr.label(cfg = _mode_transition, executable = True, mandatory = True),
    "mode": attr.string(mandatory = True),
    "points": attr.bool(),
    "runtime": attr.string(mandatory = True),
    "_allowlist_function_transition": attr.label(
        default = "@bazel_tools//tools/allowlists/function_transition_allowlist",
    ),
}

_gort_program = rule(
    implementation = _program_impl,
    attrs = _PROGRAM_ATTRS,
    doc = "A cc_binary built in one mode, under this target's name.",
    executable = True,
)

_gort_program_test = rule(
    implementation = _program_impl,
    attrs = _PROGRAM_ATTRS,
    doc = "A cc_binary built in one mode and run as a test.",
    test = True,
)

def _check_mode(rule_name, name, mode):
    if mode not in MODES:
        fail("%s \"%s\": unknown mode \"%s\"; known modes: %s" %
             (rule_name, name, mode, ", ".join(MODES)))

def _absolute(label):
    """The label as the transition needs it: it is resolved in another package."""
    if label.startswith(":"):
        return "//" + native.package_name() + label
    if label.startswith("//") or label.startswith("@"):
        return label
    return "//%s:%s" % (native.package_name(), label)

def _goroutine_binary(name, srcs, deps, copts, defines, linkopts, **kwargs):
    cc_binary(
        name = name,
        srcs = srcs,
        copts = goroutine_copts() + copts,
        linkopts = linkopts,
        local_defines = defines,
        tags = ["manual"],
        visibility = ["//visibility:private"],
        deps = deps + [_RUNTIME] + _EXPLORER,
        **kwargs
    )

def _goroutine_objects(name):
    """The target that compiles goroutine code: goroutine.lds knows its objects by this name."""
    return name + ".goroutine"

def runtime_library(name, srcs, hdrs, copts = [], **kwargs):
    """The runtime itself, or another one built in its stead.

    It carries the linker's flags: whatever links the runtime is linked as it needs.

    Args:
      name: the target.
      srcs: .cc and .S files.
      hdrs: the runtime's headers.
      copts: further flags.
      **kwargs: of cc_library.
    """
    cc_library(
        name = name,
        srcs = srcs,
        hdrs = hdrs,
        # Every object is linked, also one that only the linker or the assembly refers to
        # (__morestack, signal trampolines): libgcc's must not be found first.
        alwayslink = True,
        copts = goroutine_copts() + copts,
        defines = runtime_defines(),
        linkopts = runtime_linkopts() + ["-Wl,-T,$(location //tools/bazel:goroutine.lds)"],
        linkstatic = True,
        deps = [
            "@libbacktrace",
            "@zlib",
            "//tools/bazel:goroutine.lds",
        ],
        **kwargs
    )

def gort_library(
        name,
        srcs = [],
        hdrs = [],
        deps = [],
        copts = [],
        tags = [],
        testonly = False,
        visibility = None,
        **kwargs):
    """A library of goroutine code.

    Args:
      name: the target.
      srcs: its sources.
      hdrs: its headers.
      deps: further libraries; //runtime is always one.
      copts: further compiler flags.
      tags: of the target.
      testonly: as everywhere.
      visibility: as everywhere.
      **kwargs: of cc_library.
    """
    objects = _goroutine_objects(name)
    cc_library(
        name = objects,
        srcs = srcs,
        hdrs = hdrs,
        copts = goroutine_copts() + copts,
        linkstatic = True,
        tags = tags,
        testonly = testonly,
        visibility = visibility,
        deps = deps + [_RUNTIME],
        **kwargs
    )
    native.alias(
        name = name,
        actual = objects,
        tags = tags,
        testonly = testonly,
        visibility = visibility,
    )

def gort_binary(
        name,
        srcs = [],
        deps = [],
        mode = "plain",
        runtime = "//runtime",
        checked = False,
        points = False,
        copts = [],
        defines = [],
        linkopts = [],
        data = [],
        tags = [],
        testonly = False,
        visibility = None,
        **kwargs):
    """A program whose main calls gort::Main.

    Args:
      name: the target, and the file below bazel-bin.
      srcs: its sources.
      deps: further libraries; //runtime is always one.
      mode: "plain", "tsan" or "explore".
      runtime: the runtime to build against; for a bug of the history, an unfixed_runtime.
      checked: with the runtime's checks, as in a gort_test.
      points: with the hook at the runtime's named points, as in a gort_test; chaos/ needs it.
      copts: further compiler flags.
      defines: preprocessor definitions for srcs.
      linkopts: further linker flags.
      data: files that the program reads when it runs.
      tags: of the target.
      testonly: as everywhere.
      visibility: as everywhere.
      **kwargs: further attributes of the target (args, deprecation ...).
    """
    _check_mode("gort_binary", name, mode)
    inner = _goroutine_objects(name)
    _goroutine_binary(
        name = inner,
        srcs = srcs,
        copts = copts,
        defines = defines,
        linkopts = linkopts,
        testonly = testonly,
        deps = deps,
    )
    _gort_program(
        name = name,
        checked = checked,
        data = data,
        inner = inner,
        mode = mode,
        points = points,
        runtime = _absolute(runtime),
        tags = tags,
        testonly = testonly,
        visibility = visibility,
        **kwargs
    )

def _environment(name, mode, env):
    if "suppressions" in env.get("TSAN_OPTIONS", ""):
        fail("gort_test \"%s\": suppressions of TSan reports are not allowed" % name)
    if mode != "tsan":
        return env
    env = dict(env)
    extra = env.get("TSAN_OPTIONS")
    env["TSAN_OPTIONS"] = TSAN_OPTIONS + (":" + extra if extra else "")  # the last setting holds
    return env

def gort_test(
        name,
        srcs = [],
        deps = [],
        modes = ["plain", "tsan"],
        env = {},
        args = [],
        data = [],
        size = "small",
        timeout = None,
        tags = [],
        runtime = "//runtime",
        checked = True,
        points = True,
        copts = [],
        defines = [],
        linkopts = [],
        flaky = False,
        visibility = None,
        **kwargs):
    """One test target for each mode, <name>_<mode>, and a test_suite <name> of them all.

    Each test carries its mode as a tag: --test_tag_filters=tsan picks them.

    Args:
      name: the test_suite.
      srcs: the test's sources.
      deps: further libraries; //runtime is always one. @doctest//:main brings doctest's main().
      modes: the modes to build and run.
      env: environment of the test; TSAN_OPTIONS is added to the default of mode tsan.
      args: arguments of the test; $(location) of data is expanded.
      data: files that the test reads when it runs.
      size: as everywhere.
      timeout: as everywhere.
      tags: of the tests and of the test_suite.
      runtime: the runtime to build against; for a bug of the history, an unfixed_runtime.
      checked: with the runtime's checks.
      points: with the hook at the runtime's named points.
      copts: further compiler flags.
      defines: preprocessor definitions for srcs.
      linkopts: further linker flags.
      flaky: refused; a test that fails now and then has found something.
      visibility: as everywhere.
      **kwargs: further attributes of the tests (shard_count, local ...).
    """
    if flaky:
        fail("gort_test \"%s\": flaky tests are not allowed" % name)
    if not modes:
        fail("gort_test \"%s\": modes is empty, so nothing would be tested" % name)
    inner = _goroutine_objects(name)
    _goroutine_binary(
        name = inner,
        srcs = srcs,
        copts = copts,
        defines = defines,
        linkopts = linkopts,
        testonly = True,
        deps = deps,
    )
    tests = []
    for mode in modes:
        _check_mode("gort_test", name, mode)
        tests.append("%s_%s" % (name, mode))
        _gort_program_test(
            name = tests[-1],
            size = size,
            timeout = timeout,
            args = args,
            checked = checked,
            data = data,
            env = _environment(name, mode, env),
            inner = inner,
            mode = mode,
            points = points,
            runtime = _absolute(runtime),
            tags = tags + [mode],
            visibility = visibility,
            **kwargs
        )
    native.test_suite(
        name = name,
        tags = [tag for tag in tags if tag == "manual"],
        tests = tests,
        visibility = visibility,
    )

def host_library(name, copts = [], **kwargs):
    """A library of host code: no stack check, never instrumented.

    It may include the runtime's headers (deps = ["//tools/bazel:runtime"]) and then is built with
    the definitions of the mode that it is linked into.

    Args:
      name: the target.
      copts: further compiler flags.
      **kwargs: of cc_library.
    """
    cc_library(
        name = name,
        copts = HOST_COPTS + copts,
        linkstatic = True,
        **kwargs
    )

def host_binary(name, copts = [], **kwargs):
    """A program of host code.

    Args:
      name: the target.
      copts: further compiler flags.
      **kwargs: of cc_binary.
    """
    cc_binary(
        name = name,
        copts = HOST_COPTS + copts,
        **kwargs
    )
