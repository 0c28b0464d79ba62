"""What the benchmarks share: peers as processes, paired timing, medians and ratios.

Every figure is a ratio of medians measured alternately in one run, on the same data, with results compared before any is
believed. Nothing here judges: the targets are printed beside what was measured.
"""

import http.client
import json
import os
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
TARN = Path(os.environ.get("TARN_PROGRAM", ROOT / "build" / "release" / "tarn"))
WORK = ROOT / "build" / "bench"


def fresh(name: str) -> Path:
    """An empty folder for one benchmark."""
    path = WORK / name
    shutil.rmtree(path, ignore_errors=True)
    path.mkdir(parents=True)
    return path


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def post(url: str, body: bytes | str, headers: dict | None = None) -> bytes:
    data = body.encode() if isinstance(body, str) else body
    with urllib.request.urlopen(urllib.request.Request(url, data=data, headers=headers or {}), timeout=300) as reply:
        return reply.read()


class Connection:
    """A client that keeps its connection, as the libraries people use do."""

    def __init__(self, url: str):
        self._connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=300)

    def post(self, path: str, body: str) -> bytes:
        self._connection.request("POST", path, body.encode())
        reply = self._connection.getresponse()
        content = reply.read()
        assert reply.status == 200, content
        return content


class Process:
    """A server under test, stopped by its own pid."""

    def __init__(self, command: list, ready_url: str, env: dict | None = None, cpus: set[int] | None = None):
        self.started = time.perf_counter()
        self.process = subprocess.Popen(
            [str(part) for part in command],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={**os.environ, **(env or {})},
            preexec_fn=(lambda: os.sched_setaffinity(0, cpus)) if cpus else None,
        )
        self.seconds_to_ready = self._wait(ready_url)

    def _wait(self, url: str) -> float:
        pause = threading.Event()
        while time.perf_counter() - self.started < 120:
            try:
                with urllib.request.urlopen(url, timeout=5) as reply:
                    if reply.status == 200:
                        return time.perf_counter() - self.started
            except OSError:
                pass
            if self.process.poll() is not None:
                raise RuntimeError(f"{self.process.args} ended with {self.process.returncode}")
            pause.wait(0.001)
        raise RuntimeError(f"{self.process.args} was not ready within 120 s")

    def rss_mib(self) -> float:
        text = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+)", text).group(1)) / 1024

    def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(60)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


def tarn_server(lake: Path, env: dict | None = None, cpus: set[int] | None = None) -> tuple[Process, str]:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    return Process([TARN, "serve", "--lake", lake, "--addr-http", f"127.0.0.1:{port}"], url + "/ready", env, cpus), url


def roapi_server(tables: dict[str, Path], in_memory: bool = True) -> tuple[Process, str]:
    """ROAPI over Delta tables: `in_memory` is its default, a copy made at start; otherwise each query reads the files."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    config = fresh(f"roapi_{port}") / "roapi.yaml"  # JSON is YAML too
    option = {"format": "delta", "use_memory_table": in_memory}
    config.write_text(
        json.dumps({"tables": [{"name": name, "uri": str(path), "option": option} for name, path in tables.items()]})
    )
    roapi = Path(os.environ["BENCH_VENV"]) / "bin" / "roapi"
    command = [
        roapi,
        "-a",
        f"127.0.0.1:{port}",
        "-p",
        f"127.0.0.1:{free_port()}",
        "--addr-flight-sql",
        f"127.0.0.1:{free_port()}",
        "-c",
        config,
    ]
    return Process(command, url + "/health"), url


def alternate(
    contenders: dict[str, Callable[[], object]], runs: int = 9, warmup: int = 2, burst: int = 1
) -> dict[str, list[float]]:
    """Times the contenders in turn, A B C A B C …, in seconds; with a burst each makes that many calls at its turn.

    A single call finds the processor's caches full of the others' work; a burst shows what a busy user sees.
    """
    times: dict[str, list[float]] = {name: [] for name in contenders}
    for run in range(runs + warmup):
        for name, call in contenders.items():
            for _ in range(burst):
                started = time.perf_counter()
                call()
                if run >= warmup:
                    times[name].append(time.perf_counter() - started)
    return times


# A process begins its life with the peak of the one that started it, so a small one does, and says what it saw.
STARTER = """
import os, sys, time
began = time.perf_counter()
pid = os.posix_spawnp(sys.argv[2], sys.argv[2:], os.environ)
_, status, usage = os.wait4(pid, 0)
with open(sys.argv[1], "w") as out:
    out.write(f"{time.perf_counter() - began} {usage.ru_maxrss}")
sys.exit(os.waitstatus_to_exitcode(status))
"""


def whole_process(command: list, env: dict | None = None) -> tuple[float, float, bytes]:
    """(seconds, peak MiB, stdout) of a command from start to end."""
    measured = WORK / "measured"
    ran = subprocess.run(
        [sys.executable, "-I", "-S", "-c", STARTER, str(measured), *(str(part) for part in command)],
        stdout=subprocess.PIPE,
        env={**os.environ, **(env or {})},
    )
    if ran.returncode != 0:
        raise RuntimeError(f"{command} ended with {ran.returncode}")
    seconds, peak_kib = measured.read_text().split()
    return float(seconds), int(peak_kib) / 1024, ran.stdout


def median_ms(times: list[float]) -> float:
    return statistics.median(times) * 1000


def report(figure: str, ours: float, peers: dict[str, float], unit: str, target: str) -> None:
    shown = ", ".join(f"{name} {value:.3g} {unit}" for name, value in peers.items())
    ratios = ", ".join(f"{ours / value:.3f}x of {name}" for name, value in peers.items() if value)
    print(
        f"  {figure}: {ours:.4g} {unit}" + (f" (against {shown}: {ratios})" if peers else "") + f"; target {target}",
        flush=True,
    )
    with open(WORK / "results.ndjson", "a") as out:
        out.write(json.dumps({"figure": figure, "ours": ours, "peers": peers, "unit": unit, "target": target}) + "\n")
