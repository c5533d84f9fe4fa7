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
"""

load(":gort.bzl", "runtime_library")

_HEADER_EXTENSIONS = ["h", "inc"]

def _patched_sources_impl(ctx):
    root = ctx.label.name
    headers = []
    sources = []
    pairs = ctx.actions.args()
    tree = None
    for source in ctx.files.srcs:
        copy = ctx.actions.declare_file("%s/%s" % (root, source.short_path))
        (headers if source.extension in _HEADER_EXTENSIONS else sources).append(copy)
        tree = copy.path[:-len(source.short_path) - 1]
        pairs.add(source)
        pairs.add(source.short_path)
    ctx.actions.run(
        outputs = headers + sources,
        inputs = ctx.files.srcs + [ctx.file.patch],
        executable = ctx.executable._unfix,
        arguments = [ctx.file.patch.path, tree, pairs],
        mnemonic = "UnfixRuntime",
        progress_message = "Applying %s" % ctx.file.patch.short_path,
        use_default_shell_env = True,
    )
    return [
        DefaultInfo(files = depset(headers + sources)),
        OutputGroupInfo(headers = depset(headers), sources = depset(sources)),
    ]

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
    doc = "A copy of the sources below <name>/, with the patch applied.",
)

def unfixed_runtime(name, patch, srcs = ["//runtime:sources"], visibility = None):
    """A runtime with one historical bug put back, for the `runtime` of gort_binary or gort_test.

    Args:
      name: the target.
      patch: the patch, with paths as git writes them (a/runtime/..., b/runtime/...).
      srcs: the sources that it is applied to.
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
    for group in ["headers", "sources"]:
        native.filegroup(
            name = "%s.%s" % (name, group),
            srcs = [copy],
            output_group = group,
            tags = ["manual"],
            visibility = ["//visibility:private"],
        )
    runtime_library(
        name = name,
        srcs = [name + ".sources"],
        hdrs = [name + ".headers"],
        # What the patch leaves unused is no error.
        copts = ["-Wno-error"],
        includes = [copy],
        tags = ["manual"],
        visibility = visibility,
    )
