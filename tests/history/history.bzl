"""One bug of the history: its scenario with and without the fix, in every mode, and its tests.

    history_bug("6b37b15d9520")

wants the folder 6b37b15d9520/ with
    unfix.patch   the reverse of the fix against today's runtime/
    scenario.cc   a program that the bug breaks
    bug           what is known of it and what the runs must show (chaos/bug.h)
    story.md      what happened and why, for people

A fix that mends several failures has a patch for each: unfix-NAME.patch, and scenario-NAME.cc if
scenario.cc does not do for all of them. Headers in the folder, and those next to the folders, are
the scenarios' to include.
"""

load("//tools/bazel:flags.bzl", "TSAN_OPTIONS")
load("//tools/bazel:gort.bzl", "gort_binary")
load("//tools/bazel:history.bzl", "unfixed_runtime")

MODES = ["plain", "tsan"]

def _unfixings(commit):
    """The ways in which the fix is taken back: [""], or the names of several."""
    names = []
    for patch in native.glob([commit + "/unfix-*.patch"], allow_empty = True):
        names.append(patch[len(commit + "/unfix-"):-len(".patch")])
    return sorted(names) or [""]

def _suffix(name):
    return "-" + name if name else ""

def _scenario(commit, unfixing):
    own = "%s/scenario%s.cc" % (commit, _suffix(unfixing))
    return own if native.glob([own], allow_empty = True) else commit + "/scenario.cc"

def _program(commit, unfixing, fix, mode):
    if fix == "fixed" and _scenario(commit, unfixing) == commit + "/scenario.cc":
        # One program for all that share the scenario.
        unfixing = ""
    return "%s%s_%s_%s" % (commit, _suffix(unfixing), fix, mode)

def history_bug(commit):
    """Declares the programs and the tests of one bug.

    Scenarios are built without lock ranks: with them, taking a lock twice is reported before it can
    become a deadlock.

    Args:
      commit: the folder.
    """
    programs = {}
    for unfixing in _unfixings(commit):
        unfixed_runtime(
            name = commit + _suffix(unfixing) + "_unfixed_runtime",
            patch = "%s/unfix%s.patch" % (commit, _suffix(unfixing)),
        )
        for mode in MODES:
            for fix, runtime in [
                ("unfixed", ":%s%s_unfixed_runtime" % (commit, _suffix(unfixing))),
                ("fixed", "//runtime"),
            ]:
                programs[_program(commit, unfixing, fix, mode)] = dict(
                    srcs = [_scenario(commit, unfixing)] +
                           native.glob(["*.h", commit + "/*.h"], allow_empty = True),
                    mode = mode,
                    runtime = runtime,
                )
    for name, attributes in programs.items():
        gort_binary(
            name = name,
            points = True,
            deps = ["//chaos:script"],
            **attributes
        )
    for mode in MODES:
        native.sh_test(
            name = "%s_test_%s" % (commit, mode),
            size = "medium",
            srcs = ["verify_test.sh"],
            args = [
                "$(rootpath //chaos)",
                commit,
                "--build=" + mode,
                "--runs=8",
                "-v",
            ],
            data = ["//chaos"],
            tags = [mode],
        )
    native.test_suite(
        name = commit + "_test",
        tests = ["%s_test_%s" % (commit, mode) for mode in MODES],
    )

def history_general(commit, unfixing, scenario):
    """The runtime without a fix under general programs, which know nothing of it.

    COMMIT[-NAME]_storm is for storms, COMMIT[-NAME]_explore for the explorer.

    Args:
      commit: the folder.
      unfixing: the way in which the fix is taken back, "" if there is one only.
      scenario: the program of //chaos/explore/scenarios to explore.
    """
    program = commit + _suffix(unfixing)
    gort_binary(
        name = program + "_explore",
        srcs = ["//chaos/explore/scenarios:%s.cc" % scenario],
        mode = "explore",
        runtime = ":%s_unfixed_runtime" % program,
    )
    gort_binary(
        name = program + "_storm",
        srcs = ["//chaos:everything.cc"],
        points = True,
        runtime = ":%s_unfixed_runtime" % program,
        deps = ["//chaos:from_environment"],
    )

def _path(label):
    """Where a program lies among the runfiles."""
    if label.startswith(":"):
        return native.package_name() + "/" + label[1:]
    return label[len("//"):].replace(":", "/")

def history_index(name, commits, general):
    """Declares the index that the tool reads (chaos/bug.h), with all that it names as runfiles.

    Args:
      name: the target.
      commits: the folders.
      general: a list of (commit, unfixing, mode, program without the fix, program with it, options):
        the general programs, with the options of `chaos explore` or `chaos storm` that show the bug.
    """
    lines = ["tsan_options " + TSAN_OPTIONS]
    data = []
    for commit in commits:
        lines.append("bug %s %s/%s/bug" % (commit, native.package_name(), commit))
        data.append(commit + "/bug")
        for unfixing in _unfixings(commit):
            for mode in MODES:
                programs = [_program(commit, unfixing, fix, mode) for fix in ["unfixed", "fixed"]]
                paths = ["%s/%s" % (native.package_name(), program) for program in programs]
                full = commit + ("/" + unfixing if unfixing else "")
                lines.append("build %s %s %s" % (full, mode, " ".join(paths)))
                data += [program for program in programs if program not in data]
        for of, unfixing, mode, without, fixed, options in general:
            if of != commit:
                continue
            full = commit + ("/" + unfixing if unfixing else "")
            paths = [_path(program) for program in [without, fixed]]
            lines.append("%s %s %s" % (mode, full, " ".join(paths + options)))
            data += [program for program in [without, fixed] if program not in data]
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
