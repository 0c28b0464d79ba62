"""Replay the lake from a seed (--seed) or from many (--seeds), or kill a real server at random moments (--kill)."""

import argparse
import os

from . import build, test
from .paths import ROOT
from .run import check


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="./dev sim")
    parser.add_argument("--seed", type=int, help="replay this seed only")
    parser.add_argument("--seeds", type=int, default=200, help="how many seeds, from 1 (default 200)")
    parser.add_argument("--kill", type=int, nargs="?", const=200, help="kill -9 a real server N times (default 200)")
    options = parser.parse_args(arguments)
    if options.kill:
        python = test.python()
        build.program()
        check(
            [python, "-m", "pytest", "-q", ROOT / "tests" / "test_crash.py", "-k", "kill"],
            env=dict(os.environ, TARN_KILLS=str(options.kill)),
            cwd=ROOT,
        )
        return 0
    # One seed is for finding out what went wrong; many are thirty times as fast without sanitizers.
    folder = build.build("release" if options.seed is None else "dev", ["tarn_lake_sim"], quiet=True)
    seeds = ["--seed", options.seed] if options.seed is not None else ["--seeds", options.seeds]
    check([folder / "src" / "tarn_lake_sim", *seeds])
    return 0
