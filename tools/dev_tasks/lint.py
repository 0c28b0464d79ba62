"""All static checks: formatting, the tidy test, ruff, clang-tidy."""

import os

from . import build, fmt, setup, tidy
from .paths import ROOT, tracked
from .run import TaskError, check, say


def main(arguments: list[str]) -> int:
    problems = tidy.problems()
    for problem in problems:
        say(problem)
    if problems:
        raise TaskError(f"{len(problems)} problem(s) found by the tidy test")
    fmt.main(["--check"])
    if "--quick" in arguments:
        return 0
    setup.debian(["develop"])
    folder = build.configure("release")
    sources = [path for path in tracked("src/*.cc") if not path.startswith("src/engine/")]
    if "--all" in arguments:
        sources = tracked("src/*.cc")
    patterns = [f"^{ROOT}/{path}$" for path in sources]
    check(["run-clang-tidy-19", "-quiet", "-p", folder, f"-j{os.cpu_count()}", *patterns], cwd=ROOT)
    return 0
