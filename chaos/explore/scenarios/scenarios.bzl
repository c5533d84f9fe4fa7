"""The general programs to explore: each uses one part of the runtime in every way, and says so if anything
is lost."""

SCENARIOS = [
    "allocation",
    "channels",
    "closing",
    "collector",
    "crowd",
    "finalizers",
    "goroutines",
    "locks",
    "notify",
    "pointers",
    "pools",
    "signals",
    "spinning",
    "sync",
    "syscalls",
    "threads",
    "timers",
]
