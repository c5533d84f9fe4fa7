"""Compiler and linker flags, with the reason for each.

Three kinds of code:
  - goroutine code: the runtime and everything that runs on goroutines (gort_library, gort_binary,
    gort_test). It has the compiler's stack check in every function.
  - host code: chaos/, tools and benches of other systems, on ordinary thread stacks.
  - assembly: gets the goroutine flags too; clang ignores those that mean nothing there.

The numbers after --split-stack-adjust-size are known to the assembly as well
(__morestack_non_split); change both together.
"""

load("@llvm//:tools.bzl", "LLD", "LLVM_SYMBOLIZER")

_COMMON_COPTS = [
    "-std=c++20",
    # Frames as small as they are in use: at -O0 a goroutine's first stack would not last one call.
    "-O2",
    # Tracebacks, Callers and gdb. Version 4, because libbacktrace of GCC 12 is safest with it.
    "-g",
    "-gdwarf-4",
    # Tracebacks and the conservative scan walk frame pointers.
    "-fno-omit-frame-pointer",
    "-mno-omit-leaf-frame-pointer",
    "-Wall",
    "-Wextra",
]

GOROUTINE_COPTS = _COMMON_COPTS + [
    # Go's function prologue: compare the stack pointer with %fs:112, call __morestack.
    "-fsplit-stack",
    # An exception in flight keeps stack addresses in heap memory, which copystack cannot adjust.
    "-fno-exceptions",
    # A goroutine stopped by a signal gets a call pushed onto its stack.
    "-mno-red-zone",
    # endbr64 before the stack check: lld could not adjust the prologue.
    "-fcf-protection=none",
    # Go's variables start as zero. Here it also leaves fewer old addresses under small data: a stack
    # is moved without maps, and half an address with two live bytes in front may look like one.
    "-ftrivial-auto-var-init=zero",
    # Go makes no tail calls: every caller shows in a traceback.
    "-fno-optimize-sibling-calls",
    # The runtime views one word of memory as different types, as Go's unsafe code does.
    "-fno-strict-aliasing",
    # Frames of unknown size would call __morestack_allocate_stack_space.
    "-Walloca",
    "-Wvla",
    "-Werror=alloca",
    "-Werror=vla",
]

HOST_COPTS = _COMMON_COPTS

TSAN_COPTS = ["-fsanitize=thread"]

# A call before each load and store, in the last pass: a step to the explorer (runtime/explore.h).
EXPLORE_COPTS = ["-fsanitize-coverage=func,trace-loads,trace-stores"]

LINKOPTS = [
    # lld adjusts prologues in front of calls to code without the check. By full path: with
    # Bazel's own -B/usr/bin, -fuse-ld=lld would take another version's ld.lld from there.
    "--ld-path=" + LLD,
    "-pthread",
    # -fsplit-stack is left out on purpose: when linking, it wraps pthread_create and brings in
    # libgcc's __morestack.
]

PLAIN_LINKOPTS = [
    # Room for a callee without a stack check, as in gcc's own convention.
    "-Wl,--split-stack-adjust-size=16384",
]

TSAN_LINKOPTS = [
    "-fsanitize=thread",
    # No -fsanitize-link-c++-runtime: operator new and delete are the runtime's (cxxnew.cc), and what
    # they call is TSan's malloc and free.
    # Nearly every function calls the sanitizer, so each would ask for the full amount; the
    # runtime keeps what the sanitizer needs free below every stack guard instead.
    "-Wl,--split-stack-adjust-size=4096",
]

# Defaults under TSan. The first report ends the program with a status of its own, and nothing is
# suppressed. The symbolizer by full path: TSan looks for a name without version.
TSAN_OPTIONS = ":".join([
    "halt_on_error=1",
    "exitcode=66",
    # No wait at exit: the runtime stops the other threads before it.
    "atexit_sleep_ms=0",
    "second_deadlock_stack=1",
    "external_symbolizer_path=" + LLVM_SYMBOLIZER,
])

def by_mode(plain, tsan, explore = None):
    """Picks a list by //tools/bazel:mode; explore is as plain if it is not given."""
    return select({
        "//tools/bazel:is_explore": plain if explore == None else explore,
        "//tools/bazel:is_plain": plain,
        "//tools/bazel:is_tsan": tsan,
    })

def if_checked(value):
    """The list when //tools/bazel:checked is on, else an empty one."""
    return select({
        "//tools/bazel:is_checked": value,
        "//conditions:default": [],
    })

def if_points(value, otherwise = []):
    """The list when //tools/bazel:points is on, else the other one."""
    return select({
        "//tools/bazel:has_points": value,
        "//conditions:default": otherwise,
    })

def goroutine_copts():
    return GOROUTINE_COPTS + by_mode([], TSAN_COPTS, explore = EXPLORE_COPTS)

def runtime_linkopts():
    return LINKOPTS + by_mode(PLAIN_LINKOPTS, TSAN_LINKOPTS)

def runtime_defines():
    """What headers and assembly of the runtime ask for; everything that includes them sees it."""
    return (
        by_mode([], ["GORT_TSAN=1"], explore = ["GORT_EXPLORE=1"]) +
        if_checked(["GORT_CHECKED=1"]) +
        if_points(["GORT_POINTS=1"])
    )
