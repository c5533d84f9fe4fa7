"""The module extension of MODULE.bazel; Bazel below 6 cannot load this file and never does."""

load(":repositories.bzl", "host_repositories")

def _host_extension_impl(_mctx):
    host_repositories()

host_extension = module_extension(implementation = _host_extension_impl)
