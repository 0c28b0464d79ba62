"""Write the generated pages of docs/ anew (the command line's help, the Delta library's reference) and check every link
between pages."""

import argparse
import re
import subprocess

from . import build, delta_reference
from .paths import ROOT, tracked
from .run import TaskError, say

SUBCOMMANDS = [[], ["serve"], ["sql"], ["write"], ["table"], ["table", "list"], ["table", "describe"],
               ["table", "history"], ["table", "fsck"], ["table", "vacuum"], ["table", "cleanup"], ["table", "restore"],
               ["table", "checkpoint"], ["table", "optimize"], ["table", "alter"], ["version"]]  # fmt: skip


def command_line_page() -> str:
    """docs/command_line.md: every subcommand's --help as it is printed."""
    program = build.program()
    parts = ["# The command line\n\nWritten by `./dev docs` from `tarn … --help`; change the help, not this page.\n"]
    for words in SUBCOMMANDS:
        shown = subprocess.run([program, *words, "--help"], capture_output=True, text=True, check=True).stdout
        parts.append(f"\n## {' '.join(['tarn', *words])}\n\n```\n{shown.rstrip()}\n```\n")
    return "".join(parts)


def broken_links() -> list[str]:
    found = []
    for page in tracked("*.md"):
        text = (ROOT / page).read_text()
        for target in re.findall(r"\]\(([^)\s]+)\)", re.sub(r"```.*?```", "", text, flags=re.S)):
            if "://" in target or target.startswith("#"):
                continue
            if not ((ROOT / page).parent / target.split("#")[0]).exists():
                found.append(f"{page}: {target} does not exist")
    return found


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="./dev docs")
    parser.add_argument("--check", action="store_true", help="fail when a page is stale instead of writing it")
    options = parser.parse_args(arguments)
    pages = {ROOT / "docs" / "command_line.md": command_line_page(), delta_reference.PAGE: delta_reference.page()}
    for page, wanted in pages.items():
        if not options.check:
            page.write_text(wanted)
        elif not page.exists() or page.read_text() != wanted:
            raise TaskError(f"docs/{page.name} is stale; run ./dev docs")
    problems = broken_links()
    for problem in problems:
        say(problem)
    if problems:
        raise TaskError(f"{len(problems)} broken link(s)")
    return 0
