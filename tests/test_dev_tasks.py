"""What the test runner counts as a failure."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tools"))

from dev_tasks import test as runner

PASSED = '<testsuites><testsuite name="s"><testcase name="a" status="run" classname="S"/></testsuite></testsuites>'
FAILED = PASSED.replace('classname="S"/>', 'classname="S"><failure message="no"/></testcase>')


@pytest.mark.parametrize(
    ("report", "status", "counts"),
    [
        (PASSED, 0, (1, 0, 0)),
        # A sanitizer speaks at the end of a program whose tests all passed.
        (PASSED, 66, (1, 1, 0)),
        # The one failure that the report has is why the program failed.
        (FAILED, 1, (0, 1, 0)),
        (None, -11, (0, 1, 0)),
    ],
)
def test_a_program_that_fails_is_a_failure(
    tmp_path: Path, report: str | None, status: int, counts: tuple[int, int, int]
) -> None:
    path = tmp_path / "report.xml"
    if report is not None:
        path.write_text(report)
    assert runner.summary(runner.with_exit_status(path, "program", status), quiet=True) == counts


def test_a_program_that_hangs_is_ended() -> None:
    hangs = subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()"])
    assert runner.wait(hangs, 0.01) == -signal.SIGABRT
