"""A cold query of one partition of a table in S3, each answer of which takes 30 ms: time, requests, dependent round trips."""

import asyncio
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

import harness

sys.path[:0] = [str(harness.ROOT / "tools"), str(harness.ROOT / "tests")]
import deltalake  # noqa: E402
import pyarrow as pa  # noqa: E402
from s3_service import Service  # noqa: E402

LATENCY_SECONDS = 0.030
DAYS, FILES_A_DAY, ROWS = 40, 5, 20_000
DAY = "2026-01-17"

PEER = """
import json, sys, time
import deltalake
began = time.perf_counter()
table = deltalake.DeltaTable(sys.argv[1], storage_options=json.loads(sys.argv[2]))
rows = deltalake.QueryBuilder().register("t", table).execute(
    f"select count(*) as c, sum(value) as s from t where day = '{sys.argv[3]}' and sensor < 100").read_all()
print(json.dumps({"seconds": time.perf_counter() - began, "row": [column[0].as_py() for column in rows.columns]}))
"""


@dataclass
class Seen:
    """What passed through the proxy: a (start, end) for each request."""

    requests: list[tuple[float, float]] = field(default_factory=list)

    def round_trips(self) -> int:
        """The longest chain of requests each of which began after the one before had been answered."""
        chain, end = 0, 0.0
        for began, ended in sorted(self.requests, key=lambda request: request[1]):
            if began >= end:
                chain, end = chain + 1, ended
        return chain


class Proxy:
    """Hands requests on to a service and holds each answer back for a while, as a distant one does."""

    def __init__(self, host: str, port: int):
        self.host, self.port = host, port
        self.seen = Seen()
        self.loop = asyncio.new_event_loop()
        ready = threading.Event()
        threading.Thread(target=self._run, args=(ready,), daemon=True).start()
        ready.wait()

    def _run(self, ready: threading.Event) -> None:
        asyncio.set_event_loop(self.loop)
        server = self.loop.run_until_complete(asyncio.start_server(self._serve, "127.0.0.1", 0))
        self.address = server.sockets[0].getsockname()
        ready.set()
        self.loop.run_forever()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        upstream, downstream = await asyncio.open_connection(self.host, self.port)
        try:
            while head := await _head(reader):
                began = time.perf_counter()
                downstream.write(head + await reader.readexactly(_length(head)))
                answer = await _head(upstream)
                has_body = not head.startswith(b"HEAD ")
                body = await _body(upstream, answer) if has_body else b""
                await asyncio.sleep(max(0.0, LATENCY_SECONDS - (time.perf_counter() - began)))
                self.seen.requests.append((began, time.perf_counter()))
                writer.write(answer + body)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()
            downstream.close()


async def _head(stream: asyncio.StreamReader) -> bytes:
    try:
        return await stream.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return b""


def _length(head: bytes) -> int:
    for line in head.split(b"\r\n"):
        if line.lower().startswith(b"content-length:"):
            return int(line.split(b":")[1])
    return 0


async def _body(stream: asyncio.StreamReader, head: bytes) -> bytes:
    if b"chunked" not in head.lower():
        return await stream.readexactly(_length(head))
    body = b""
    while True:
        size = await stream.readline()
        chunk = await stream.readexactly(int(size, 16) + 2)
        body += size + chunk
        if int(size, 16) == 0:
            return body


def make_table(uri: str, options: dict) -> None:
    for part in range(FILES_A_DAY):
        first = part * ROWS
        rows = DAYS * ROWS
        day = [f"2026-01-{i % 31 + 1:02d}" if i < 31 else f"2026-02-{i - 30:02d}" for i in range(DAYS)]
        deltalake.write_deltalake(
            uri,
            pa.table(
                {
                    "day": pa.array([day[i % DAYS] for i in range(rows)]),
                    "sensor": pa.array([(first + i // DAYS) % 1000 for i in range(rows)]),
                    "value": pa.array([float((first + i) % 977) for i in range(rows)]),
                    "other": pa.array([f"{i * 2654435761 % 4294967296:08x}" for i in range(rows)]),
                }
            ),
            mode="append",
            partition_by=["day"],
            storage_options=options,
        )


def main() -> None:
    harness.fresh("remote")
    with tempfile.TemporaryDirectory() as folder:
        service = Service("versitygw", Path(folder)).start()
        try:
            measure(service)
        finally:
            service.stop()


def measure(service: Service) -> None:
    uri = "s3://lake/db/readings"
    make_table(uri, service.options)
    host, port = service.url.split("//")[1].split(":")
    sql = f"select count(*) as c, sum(value) as s from t where day = '{DAY}' and sensor < 100"
    ours, theirs = [], []
    for _ in range(5):
        proxy = Proxy(host, int(port))
        url = f"http://127.0.0.1:{proxy.address[1]}"
        began = time.perf_counter()
        ran = subprocess.run(
            [harness.TARN, "sql", "-t", f"t={uri}", "-o", "json", sql],
            env={**os.environ, **service.env, "AWS_ENDPOINT_URL": url},
            capture_output=True,
            text=True,
        )
        seconds = time.perf_counter() - began
        assert ran.returncode == 0, ran.stderr
        ((row,),) = (json.loads(ran.stdout),)
        ours.append((seconds, len(proxy.seen.requests), proxy.seen.round_trips()))
        proxy = Proxy(host, int(port))
        options = {**service.options, "AWS_ENDPOINT_URL": f"http://127.0.0.1:{proxy.address[1]}"}
        ran = subprocess.run(
            [sys.executable, "-c", PEER, uri, json.dumps(options), DAY], capture_output=True, text=True
        )
        assert ran.returncode == 0, ran.stderr
        result = json.loads(ran.stdout.splitlines()[-1])
        assert result["row"] == [row["c"], row["s"]], (result, row)
        theirs.append((result["seconds"], len(proxy.seen.requests), proxy.seen.round_trips()))

    def median(results: list[tuple], place: int) -> float:
        return sorted(result[place] for result in results)[len(results) // 2]

    figure = "cold query of one partition in S3 at 30 ms"
    harness.report(
        f"{figure}, time (ours the whole process)",
        median(ours, 0) * 1000,
        {"delta-rs": median(theirs, 0) * 1000},
        "ms",
        "<= 0.5x",
    )
    harness.report(f"{figure}, requests", median(ours, 1), {"delta-rs": median(theirs, 1)}, "requests", "<= 0.7x")
    harness.report(
        f"{figure}, dependent round trips", median(ours, 2), {"delta-rs": median(theirs, 2)}, "round trips", "<= 6"
    )


if __name__ == "__main__":
    main()
