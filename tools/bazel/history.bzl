"""Runtimes with a historical bug put back.

`tests/history/<commit>/unfix.patch` is the reverse of a fix against today's runtime/. The build
makes the unfixed runtime from both, so that runtime/ carries no switches; a patch that no longer
applies without fuzz breaks the build.

    unfixed_runtime(name = "unfixed_runtime", patch = "unfix.patch")
    gort_test(name = "unfixed", runtime = ":unfixed_runtime", ...)

Why `#include "runtime/go.h"` finds the patched copy: //tools/bazel:runtime stands for it in the
whole program, so that the original headers are not among the inputs of any of its compilations,
and Bazel refuses a file that is not an input. Inside the copy, files include each other by bare
name and so find their patched neighbours.

Only what the patch changes is compiled again: unfix.sh leaves the other source files out of the
copy, unless a header is patched. The new objects take the place of those of the same names in the
original runtime's archive.
"""

load("@bazel_tools//tools/cpp:toolchain_utils.bzl", "find_cpp_toolchain")
load("@rules_cc//cc:defs.bzl", "CcInfo", "cc_common")
load(":gort.bzl", "runtime_library")

def _patched_sources_impl(ctx):
    tree = ctx.actions.declare_directory(ctx.label.name)
    pairs = ctx.actions.args()
    for source in ctx.files.srcs:
        pairs.add(source)
        pairs.add(source.short_path)
    ctx.actions.run(
        outputs = [tree],
        inputs = ctx.files.srcs + [ctx.file.patch],
        executable = ctx.executable._unfix,
        arguments = [ctx.file.patch.path, tree.path, pairs],
        mnemonic = "UnfixRuntime",
        progress_message = "Applying %s" % ctx.file.patch.short_path,
        use_default_shell_env = True,
    )
    return [DefaultInfo(files = depset([tree]))]

_patched_sources = rule(
    implementation = _patched_sources_impl,
    attrs = {
        "patch": attr.label(allow_single_file = [".patch"], mandatory = True),
        "srcs": attr.label_list(allow_files = True, mandatory = True),
        "_unfix": attr.label(
            default = "//tools/bazel:unfix.sh",
            allow_single_file = True,
            cfg = "exec",
            executable = True,
        ),
    },
    doc = "The folder <name>/ with the sources below it, the patch applied.",
)

# Back to the configuration of fixed programs, so that the original is the very one that these link.
# All flags that they set are set again, to what they are: Bazel tells configurations apart by the
# flags that transitions have set on the way.
_KEPT_FLAGS = [
    "//tools/bazel:checked",
    "//tools/bazel:mode",
    "//tools/bazel:points",
]

def _original_transition_impl(settings, attr):
    flags = {flag: settings[flag] for flag in _KEPT_FLAGS}
    flags["//tools/bazel:runtime"] = attr.original_name
    return flags

_original_transition = transition(
    implementation = _original_transition_impl,
    inputs = _KEPT_FLAGS,
    outputs = _KEPT_FLAGS + ["//tools/bazel:runtime"],
)

def _archive(linker_input):
    library = linker_input.libraries[0]
    return library.pic_static_library or library.static_library

def _replaced_runtime_impl(ctx):
    toolchain = find_cpp_toolchain(ctx)
    original = ctx.attr.original[0]
    compiled = ctx.attr.compiled
    merged = ctx.actions.declare_file("lib%s.lo" % ctx.label.name)
    inputs = []
    for input in original[CcInfo].linking_context.linker_inputs.to_list():
        if input.owner == original.label:
            own = _archive(input)
            inputs.append(cc_common.create_linker_input(
                owner = ctx.label,
                libraries = depset([cc_common.create_library_to_link(
                    actions = ctx.actions,
                    alwayslink = True,
                    cc_toolchain = toolchain,
                    feature_configuration = cc_common.configure_features(
                        ctx = ctx,
                        cc_toolchain = toolchain,
                    ),
                    pic_static_library = merged,
                )]),
                user_link_flags = depset(input.user_link_flags),
                additional_inputs = depset(input.additional_inputs),
            ))
        else:
            inputs.append(input)
    for input in compiled[CcInfo].linking_context.linker_inputs.to_list():
        if input.owner == compiled.label:
            new = _archive(input)
    ctx.actions.run(
        outputs = [merged],
        inputs = depset([own, new], transitive = [toolchain.all_files]),
        executable = ctx.executable._replace_members,
        arguments = [toolchain.ar_executable, own.path, new.path, merged.path],
        mnemonic = "ReplaceMembers",
        use_default_shell_env = True,
    )
    return [
        DefaultInfo(files = depset([merged])),
        CcInfo(
            compilation_context = compiled[CcInfo].compilation_context,
            linking_context = cc_common.create_linking_context(linker_inputs = depset(inputs)),
        ),
    ]

_replaced_runtime = rule(
    implementation = _replaced_runtime_impl,
    attrs = {
        "compiled": attr.label(mandatory = True, providers = [CcInfo]),
        "original": attr.label(
            cfg = _original_transition,
            mandatory = True,
            providers = [CcInfo],
        ),
        "original_name": attr.string(mandatory = True),
        "_allowlist_function_transition": attr.label(
            default = "@bazel_tools//tools/allowlists/function_transition_allowlist",
        ),
        "_cc_toolchain": attr.label(default = "@bazel_tools//tools/cpp:current_cc_toolchain"),
        "_replace_members": attr.label(
            default = "//tools/bazel:replace_members.sh",
            allow_single_file = True,
            cfg = "exec",
            executable = True,
        ),
    },
    doc = "The original runtime with some objects replaced, and the headers of these.",
    fragments = ["cpp"],
    toolchains = ["@bazel_tools//tools/cpp:toolchain_type"],
)

def unfixed_runtime(
        name,
        patch,
        srcs = ["//runtime:sources"],
        original = "//runtime",
        visibility = None):
    """A runtime with one historical bug put back, for the `runtime` of gort_binary or gort_test.

    Args:
      name: the target.
      patch: the patch, with paths as git writes them (a/runtime/..., b/runtime/...).
      srcs: the sources that it is applied to.
      original: the label of the runtime that is built from them, in full.
      visibility: as everywhere.
    """
    copy = name + ".copy"
    _patched_sources(
        name = copy,
        srcs = srcs,
        patch = patch,
        tags = ["manual"],
        visibility = ["//visibility:private"],
    )
    runtime_library(
        name = name + ".compiled",
        srcs = [copy],
        hdrs = [copy],
        # What the patch leaves unused is no error.
        copts = ["-Wno-error"],
        includes = [copy],
        tags = ["manual"],
        visibility = ["//visibility:private"],
    )
    _replaced_runtime(
        name = name,
        compiled = name + ".compiled",
        original = original,
        original_name = original,
        tags = ["manual"],
        visibility = visibility,
    )
