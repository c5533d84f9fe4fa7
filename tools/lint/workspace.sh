# shellcheck shell=bash
# Sourced by tests that look at every file of the repository.

# enter_workspace goes to the repository's root: the one that the test's own WORKSPACE links to.
enter_workspace() {
  cd "$(dirname "$(readlink -f WORKSPACE)")" || exit 1
}

# list_files prints the files there whose path matches the extended regular expression. What git
# ignores does not count; without git, all of them do.
list_files() {
  {
    if git rev-parse --is-inside-work-tree >/dev/null 2>&1; then
      git ls-files --cached --others --exclude-standard
    else
      find . -type f -not -path './.git/*' | sed 's|^\./||'
    fi
  } | grep -E "$1" | sort -u | while IFS= read -r name; do
    # One that is deleted but still in git's index is no file.
    if [ -f "$name" ]; then printf '%s\n' "$name"; fi
  done
}
