"""What the mutation check needs to build programs again without Bazel.

    mutation_kit(name, conformance = [...], tsan = [...], storm = [...], explore = [...])

Bazel builds the programs of all layers once, with the runtime as it is. A mutant changes one or two
files of it; to let Bazel build that would mean a configuration of its own, in which everything above
the runtime is compiled again. So this rule writes down how Bazel compiles a file of the runtime and
where it has put the arguments with which it links each program, for mutation.sh to use on a patched
copy.

Files, all below the folder of the target's name:
  programs      a line for each program: layer, name, its output, the file with the linker's arguments,
                the folder of the runtime's objects, the compile file
  compile-N     the command that compiles a source of the runtime, a word a line, with @SOURCE@ and
                @OBJECT@ for the two files; one for each mode
  compiler      the program that links
  tsan_options  for the environment of tests in mode tsan
Paths are relative to the execution root.
"""

load("@bazel_tools//tools/build_defs/cc:action_names.bzl", "ACTION_NAMES")
load("@bazel_tools//tools/cpp:toolchain_utils.bzl", "find_cpp_toolchain")
load("@rules_cc//cc:defs.bzl", "CcInfo", "cc_common")
load("//tools/bazel:flags.bzl", "TSAN_OPTIONS")

_CommandsInfo = provider(
    doc = "How a program is linked, and how the runtime below it is compiled.",
    fields = {
        "inputs": "depset of files that the commands read",
        "links": "list of structs of output and arguments, both paths; one for a program",
        "runtimes": "depset of structs: objects, their folder, words, the command, and compiler",
    },
)

_LAYERS = ["conformance", "tsan", "storm", "explore"]

# The command that compiles a source of the library, and what it reads.
def _compile_command(target, ctx):
    toolchain = find_cpp_toolchain(ctx)
    features = cc_common.configure_features(ctx = ctx, cc_toolchain = toolchain)
    context = target[CcInfo].compilation_context
    variables = cc_common.create_compile_variables(
        feature_configuration = features,
        cc_toolchain = toolchain,
        source_file = "@SOURCE@",
        output_file = "@OBJECT@",
        user_compile_flags = ctx.fragments.cpp.copts + ctx.fragments.cpp.cxxopts + ctx.rule.attr.copts,
        include_directories = context.includes,
        quote_include_directories = context.quote_includes,
        system_include_directories = context.system_includes,
        preprocessor_defines = context.defines,
        use_pic = True,
    )
    return struct(
        compiler = cc_common.get_tool_for_action(
            feature_configuration = features,
            action_name = ACTION_NAMES.cpp_compile,
        ),
        words = cc_common.get_memory_inefficient_command_line(
            feature_configuration = features,
            action_name = ACTION_NAMES.cpp_compile,
            variables = variables,
        ),
        inputs = context.headers,
    )

def _commands_impl(target, ctx):
    below = []
    for attribute in ["inner", "deps"]:
        for dep in getattr(ctx.rule.attr, attribute, None) or []:
            if _CommandsInfo in dep:
                below.append(dep[_CommandsInfo])
    runtimes = []
    links = []
    inputs = []
    if target.label.package == "runtime" and target.label.name == "runtime":
        command = _compile_command(target, ctx)
        objects = [
            action.outputs.to_list()[0].dirname
            for action in target.actions
            if action.mnemonic == "CppCompile"
        ]
        runtimes.append(struct(
            compiler = command.compiler,
            objects = objects[0],
            words = tuple([command.compiler] + command.words),
        ))
        inputs.append(command.inputs)
    for action in target.actions:
        arguments = [
            file
            for file in action.inputs.to_list()
            if action.mnemonic == "CppLink" and file.extension == "params"
        ]
        if arguments and not target.label.package == "runtime":
            links.append(struct(
                arguments = arguments[0].path,
                output = action.outputs.to_list()[0].path,
            ))
            # Not what Bazel has for its own purposes only.
            inputs.append(depset([
                file
                for file in action.inputs.to_list()
                if file.extension in ["a", "lds", "lo", "o", "params"]
            ]))
    for info in below:
        links = links or info.links
    return [_CommandsInfo(
        inputs = depset(transitive = inputs + [info.inputs for info in below]),
        links = links,
        runtimes = depset(runtimes, transitive = [info.runtimes for info in below]),
    )]

_commands = aspect(
    implementation = _commands_impl,
    attr_aspects = [
        "deps",
        "inner",
    ],
    attrs = {
        "_cc_toolchain": attr.label(default = "@bazel_tools//tools/cpp:current_cc_toolchain"),
    },
    fragments = ["cpp"],
    toolchains = ["@bazel_tools//tools/cpp:toolchain_type"],
)

def _mutation_kit_impl(ctx):
    texts = {"tsan_options": TSAN_OPTIONS}  # by file
    programs = []
    names = {}  # of compile files, by the folder of the runtime's objects
    inputs = []
    for layer in _LAYERS:
        for program in getattr(ctx.attr, layer):
            info = program[_CommandsInfo]
            runtimes = info.runtimes.to_list()
            if len(runtimes) != 1 or len(info.links) != 1:
                fail("%s: %d runtimes and %d links" % (
                    program.label,
                    len(runtimes),
                    len(info.links),
                ))
            runtime = runtimes[0]
            if runtime.objects not in names:
                names[runtime.objects] = "compile-%d" % len(names)
                texts[names[runtime.objects]] = "\n".join(runtime.words)
                texts["compiler"] = runtime.compiler
            programs.append(" ".join([
                layer,
                program.label.name,
                info.links[0].output,
                info.links[0].arguments,
                runtime.objects,
                names[runtime.objects],
            ]))
            inputs.append(info.inputs)
    texts["programs"] = "\n".join(programs)
    files = []
    for name, text in texts.items():
        file = ctx.actions.declare_file(ctx.label.name + "/" + name)
        ctx.actions.write(file, text + "\n")
        files.append(file)
    return [DefaultInfo(
        files = depset(files),
        runfiles = ctx.runfiles(files = files, transitive_files = depset(transitive = inputs)),
    )]

mutation_kit = rule(
    implementation = _mutation_kit_impl,
    attrs = {
        layer: attr.label_list(aspects = [_commands])
        for layer in _LAYERS
    },
    doc = "See the top of this file.",
)
