"""Run the fuzzers, each on its own corpus in build/fuzz-corpus (kept between runs)."""

import argparse
import os

from . import build
from .paths import BUILD, ROOT
from .run import TaskError, foreground, say


def names() -> list[str]:
    return sorted(path.stem for path in (ROOT / "src").rglob("*_fuzz.cc"))


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="./dev fuzz")
    parser.add_argument("--seconds", type=int, default=60, help="for each fuzzer (default 60)")
    parser.add_argument("names", nargs="*", help="fuzzers to run (default: all)")
    options = parser.parse_args(arguments)
    known = names()
    if unknown := sorted(set(options.names) - set(known)):
        raise TaskError(f"no fuzzer {', '.join(unknown)}; there are {', '.join(known)}")
    folder = build.configure("fuzz")
    # A fuzzer is a target only where its room is built in this preset.
    shown = os.popen(f"ninja -C {folder} -t targets all").read()
    chosen = [name for name in options.names or known if f"{name}:" in shown]
    build.build("fuzz", chosen, quiet=True)
    failed = []
    for name in chosen:
        corpus = BUILD / "fuzz-corpus" / name
        corpus.mkdir(parents=True, exist_ok=True)
        seeds = ROOT / "tests" / "fixtures" / "fuzz" / name
        artifacts = BUILD / "fuzz-artifacts"
        artifacts.mkdir(exist_ok=True)
        command = [
            folder / "src" / name,
            f"-max_total_time={options.seconds}",
            "-timeout=20",
            "-rss_limit_mb=4096",
            "-print_final_stats=1",
            "-verbosity=0",
            f"-artifact_prefix={artifacts}/{name}-",
            corpus,
            *([seeds] if seeds.exists() else []),
        ]
        say(f"{name}: {options.seconds} s")
        if foreground(command) != 0:
            failed.append(name)
    if failed:
        raise TaskError(f"found something: {', '.join(failed)}; inputs in build/fuzz-artifacts")
    return 0
