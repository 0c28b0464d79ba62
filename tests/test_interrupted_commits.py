"""A commit is killed, or stopped while others commit, before and behind each of its steps, wherever commits are decided:
on disk, in S3 by If-None-Match, in S3 by entries in DynamoDB."""

import contextlib
import itertools
import os
import re
import signal
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import deltalake
import pytest
from conftest import TARN, run_tarn
from dynamodb_service import DynamoDb
from gateway import Gateway
from s3_service import Service

# Of what is sent to services; a process that begins also proves that they keep to conditions, which changes no table.
STEP = re.compile(r"PutItem|PUT /\S*(\.parquet|/_delta_log/(\.tmp/)?\d{20}\.json\S*)$")


class OnDisk:
    """The steps are the system calls that change a file of the table."""

    decided_by = r"linkat _delta_log/\d{20}\.json"

    def __init__(self, folder: Path):
        self.lake, self.env, self.options = str(folder / "lake"), {}, {}
        self.table = f"{self.lake}/db/m"
        self.library = folder / "interrupt.so"
        source = Path(__file__).with_name("interrupt.cc")
        subprocess.run(["c++", "-std=c++20", "-shared", "-fPIC", "-o", self.library, source], check=True)

    @contextlib.contextmanager
    def interrupted(self, at: int, number: signal.Signals, arguments: list[str]) -> Iterator:
        interrupt = {"AT": str(at), "SIGNAL": str(int(number)), "BELOW": f"{self.table}/"}
        env = {**os.environ, "LD_PRELOAD": str(self.library), **{f"INTERRUPT_{k}": v for k, v in interrupt.items()}}
        process = subprocess.Popen([TARN, *arguments], env=env, stderr=subprocess.PIPE, text=True)
        step = process.stderr.readline().strip()
        if step:
            os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)
        yield step, process

    def check(self, versions: int) -> None:
        """What is left behind, but for files that never got a name, is the table."""


class InS3:
    """The steps are the requests that change the table, each before it is sent on and before it is answered."""

    decided_by = r"before PUT .*/_delta_log/\d{20}\.json"

    def __init__(self, service, name: str, dynamodb=None):
        self.service, self.dynamodb, self.options = service, dynamodb, service.options
        self.lake = f"s3://lake/{name}"
        self.table = f"{self.lake}/db/m"
        self.env = {**service.env, **(dynamodb.env if dynamodb else {})}
        if dynamodb:
            self.decided_by = "before PutItem"

    @contextlib.contextmanager
    def interrupted(self, at: int, number: signal.Signals, arguments: list[str]) -> Iterator:
        steps: list[str] = []
        settled = threading.Event()

        def pass_step(when: str, name: str) -> bool:
            if not STEP.match(name):
                return False
            steps.append(f"{when} {name}")
            if len(steps) != at:
                return False
            process.send_signal(number)
            settled.set()
            return number == signal.SIGKILL

        with contextlib.ExitStack() as stack:
            env = {**os.environ, **self.env}
            env["AWS_ENDPOINT_URL"] = stack.enter_context(Gateway(self.service.url, at=pass_step)).url
            if self.dynamodb:
                env["AWS_ENDPOINT_URL_DYNAMODB"] = stack.enter_context(Gateway(self.dynamodb.url, at=pass_step)).url
            process = subprocess.Popen([TARN, *arguments], env=env, stderr=subprocess.PIPE, text=True)
            threading.Thread(target=lambda: (process.wait(), settled.set()), daemon=True).start()
            assert settled.wait(60), steps
            yield steps[at - 1] if len(steps) >= at else "", process

    def check(self, versions: int) -> None:
        if self.dynamodb:
            self.dynamodb.check_entries(self.service, self.table, versions=versions)


@pytest.fixture(scope="module", params=["disk", "versitygw", "minio", "versitygw and entries"])
def make_place(request, tmp_path_factory):
    """Makes places for a table by name."""
    folder = tmp_path_factory.mktemp("place")
    with contextlib.ExitStack() as stack:
        if request.param == "disk":
            yield lambda name: OnDisk(tmp_path_factory.mktemp(name))
            return
        name, _, entries = request.param.partition(" and ")
        parts = [Service(name, folder).start(), *([DynamoDb(folder).start()] if entries else [])]
        for part in parts:
            stack.callback(part.stop)
        yield lambda name: InS3(parts[0], name, *parts[1:])


@pytest.fixture
def place(make_place, request):
    """With a table db.m of one column and one commit."""
    place = make_place(request.function.__name__.replace("_", "-"))
    done = run_tarn("sql", "--lake", place.lake, "create table db.m (v bigint)", env=place.env)
    assert done.returncode == 0, done
    return place


def insert(place, value: int) -> list[str]:
    """The arguments of a commit without a write-ahead log, which would do it again."""
    return ["sql", "-t", f"m={place.table}", f"insert into m values ({value})"]


def rows(place) -> list[int]:
    done = run_tarn("sql", "-o", "csv", "-t", f"m={place.table}", "select v from m order by v", env=place.env)
    assert done.returncode == 0, done
    return [int(line) for line in done.stdout.split()[1:]]


def check(place, expected: list[int]) -> None:
    """One commit for each row, for us and for delta-rs, and nothing that breaks the protocol."""
    assert rows(place) == sorted(expected)
    others = deltalake.DeltaTable(place.table, storage_options=place.options)
    assert others.version() == len(expected)
    assert sorted(others.to_pyarrow_table()["v"].to_pylist()) == sorted(expected)
    assert run_tarn("table", "fsck", place.table, "--check-data", env=place.env).returncode == 0
    place.check(versions=1 + len(expected))


def each_step(place, number: signal.Signals) -> Iterator:
    """Writers that insert 1, 2, … of which each is interrupted one step later, until one comes to its end."""
    for at in itertools.count(1):
        with place.interrupted(at, number, insert(place, at)) as (step, process):
            yield step, process
        if not step:
            return


def test_a_writer_killed_at_any_step_has_committed_or_not(place):
    expected: list[int] = []
    steps: list[tuple[str, bool]] = []
    for value, (step, process) in enumerate(each_step(place, signal.SIGKILL), 1):
        assert process.wait(timeout=60) == (-signal.SIGKILL if step else 0), (step, process.stderr.read())
        found = rows(place)
        assert [row for row in found if row != value] == sorted(expected), step
        steps.append((step, value in found))
        expected = found
        # The version that it may have begun is no obstacle.
        assert run_tarn(*insert(place, 100 + value), env=place.env).returncode == 0, step
        expected.append(100 + value)
    check(place, expected)
    # There is one step before which nothing is committed, and behind which it is for good.
    decided = [is_committed for _, is_committed in steps]
    assert decided == sorted(decided), steps
    assert re.fullmatch(place.decided_by, steps[decided.index(True) - 1][0]), steps


def test_a_writer_that_slept_at_any_step_finds_its_commit_done_or_goes_on(place):
    expected: list[int] = []
    for value, (step, process) in enumerate(each_step(place, signal.SIGSTOP), 1):
        assert run_tarn(*insert(place, 100 + value), env=place.env).returncode == 0, step
        process.send_signal(signal.SIGCONT)
        assert process.wait(timeout=60) == 0, (step, process.stderr.read())
        expected += [value, 100 + value]
    check(place, expected)
