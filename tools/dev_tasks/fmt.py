"""Format C++ and Python in place, or check that nothing would change."""

from . import setup
from .paths import ROOT, tracked
from .run import check

RUFF = ["ruff==0.14.1"]


def ruff(*arguments: str) -> None:
    python = setup.venv("lint", RUFF)
    check([python, "-m", "ruff", *arguments, "dev", "tools", "tests", "bench"], cwd=ROOT)


def main(arguments: list[str]) -> int:
    setup.debian(["develop"])
    only_check = "--check" in arguments
    flags = ["--dry-run", "--Werror"] if only_check else ["-i"]
    check(["clang-format-19", *flags, *tracked("*.cc", "*.h")], cwd=ROOT)
    ruff("format", *(["--check"] if only_check else []))
    ruff("check", *([] if only_check else ["--fix"]))
    return 0
