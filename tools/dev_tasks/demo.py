"""A live lake on ./tarn-data, fed with this host's own metrics through the public HTTP endpoint."""

import argparse
import collections
import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

from . import build, setup
from .host_metrics import HostMetrics, Point
from .paths import BUILD, ROOT
from .run import TaskError, check, say

LAKE = ROOT / "tarn-data"
DATABASE = "host"
HZ = 10
SPARK = "▁▂▃▄▅▆▇█"
DEFAULT_PORT = 8080


class Tarn:
    """The server under the demo, as any user would start it."""

    def __init__(self, program: Path):
        self.port = _port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = BUILD / "demo.log"
        # Compaction each ten seconds instead of each minute, so that a short look shows it at work.
        self._out = open(self.log, "ab")  # noqa: SIM115 (lives as long as the server)
        self.process = subprocess.Popen(
            [str(program), "serve", "--lake", str(LAKE), "--addr-http", f"127.0.0.1:{self.port}"],
            env={"TARN_COMPACTION_INTERVAL": "10s", **os.environ},
            stdout=self._out,
            stderr=self._out,
            start_new_session=True,  # Ctrl-C reaches the demo, which then stops the server in order
        )

    def wait_ready(self) -> None:
        pause = threading.Event()
        for _ in range(1500):
            if self.process.poll() is not None:
                raise TaskError(f"the server ended with {self.process.returncode}; its log is {self.log}")
            try:
                connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
                connection.request("GET", "/ready")
                if connection.getresponse().status == 200:
                    return
            except OSError:
                pass
            pause.wait(0.02)
        raise TaskError(f"the server was not ready after 30 s; its log is {self.log}")

    def stop(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            status = self.process.wait(timeout=40)
            if status != 0:
                raise TaskError(f"the server ended with {status}; its log is {self.log}")


def _port() -> int:
    """8080 when it is free, else any."""
    for wanted in (DEFAULT_PORT, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", wanted))
                return probe.getsockname()[1]
            except OSError:
                continue
    raise TaskError("no free port on 127.0.0.1")


class Feeder(threading.Thread):
    """Samples ten times a second and posts each sample as one body of line protocol."""

    def __init__(self, port: int):
        super().__init__(name="feeder")
        self.port = port
        self.stopping = threading.Event()
        self.acknowledged: collections.Counter[tuple] = collections.Counter()
        self.rows = 0
        self.slowest_ms = 0.0
        self.error: str | None = None

    def run(self) -> None:
        metrics = HostMetrics()
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        due = time.monotonic()
        while not self.stopping.is_set():
            points = metrics.sample(time.time_ns())
            body = "\n".join(point.line() for point in points) + "\n"
            started = time.monotonic()
            try:
                connection.request("POST", f"/api/v2/write?bucket={DATABASE}", body)
                reply = connection.getresponse()
                text = reply.read()
            except OSError as error:
                self.error = f"the server does not answer: {error}"
                return
            if reply.status != 204:
                self.error = f"the server answered {reply.status}: {text.decode()[:300]}"
                return
            self.slowest_ms = max(self.slowest_ms, (time.monotonic() - started) * 1000)
            self.rows += len(points)
            self.acknowledged.update(key(point) for point in points)
            due = max(due + 1 / HZ, time.monotonic())
            self.stopping.wait(due - time.monotonic())


def key(point: Point) -> tuple:
    """What makes a point recognisable when it is read back: measurement, time in microseconds, tags."""
    return (point.measurement, point.time_ns // 1000, point.tags)


class Console:
    """Asks the server through its public endpoints and draws five lines."""

    def __init__(self, port: int):
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)

    def sql(self, text: str) -> list[dict]:
        self.connection.request("POST", "/api/sql", text)
        reply = self.connection.getresponse()
        body = reply.read()
        if reply.status != 200:
            raise TaskError(f"{text}: {body.decode()[:300]}")
        return json.loads(body)

    def metric(self, name: str) -> float:
        self.connection.request("GET", "/metrics")
        text = self.connection.getresponse().read().decode()
        return sum(float(value) for value in re.findall(rf"^{name}(?:{{[^}}]*}})? (\S+)$", text, re.M))

    def draw(self, feeder: Feeder) -> list[str]:
        tables = self.sql("select sum(files) as files, sum(bytes) as bytes, sum(buffered_rows) as buffered, count(*) as tables "
                          f"from system.tables where database = '{DATABASE}'")[0]  # fmt: skip
        rows = self.sql(f"select count(*) as n from {DATABASE}.process")[0]["n"]
        busy = self.sql(
            f"select avg(busy) as busy from {DATABASE}.cpu where core = 'all' and time > now() - interval 40 seconds "
            "group by date_trunc('second', time) order by date_trunc('second', time)"
        )
        removed = int(self.metric("tarn_compaction_files_removed_total"))
        added = int(self.metric("tarn_compaction_files_added_total"))
        values = [row["busy"] or 0.0 for row in busy]
        line = "".join(SPARK[min(7, int(value / 100 * 8))] for value in values)
        flushed = int(self.metric("tarn_rows_flushed_total"))
        return [
            f"acknowledged   {feeder.rows:>12,} rows, the slowest answer {feeder.slowest_ms:.1f} ms",
            f"in Delta       {flushed:>12,} rows of this run; {int(tables['buffered'] or 0):,} in the buffer, both in every query",
            f"files          {int(tables['files'] or 0):>12,} in {tables['tables']} tables, {int(tables['bytes'] or 0) / 1e6:.1f} MB; "
            f"compaction made {added:,} out of {removed:,}",
            f"host.process   {rows:>12,} rows counted by SQL just now, all runs together",
            f"cpu busy       {line:>12}  {values[-1] if values else 0:.0f} %",
        ]


def show_commands(url: str) -> None:
    say(f"""
Tarn runs on {url} with the lake {LAKE}. Copy one:

  curl {url}/api/sql -H 'Accept: text/csv' --data "select name, round(avg(cpu_percent), 1) as cpu from host.process where time > now() - interval 10 seconds group by name order by cpu desc limit 5"

  curl '{url}/api/v2/write?bucket=notes' --data-binary 'note,who=me text="hello, lake"'

  {os.path.relpath(BUILD / "release" / "tarn", Path.cwd())} sql --server {url} "select * from notes.note"
""")


def watch(tarn: Tarn, feeder: Feeder, seconds: float | None) -> None:
    console = Console(tarn.port)
    live = sys.stdout.isatty()
    started = time.monotonic()
    drawn = 0
    pause = threading.Event()
    while feeder.error is None and (seconds is None or time.monotonic() - started < seconds):
        pause.wait(1.0)
        if feeder.rows == 0:
            continue
        lines = console.draw(feeder)
        if live:
            if drawn:
                print(f"\x1b[{drawn}A", end="")
            print("".join(f"\x1b[2K  {line}\n" for line in lines), end="", flush=True)
            drawn = len(lines)
        elif int(time.monotonic() - started) % 5 == 0:
            say("\n".join(f"  {line}" for line in lines) + "\n")


CHECK = r"""
import collections, json, sys
from deltalake import DeltaTable
lake, run = sys.argv[1], json.load(open(sys.argv[2]))
expected = collections.Counter()
for measurement, micros, tags, count in run["rows"]:
    expected[(measurement, micros, tuple(map(tuple, tags)))] += count
found = collections.Counter()
for measurement, tag_names in run["tables"].items():
    table = DeltaTable(f"{lake}/{measurement}").to_pyarrow_table(columns=["time", *tag_names])
    columns = [table[name].to_pylist() for name in tag_names]
    times = table["time"].cast("int64").to_pylist()
    for row, micros in enumerate(times):
        if micros >= run["since"]:
            found[(measurement, micros, tuple((name, columns[i][row]) for i, name in enumerate(tag_names)))] += 1
missing, extra = expected - found, found - expected
print(f"  {sum(expected.values()):,} acknowledged, {sum(found.values()):,} read back as Delta: "
      f"{sum(missing.values())} missing, {sum(extra.values())} too many")
sys.stdout.flush()
import os
os._exit(1 if missing or extra else 0)
"""


def verify(feeder: Feeder, since_micros: int) -> None:
    """Every acknowledged point is present exactly once, as an independent Delta reader sees it."""
    python = setup.venv("demo-check", ["deltalake==1.6.6", "pyarrow==26.0.1"])
    tables = {measurement: [name for name, _ in tags] for measurement, _, tags in feeder.acknowledged}
    run = {
        "since": since_micros,
        "tables": tables,
        "rows": [[*point, count] for point, count in feeder.acknowledged.items()],
    }
    path = BUILD / "demo-acknowledged.json"
    path.write_text(json.dumps(run))
    check([python, "-c", CHECK, LAKE / DATABASE, path])
    say("  every acknowledged point is in Delta exactly once")


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="./dev demo")
    parser.add_argument("--seconds", type=float, help="run this long, check the result with delta-rs, and end")
    options = parser.parse_args(arguments)
    program = build.program()
    since_micros = time.time_ns() // 1000
    tarn = Tarn(program)
    feeder = Feeder(tarn.port)
    try:
        tarn.wait_ready()
        show_commands(tarn.url)
        feeder.start()
        watch(tarn, feeder, options.seconds)
    except KeyboardInterrupt:
        say("\n  stopping: the buffer is flushed to Delta first")
    finally:
        feeder.stopping.set()
        if feeder.is_alive():
            feeder.join()
        tarn.stop()
    if feeder.error:
        raise TaskError(feeder.error)
    say(f"  stopped after {feeder.rows:,} rows; the next run continues {LAKE}")
    if options.seconds is not None:
        verify(feeder, since_micros)
    return 0
