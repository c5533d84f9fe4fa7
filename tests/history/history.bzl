"""One bug of the history: its scenario with and without the fix, in every mode, and its tests.

    history_bug("6b37b15d9520")

wants the folder 6b37b15d9520/ with
    unfix.patch   the reverse of the fix against today's runtime/
    scenario.cc   a program that the bug breaks
    bug           what is known of it and what the runs must show (chaos/bug.h)
    story.md      what happened and why, for people
"""

load("//tools/bazel:flags.bzl", "TSAN_OPTIONS")
load("//tools/bazel:gort.bzl", "gort_binary")
load("//tools/bazel:history.bzl", "unfixed_runtime")

MODES = ["plain", "tsan"]

def _program(commit, fix, mode):
    return "%s_%s_%s" % (commit, fix, mode)

def history_bug(commit):
    """Declares the programs and the tests of one bug.

    Scenarios are built without lock ranks: with them, taking a lock twice is reported before it can
    become a deadlock.

    Args:
      commit: the folder.
    """
    unfixed_runtime(
        name = commit + "_unfixed_runtime",
        patch = commit + "/unfix.patch",
    )
    for mode in MODES:
        for fix, runtime in [
            ("unfixed", ":" + commit + "_unfixed_runtime"),
            ("fixed", "//runtime"),
        ]:
            gort_binary(
                name = _program(commit, fix, mode),
                srcs = [commit + "/scenario.cc"],
                mode = mode,
                points = True,
                runtime = runtime,
                deps = ["//chaos:script"],
            )
        native.sh_test(
            name = "%s_test_%s" % (commit, mode),
            size = "medium",
            srcs = ["verify_test.sh"],
            args = [
                "$(rootpath //chaos)",
                commit,
                mode,
            ],
            data = ["//chaos"],
            tags = [mode],
        )
    native.test_suite(
        name = commit + "_test",
        tests = ["%s_test_%s" % (commit, mode) for mode in MODES],
    )

def history_index(name, commits):
    """Declares the index that the tool reads, with all that it names as runfiles.

    Args:
      name: the target.
      commits: the folders.
    """
    lines = ["tsan_options " + TSAN_OPTIONS]
    data = []
    for commit in commits:
        lines.append("bug %s %s/%s/bug" % (commit, native.package_name(), commit))
        data.append(commit + "/bug")
        for mode in MODES:
            programs = [_program(commit, fix, mode) for fix in ["unfixed", "fixed"]]
            paths = ["%s/%s" % (native.package_name(), program) for program in programs]
            lines.append("build %s %s %s" % (commit, mode, " ".join(paths)))
            data += programs
    native.genrule(
        name = name + ".txt.make",
        outs = [name + ".txt"],
        cmd = "printf '%s\\n' " + " ".join(["'%s'" % line for line in lines]) + " > $@",
    )
    native.filegroup(
        name = name,
        srcs = [name + ".txt"],
        data = data,
    )
