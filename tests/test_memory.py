"""What the process holds comes back once nobody uses it, and no one value or row takes more than its share."""

import os
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from conftest import Server

MIB = 1 << 20


def resident_bytes(server: Server, peak: bool = False) -> int:
    field = "VmHWM:" if peak else "VmRSS:"
    with open(f"/proc/{server.process.pid}/status") as status:
        line = next(line for line in status if line.startswith(field))
    return int(line.split()[1]) * 1024


def settles_below(server: Server, limit: int, seconds: float = 20) -> bool:
    """Freed memory is given back about once a second; the system tells of it only to who asks, so this asks again."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if resident_bytes(server) < limit:
            return True
        time.sleep(0.1)
    return False


@pytest.fixture
def server(tmp_path):
    env = {"TARN_MEMORY_LIMIT": "512MiB", "TARN_QUERY_TIMEOUT": "60s"}
    server = Server(tmp_path / "lake", env=env).start()
    yield server
    assert server.stop() == 0


def test_exports_leave_nothing_behind(server):
    sql = "select i, md5(i::varchar) a, md5((i + 1)::varchar) b from range(2000000) t(i)"
    for _ in range(2):
        headers = {"Accept": "application/vnd.apache.parquet"}
        assert server.request("POST", "/api/sql", sql, headers=headers).status == 200
    assert settles_below(server, 160 * MIB), resident_bytes(server) // MIB


def test_long_statements_take_their_share(tmp_path):
    server = Server(tmp_path / "lake", env={"TARN_MEMORY_LIMIT": "128MiB"}).start()
    before = resident_bytes(server, peak=True)
    statement = "select 1" + ",1" * 95_000
    with ThreadPoolExecutor(8) as clients:
        replies = list(clients.map(lambda _: server.request("POST", "/api/sql", statement).status, range(8)))
    assert set(replies) <= {200, 400, 429}, replies
    assert 429 in replies, "all of them together have no room"
    grown = resident_bytes(server, peak=True) - before
    assert grown < 256 * MIB, grown // MIB
    assert server.stop() == 0


def test_large_texts_leave_nothing_behind(server):
    for round_ in range(20):
        text = os.urandom(1000).hex()
        lines = "".join(f'm,t=a v="{text}",i={i}i\n' for i in range(1000))
        assert server.write("b", lines).status == 204, round_
    assert settles_below(server, 120 * MIB), resident_bytes(server) // MIB
