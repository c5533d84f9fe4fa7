#!/bin/bash
# Formats every C++ source of the work tree as .clang-format says.
set -euo pipefail
source tools/lint/workspace.sh
clang_format=$1

enter_workspace
list_files '\.(cc|h)$' | tr '\n' '\0' | xargs -0 "$clang_format" -i
