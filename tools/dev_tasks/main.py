"""Entry of `./dev`: picks the task's module and turns a TaskError into one line."""

import importlib
import sys

from .run import TaskError

TASKS = {
    "setup": "install pinned dependencies",
    "build": "build the program, or all of another preset: ./dev build [release|dev|tsan|fuzz] [TARGET|all ...]",
    "test": "run all tests; --quick for the inner loop",
    "demo": "a live lake fed with this host's own metrics; --seconds N checks itself and ends",
    "bench": "measure beside the peers, in one run; names select benchmarks",
    "fuzz": "run the fuzzers: ./dev fuzz [--seconds N] [NAME ...]",
    "sim": "replay ingest, commits, compaction and crashes from a seed; --kill N kills a real server N times",
    "lint": "formatting, clang-tidy, the tidy test and ruff",
    "fmt": "format all sources in place",
    "docs": "write the generated pages of docs/ anew and check every link",
    "golden": "write the golden files and the small corpus of tests/fixtures anew",
    "help": "this list",
}


def main(arguments: list[str]) -> int:
    name = arguments[0] if arguments else "help"
    if name in ("help", "-h", "--help"):
        print("usage: ./dev TASK [ARGUMENT ...]\n")
        for task, text in TASKS.items():
            print(f"  {task:<8}{text}")
        return 0
    if name not in TASKS:
        print(f"dev: no task '{name}'; see ./dev help", file=sys.stderr)
        return 2
    try:
        return importlib.import_module(f"dev_tasks.{name}").main(arguments[1:])
    except TaskError as error:
        print(f"dev {name}: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
