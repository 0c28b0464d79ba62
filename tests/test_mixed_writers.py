"""Processes of ours and of others that append to one table at once, beside a compactor, a checkpointer and a vacuum."""

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import deltalake
import pyarrow as pa
import pytest
from conftest import run_tarn
from dev_tasks import build, parts
from dynamodb_service import DynamoDb
from gateway import Gateway
from s3_service import REGION, Service, certificate

# The long form: TARN_TEST_COMMITS=500.
COMMITS = int(os.environ.get("TARN_TEST_COMMITS", "25"))
SPARK_COMMITS = min(50, 2 * COMMITS)
OURS = 5
SCHEMA = pa.schema([("writer", pa.string()), ("n", pa.int64())])

# What it was refused is not acknowledged; delta-rs gives up behind a number of conflicts.
PEER = """
import json, sys
import deltalake, pyarrow as pa
uri, name, commits, options = sys.argv[1], sys.argv[2], int(sys.argv[3]), json.loads(sys.argv[4])
for number in range(commits):
    row = pa.table({"writer": pa.array([name], pa.string()), "n": pa.array([number], pa.int64())})
    try:
        deltalake.write_deltalake(uri, row, mode="append", storage_options=options)
        print(number, flush=True)
    except Exception as error:
        print(error, file=sys.stderr)
"""


@pytest.fixture(scope="module")
def writer():
    return build.build("release", ["tarn_mixed_writer"], quiet=True) / "src" / "tarn_mixed_writer"


class Writer:
    """A process that appends and prints the number of each row that was acknowledged."""

    def __init__(self, command: list, env: dict[str, str]):
        self.command, self.env = [str(word) for word in command], {**os.environ, **env}
        self.acknowledged: list[int] = []
        self.enough = threading.Event()
        self.start()

    def start(self) -> None:
        self.process = subprocess.Popen(
            self.command, env=self.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        self.reader = threading.Thread(target=self._read, args=(self.process.stdout,))
        self.reader.start()

    def _read(self, stream) -> None:
        for line in stream:
            self.acknowledged.append(int(line))
            if len(self.acknowledged) >= COMMITS // 3:
                self.enough.set()
        self.enough.set()

    def kill_and_start_again(self) -> None:
        self.process.kill()
        self.process.wait()
        self.reader.join()
        self.start()

    def finish(self) -> int:
        error = self.process.stderr.read()
        status = self.process.wait()
        self.reader.join()
        if error:
            print(error, file=sys.stderr)
        return status


@contextlib.contextmanager
def maintenance(writer, uri: str, env: dict[str, str]):
    """Compaction, checkpoints and vacuum time and again, until the end of what is done within."""
    processes = [
        subprocess.Popen([writer, uri, what], stdin=subprocess.PIPE, stderr=subprocess.PIPE, env={**os.environ, **env})
        for what in ("optimize", "checkpoint", "vacuum")
    ]
    try:
        yield
    finally:
        ended = [process.communicate() for process in processes]
    for process, (_, error) in zip(processes, ended, strict=True):
        assert process.returncode == 0, error.decode()


def check(uri: str, env: dict[str, str], options: dict, ours: list[Writer], theirs: list[Writer]) -> None:
    table = deltalake.DeltaTable(uri, storage_options=options)
    rows = table.to_pyarrow_table()
    found = list(zip(rows["writer"].to_pylist(), rows["n"].to_pylist(), strict=True))
    assert len(found) == len(set(found)), "a row is there twice"
    for place in range(len(ours)):
        assert {n for name, n in found if name == f"ours-{place}"} == set(range(COMMITS))
    for place, peer in enumerate(theirs):
        assert set(peer.acknowledged) <= {n for name, n in found if name == f"theirs-{place}"}
    versions = sorted(entry["version"] for entry in table.history())
    assert versions == list(range(table.version() + 1))
    done = run_tarn("table", "fsck", uri, "--check-data", "--json", env=env, timeout=120 + 2 * COMMITS)
    assert done.returncode == 0 and json.loads(done.stdout)["errors"] == 0, done.stdout + done.stderr


def run_mixed(writer, uri: str, env: dict[str, str], options: dict, peer: Callable[[str], Writer], peers: int) -> None:
    """Our writers beside so many others, which `peer` starts by name, on a table that is there and empty."""
    rng = random.Random(7)
    with maintenance(writer, uri, env):
        ours = [Writer([writer, uri, "append", f"ours-{place}", COMMITS], env) for place in range(OURS)]
        theirs = [peer(f"theirs-{place}") for place in range(peers)]
        # One is killed somewhere in a commit and goes on, one stands still for a while in the middle of one.
        killed, stopped = rng.sample(ours, 2)
        for process in (killed, stopped):
            process.enough.wait()
        stopped.process.send_signal(signal.SIGSTOP)
        killed.kill_and_start_again()
        rng.choice([one for one in ours if one not in (killed, stopped)]).finish()
        stopped.process.send_signal(signal.SIGCONT)
        assert [process.finish() for process in ours] == [0] * OURS, "an append of ours was refused"
        for process in theirs:
            assert process.finish() == 0
    check(uri, env, options, ours, theirs)


def run_beside_delta_rs(writer, uri: str, env: dict[str, str], options: dict) -> None:
    deltalake.DeltaTable.create(uri, SCHEMA, storage_options=options)
    command = [sys.executable, "-c", PEER, uri]
    run_mixed(
        writer, uri, env, options, lambda name: Writer([*command, name, COMMITS, json.dumps(options)], {}), peers=3
    )


def test_ours_and_delta_rs_on_local_disk(writer, tmp_path):
    run_beside_delta_rs(writer, str(tmp_path / "table"), {}, {})


def test_ours_and_delta_rs_in_s3(writer, service):
    run_beside_delta_rs(writer, "s3://lake/db/mixed", service.env, service.options)


@pytest.mark.skipif(
    "TARN_SPARK_DYNAMODB_JARS" not in os.environ, reason="needs jars that CONTRIBUTING.md says how to build"
)
def test_ours_and_spark_by_entries(writer, tmp_path):
    store, dynamodb = Service("versitygw", tmp_path).start(), DynamoDb(tmp_path).start()
    with contextlib.ExitStack() as stack:
        stack.callback(store.stop)
        stack.callback(dynamodb.stop)
        env = {**store.env, **dynamodb.env}
        done = run_tarn("sql", "--lake", "s3://lake", "create table db.spark (writer varchar, n bigint)", env=env)
        assert done.returncode == 0, done
        # Spark's log store asks Amazon's DynamoDB of a region, over TLS: the region is where a file says.
        secure = stack.enter_context(Gateway(dynamodb.url, certificate=certificate(tmp_path)))
        regions = tmp_path / "regions.xml"
        regions.write_text(
            f"<XML><Regions><Region><Name>{REGION}</Name><Domain>amazonaws.com</Domain><Endpoint>"
            "<ServiceName>dynamodb</ServiceName><Http>true</Http><Https>true</Https>"
            f"<Hostname>{secure.url.removeprefix('https://')}</Hostname></Endpoint></Region></Regions></XML>"
        )
        java = (
            f"-Dcom.amazonaws.regions.RegionUtils.fileOverride={regions} -Dcom.amazonaws.sdk.disableCertChecking=true"
        )
        python, jars = parts.spark()
        script = Path(__file__).with_name("spark_writer.py")
        command = [python, script, jars, os.environ["TARN_SPARK_DYNAMODB_JARS"], "s3a://lake/db/spark"]
        run_mixed(
            writer,
            "s3://lake/db/spark",
            env,
            store.options,
            lambda name: Writer([*command, name, SPARK_COMMITS, REGION, store.url], {**env, "JAVA_TOOL_OPTIONS": java}),
            peers=2,
        )
