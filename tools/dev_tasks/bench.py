"""Measure beside the peers: each bench/*.py is one group of figures, results checked, ratios of medians printed."""

import os

from . import build, parts, setup
from .paths import BUILD, ROOT
from .run import TaskError, check, say

BENCH = ROOT / "bench"
WITH_SPARK = ("row_changes",)


def main(arguments: list[str]) -> int:
    names = sorted(path.stem for path in BENCH.glob("*.py") if path.stem != "harness")
    if unknown := sorted(set(arguments) - set(names)):
        raise TaskError(f"no benchmark {', '.join(unknown)}; there are {', '.join(names)}")
    setup.debian(["bench"])
    build.build("release", ["tarn", "tarn_figures"], quiet=True)
    python = setup.venv("bench", (BENCH / "requirements.txt").read_text().split())
    (BUILD / "bench").mkdir(parents=True, exist_ok=True)
    for name in arguments or names:
        say(f"{name}")
        env = dict(os.environ, BENCH_VENV=str(python.parents[1]))
        if name in WITH_SPARK:
            spark_python, jars = parts.spark()
            env |= {"BENCH_SPARK_PYTHON": str(spark_python), "BENCH_SPARK_JARS": str(jars)}
        check([python, BENCH / f"{name}.py"], cwd=BENCH, env=env)
    return 0
