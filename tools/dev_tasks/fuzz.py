"""Run the fuzzers, each on its own corpus in build/fuzz-corpus (kept between runs)."""

import argparse
import os
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from . import build
from .paths import BUILD, ROOT
from .run import TaskError, say

FIXTURES = ROOT / "tests" / "fixtures"
# Files of the small corpus that are inputs as they are; what else a fuzzer begins with is in tests/fixtures/fuzz.
SEEDS = {
    "commit_json_fuzz": "delta/*/table/_delta_log/*.json",
    "wal_rows_fuzz": "wal_rows/*",
    "last_checkpoint_fuzz": "delta/*/table/_delta_log/_last_checkpoint",
}
ARTIFACTS = BUILD / "fuzz-artifacts"


def names() -> list[str]:
    return sorted(path.stem for path in (ROOT / "src").rglob("*_fuzz.cc"))


def seeds(name: str) -> list[str]:
    """The files that a fuzzer begins with. It needs at least one: without, libFuzzer takes its empty list for an error."""
    return [
        str(path)
        for pattern in (f"fuzz/{name}/*", SEEDS.get(name))
        if pattern
        for path in sorted(FIXTURES.glob(pattern))
    ]


def run(seconds: int, chosen: list[str] | None = None) -> dict[str, int]:
    """Builds and runs fuzzers (all when none is named); returns how each ended, 0 when it found nothing."""
    folder = build.build("fuzz", chosen or names(), quiet=True)
    ARTIFACTS.mkdir(exist_ok=True)
    with ThreadPoolExecutor(os.cpu_count()) as cores:
        return dict(cores.map(lambda name: (name, _run_one(folder / "src" / name, seconds)), chosen or names()))


def _run_one(fuzzer: Path, seconds: int) -> int:
    name = fuzzer.name
    corpus = BUILD / "fuzz-corpus" / name
    corpus.mkdir(parents=True, exist_ok=True)
    log = BUILD / f"{name}.log"
    command = [
        str(fuzzer),
        f"-max_total_time={seconds}",
        "-timeout=20",
        "-rss_limit_mb=4096",
        f"-artifact_prefix={ARTIFACTS}/{name}-",
        f"-seed_inputs={','.join(seeds(name))}",
        str(corpus),
    ]
    with open(log, "w") as out:
        status = subprocess.run(command, stdout=out, stderr=subprocess.STDOUT, check=False).returncode
    lines = log.read_text(errors="replace").splitlines()
    if status != 0:
        say("\n".join(lines[-60:]))
    say(f"  fuzz {name}: {'nothing found' if status == 0 else 'FOUND SOMETHING'}: {lines[-1] if lines else ''}")
    return status


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="./dev fuzz")
    parser.add_argument("--seconds", type=int, default=60, help="for each fuzzer (default 60)")
    parser.add_argument("names", nargs="*", help="fuzzers to run (default: all)")
    options = parser.parse_args(arguments)
    if unknown := sorted(set(options.names) - set(names())):
        raise TaskError(f"no fuzzer {', '.join(unknown)}; there are {', '.join(names())}")
    if failed := [name for name, status in run(options.seconds, options.names).items() if status != 0]:
        raise TaskError(f"found something: {', '.join(failed)}; inputs in {ARTIFACTS.relative_to(ROOT)}")
    return 0
