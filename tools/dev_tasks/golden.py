"""Write the golden files and the small corpus of tests/fixtures anew; the difference is then read by a person."""

import argparse
import os

from . import build, parts, test
from .paths import ROOT
from .run import check

FIXTURES = ROOT / "tests" / "fixtures"


def corpus() -> None:
    out = FIXTURES / "delta"
    out.mkdir(parents=True, exist_ok=True)
    check([test.python(), ROOT / "tools" / "corpus" / "deltars_tables.py", out])
    python, jars = parts.spark()
    check([python, ROOT / "tools" / "corpus" / "spark_tables.py", jars, out])
    check([python, ROOT / "tools" / "corpus" / "spark_expressions.py", jars, out])


def formats() -> None:
    """Tests that compare with golden files write them instead when TARN_UPDATE_GOLDEN is set."""
    for room in ("wal", "lake"):
        folder = build.build("dev", [f"tarn_{room}_test"], quiet=True)
        check(
            [folder / "src" / f"tarn_{room}_test", "--gtest_filter=*Golden*", "--gtest_brief=1"],
            env=dict(os.environ, TARN_UPDATE_GOLDEN="1"),
            cwd=ROOT,
        )


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="./dev golden")
    parser.add_argument("--only", choices=["corpus", "formats"])
    options = parser.parse_args(arguments)
    if options.only != "formats":
        corpus()
    if options.only != "corpus":
        formats()
    return 0
