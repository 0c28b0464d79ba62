"""Run all tests: the rooms' own programs, then the cross-room tests against the built program and real clients."""

import argparse
import os
import signal
import subprocess
import time
import xml.etree.ElementTree as ET
from pathlib import Path

from . import build, fuzz, setup
from .paths import BUILD, ROOT, SHARED
from .run import TaskError, foreground, say

REQUIREMENTS = ROOT / "tests" / "requirements.txt"
REPORTS = BUILD / "reports"

# ThreadSanitizer learns nothing from large sets of data read in one thread, slowly.
TSAN_FILTER = "-GoldenTables.*:Corpus.*:Reference.*"
FUZZ_SECONDS = 10
# Of one test program; the longest take two minutes on two slow cores.
TIME_LIMIT_SECONDS = 20 * 60


def python() -> Path:
    """The interpreter with the tests' clients and readers."""
    wanted = [line.strip() for line in REQUIREMENTS.read_text().splitlines() if line.strip() and line[0] != "#"]
    return setup.venv("test", wanted)


def _environment() -> dict[str, str]:
    env = dict(os.environ)
    if SHARED.exists():
        env.setdefault("TARN_SHARED", str(SHARED))
    # Leaks inside DuckDB's and Arrow's process-wide singletons are not ours to judge.
    env.setdefault("ASAN_OPTIONS", "detect_leaks=1:abort_on_error=0:detect_odr_violation=0")
    env.setdefault("LSAN_OPTIONS", f"suppressions={ROOT / 'tools' / 'lsan.supp'}:print_suppressions=0")
    env.setdefault("UBSAN_OPTIONS", "print_stacktrace=1")
    env.setdefault("TSAN_OPTIONS", f"suppressions={ROOT / 'tools' / 'tsan.supp'}")
    return env


def room_programs(preset: str) -> list[str]:
    """The rooms' test programs that a preset has."""
    shown = subprocess.run(
        ["ninja", "-C", build.configure(preset), "-t", "targets", "all"], capture_output=True, text=True, check=True
    ).stdout
    return [
        line.split(":")[0].split("/")[-1]
        for line in shown.splitlines()
        if line.startswith("src/tarn_") and line.split(":")[0].endswith("_test")
    ]


def run_rooms(preset: str, rooms: list[str] | None = None, gtest_filter: str = "") -> list[Path]:
    """Builds and runs the rooms' test programs of one preset; returns their JUnit reports."""
    known = room_programs(preset)
    wanted = [f"tarn_{room}_test" for room in rooms] if rooms else known
    programs = [name for name in known if name in wanted]
    folder = build.build(preset, programs, quiet=True)
    reports = []
    for name in programs:
        started = time.monotonic()
        runs = _run_sharded(preset, folder / "src" / name, gtest_filter)
        failed = ", ".join(str(status) for _, status in runs if status != 0)
        say(f"  {preset} {name}: {f'FAILED ({failed})' if failed else 'passed'} in {time.monotonic() - started:.1f} s")
        for report, status in runs:
            reports += with_exit_status(report, name, status)
    return reports


def _run_sharded(preset: str, program: Path, gtest_filter: str) -> list[tuple[Path, int]]:
    """Runs a test program, its tests shared among as many processes as there are cores; their reports and statuses."""
    # ThreadSanitizer sees the more the more threads of one process run at once.
    shards = 1 if preset == "tsan" else os.cpu_count() or 1
    running = []
    for shard in range(shards):
        report = REPORTS / f"{preset}-{program.name}-{shard}.xml"
        report.unlink(missing_ok=True)
        command = [program, f"--gtest_output=xml:{report}", "--gtest_brief=1"]
        if gtest_filter:
            command.append(f"--gtest_filter={gtest_filter}")
        env = _environment() | {
            "GTEST_TOTAL_SHARDS": str(shards),
            "GTEST_SHARD_INDEX": str(shard),
            # Sanitizers know nothing of what Arrow's own allocator does: memory that one thread gave back and another
            # one got looks like a race, and the end of a buffer like the middle of something.
            "ARROW_DEFAULT_MEMORY_POOL": "system",
        }
        running.append((report, subprocess.Popen(command, env=env, cwd=ROOT)))
    return [(report, wait(process, TIME_LIMIT_SECONDS)) for report, process in running]


def wait(process: subprocess.Popen, seconds: float) -> int:
    """The status of a program; one that has not ended by then hangs, and is ended."""
    try:
        return process.wait(timeout=seconds)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGABRT)
        return process.wait()


def with_exit_status(report: Path, name: str, status: int) -> list[Path]:
    """A program's report and, where that does not tell why the program failed, one that does: without it a crash, or
    what a sanitizer says at the end, after tests that all passed, would count as success."""
    if not report.exists():
        return [_failure(report, name, f"ended with status {status} before its report")]
    if status == 0 or summary([report], quiet=True)[1] > 0:
        return [report]
    at_end = report.with_name(f"{report.stem}-exit.xml")
    return [report, _failure(at_end, name, f"ended with status {status}, and no test had failed")]


def _failure(report: Path, name: str, why: str) -> Path:
    report.write_text(
        f'<testsuites tests="1"><testsuite name="{name}" tests="1" failures="1"><testcase name="{name}">'
        f'<failure message="{why}"/></testcase></testsuite>'
        "</testsuites>"
    )
    return report


def run_cross_room(arguments: list[str]) -> list[Path]:
    interpreter = python()
    build.program()
    # What makes the tables that no command can.
    build.build("release", ["tarn_dml_table"], quiet=True)
    report = REPORTS / "tests.xml"
    report.unlink(missing_ok=True)
    status = foreground(
        [interpreter, "-m", "pytest", "-q", "-ra", f"--junitxml={report}", "tests", *arguments],
        env=_environment(),
        cwd=ROOT,
    )
    return with_exit_status(report, "pytest", status)


def run_fuzzers() -> Path:
    """Runs each fuzzer briefly; one that finds nothing counts as a test passed."""
    report = REPORTS / "fuzz.xml"
    cases = "".join(
        f'<testcase classname="fuzz" name="{name}">'
        + ("" if status == 0 else f'<failure message="ended with status {status}"/>')
        + "</testcase>"
        for name, status in fuzz.run(FUZZ_SECONDS).items()
    )
    report.write_text(f'<testsuites><testsuite name="fuzz">{cases}</testsuite></testsuites>')
    return report


def summary(reports: list[Path], quiet: bool = False) -> tuple[int, int, int]:
    """Counts passed, failed and skipped test cases, and names the last two kinds unless `quiet`."""
    tell = (lambda _: None) if quiet else say
    passed = failed = skipped = 0
    for report in reports:
        for case in ET.parse(report).getroot().iter("testcase"):
            name = f"{case.get('classname', '')}.{case.get('name')}"
            if case.find("failure") is not None or case.find("error") is not None:
                failed += 1
                tell(f"  failed: {name}")
            elif case.find("skipped") is not None or case.get("status") == "notrun" or case.get("result") == "skipped":
                if case.get("status") == "notrun":
                    continue
                skipped += 1
                node = case.find("skipped")
                tell(f"  skipped: {name}: {node.get('message') if node is not None else ''}")
            else:
                passed += 1
    return passed, failed, skipped


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="./dev test")
    parser.add_argument("--quick", action="store_true", help="the inner loop: rooms' tests only, sanitizers on")
    parser.add_argument(
        "--full",
        action="store_true",
        help=f"what CI runs: also the rooms without DuckDB under tsan, and each fuzzer for {FUZZ_SECONDS} s",
    )
    parser.add_argument("--room", action="append", help="only this room's tests (with --quick)")
    parser.add_argument("--filter", default="", help="googletest filter")
    options, rest = parser.parse_known_args(arguments)
    REPORTS.mkdir(parents=True, exist_ok=True)
    if not SHARED.exists():
        if os.environ.get("TARN_REQUIRE_SHARED") == "1":
            raise TaskError("TARN_REQUIRE_SHARED=1, but the shared fixtures are not beside this checkout")
        say(
            "  the shared fixtures (golden tables, line-protocol corpus) are not beside this checkout: "
            "the tests on them are counted as skipped; our own fixtures cover the same ground"
        )
    reports = run_rooms("dev", options.room, options.filter)
    if not options.quick:
        later = {"tsan": room_programs("tsan"), "fuzz": fuzz.names()} if options.full else {}
        with build.in_background(later):
            reports += run_cross_room(rest)
    if options.full:
        reports += [*run_rooms("tsan", gtest_filter=TSAN_FILTER), run_fuzzers()]
    passed, failed, skipped = summary(reports)
    say(f"tarn: {passed} passed, {failed} failed, {skipped} skipped")
    return 1 if failed or not passed else 0
