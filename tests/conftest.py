"""Fixtures for the cross-room tests: the built program as users run it, on a lake of its own."""

import json
import os
import re
import signal
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
TARN = Path(os.environ.get("TARN_PROGRAM", ROOT / "build" / "release" / "tarn"))
sys.path.insert(0, str(ROOT / "tools"))


class Reply:
    """A finished HTTP exchange."""

    def __init__(self, status: int, headers, body: bytes):
        self.status = status
        self.headers = headers
        self.body = body

    def json(self):
        return json.loads(self.body)

    def __repr__(self) -> str:
        return f"Reply({self.status}, {self.body[:300]!r})"


class Server:
    """One `tarn serve` process on a free loopback port."""

    def __init__(self, lake: Path, *arguments: str, env: dict[str, str] | None = None):
        self.lake = lake
        self.arguments = [str(TARN), "serve", "--lake", str(lake), "--addr-http", "127.0.0.1:0", *arguments]
        self.env = {**os.environ, **(env or {})}
        self.process: subprocess.Popen | None = None
        self.url = ""
        self.log: list[str] = []

    def start(self) -> "Server":
        self.log = []
        self.process = subprocess.Popen(
            self.arguments, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True, env=self.env
        )
        found = threading.Event()

        def read(stream):
            for line in stream:
                self.log.append(line)
                address = re.search(r"http://127\.0\.0\.1:\d+", line)
                if address and not found.is_set():
                    self.url = address.group(0)
                    found.set()
            found.set()

        self._reader = threading.Thread(target=read, args=(self.process.stderr,), daemon=True)
        self.url = ""
        self._reader.start()
        found.wait(60)
        if not self.url:
            self.process.kill()
            raise AssertionError("the server did not start:\n" + "".join(self.log))
        self.wait_ready()
        return self

    def wait_ready(self) -> None:
        deadline = threading.Event()
        for _ in range(3000):
            try:
                if self.request("GET", "/ready").status == 200:
                    return
            except OSError:
                pass
            if self.process.poll() is not None:
                raise AssertionError("the server ended:\n" + "".join(self.log))
            deadline.wait(0.02)
        raise AssertionError("the server did not become ready:\n" + "".join(self.log))

    def request(self, method: str, path: str, body: bytes | str | None = None, headers: dict | None = None) -> Reply:
        data = body.encode() if isinstance(body, str) else body
        request = urllib.request.Request(self.url + path, data=data, method=method, headers=headers or {})
        try:
            with urllib.request.urlopen(request, timeout=60) as reply:
                return Reply(reply.status, reply.headers, reply.read())
        except urllib.error.HTTPError as error:
            return Reply(error.code, error.headers, error.read())

    def write(self, bucket: str, lines: str, precision: str | None = None) -> Reply:
        query = f"/api/v2/write?bucket={bucket}" + (f"&precision={precision}" if precision else "")
        return self.request("POST", query, lines)

    def sql(self, text: str) -> list[dict]:
        reply = self.request("POST", "/api/sql", text)
        assert reply.status == 200, reply
        return reply.json()

    def value(self, text: str):
        (row,) = self.sql(text)
        (value,) = row.values()
        return value

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self._reader.join()

    def stop(self) -> int:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            status = self.process.wait(timeout=40)
        except subprocess.TimeoutExpired:
            self.kill()
            raise
        self._reader.join()
        return status


@pytest.fixture
def make_server(tmp_path):
    """Starts servers and stops, at the end, those that still run."""
    servers = []

    def make(*arguments: str, lake: Path | None = None, env: dict[str, str] | None = None) -> Server:
        server = Server(lake or tmp_path / "lake", *arguments, env=env)
        servers.append(server)
        return server.start()

    yield make
    for server in servers:
        if server.process and server.process.poll() is None:
            server.process.kill()
            server.process.wait()


@pytest.fixture
def server(make_server):
    return make_server()


@pytest.fixture(scope="module", params=["versitygw", "minio"])
def service(request, tmp_path_factory):
    """An S3 service with the bucket `lake`."""
    from s3_service import Service

    running = Service(request.param, tmp_path_factory.mktemp(request.param)).start()
    yield running
    running.stop()


def run_tarn(*arguments: str, stdin: str | None = None, env: dict[str, str] | None = None, timeout: float = 120):
    """Runs the command line to its end."""
    return subprocess.run(
        [str(TARN), *map(str, arguments)],
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
        timeout=timeout,
        env={**os.environ, **(env or {})},
    )


@pytest.fixture(scope="session")
def shared() -> Path:
    """Other people's test data; without it the test is skipped by name, or fails when it is required."""
    folder = Path(os.environ.get("TARN_SHARED", ROOT.parent / "shared"))
    if not folder.exists():
        if os.environ.get("TARN_REQUIRE_SHARED") == "1":
            pytest.fail("TARN_REQUIRE_SHARED=1, but the shared fixtures are not there")
        pytest.skip("needs the shared fixtures, which are not beside this checkout")
    return folder
