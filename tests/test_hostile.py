"""Bad input gives a clear error, bounded memory, and a server that goes on."""

import gzip
import json
import os
import random
import re
import shutil
import socket
import subprocess
import threading
from pathlib import Path

import pytest
from conftest import Server, run_tarn

HOSTILE_SQL = [
    "from read_csv('/etc/passwd')",
    "select * from '/etc/passwd'",
    "select * from read_text('/etc/passwd')",
    "select (select content from read_text('/etc/passwd'))",
    "with x as (select * from glob('/*')) select * from x",
    "copy (select 1) to '/tmp/leak.csv'",
    "copy (select 1) to stdout",
    "attach '/tmp/other.db' as other",
    "install httpfs",
    "load json",
    "set threads = 1",
    "set memory_limit = '100GB'",
    "reset threads",
    "pragma database_list",
    "call duckdb_settings()",
    "create table main.t (i int)",
    "create temp table t as select 1",
    "create view v as select 1",
    "create macro f(x) as x",
    "insert into b.m values (1)",
    "update b.m set v = 1",
    "delete from b.m",
    "drop table b.m",
    "begin",
    "select 1; select 2",
    "select getenv('HOME')",
    "select current_setting('temp_directory')",
    "from duckdb_settings()",
    "from query('select 42')",
    "export database '/tmp/x'",
    "explain analyze create table z as select 1",
    "select * from read_parquet('tarn://x')",
]

HUGE_VALUES = [
    "select length(repeat('x', 3000000000))",
    "select length(lpad('x', 2000000000, 'y'))",
    "select len(range(2000000000))",
    "select len(generate_series(1, 2000000000))",
    "select length(a||a||a||range::varchar) from (select repeat('x', 30000000) as a), range(200)",
    "select replace(repeat('a', 1000000), 'a', repeat('b', 1000000))",
    "select levenshtein(repeat('a', 1000000), repeat('b', 1000000))",
    "select damerau_levenshtein(repeat('a', 20000), repeat('b', 20000))",
    "select regexp_replace(repeat('a', 1000000), 'a', repeat('b', 30000), 'g')",
    "select len(string_split(repeat('a,', 20000000), ','))",
]


# What a parser takes minutes or gigabytes for, and nothing interrupts it.
LONG_STATEMENTS = [
    "select 1 " + "+-" * 4_000 + "1",
    "select 1" + " or 1" * 700_000,
    "select 1 " + "/**/" * 900_000,
    "select 1;" * 440_000,
    "select 1" + ",1" * 1_900_000,
    "select a" + ",*" * 1_900_000,
]


def alive(server: Server) -> None:
    assert server.value("select 42") == 42


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    server = Server(tmp_path_factory.mktemp("hostile") / "lake", env={"TARN_QUERY_TIMEOUT": "5s"}).start()
    assert server.write("b", "m v=1i 1\n").status == 204
    yield server
    assert server.stop() == 0


@pytest.mark.parametrize("sql", HOSTILE_SQL)
def test_sql_that_must_not_run(server, sql):
    reply = server.request("POST", "/api/sql", sql)
    assert 400 <= reply.status < 500, reply
    assert reply.json()["code"]
    alive(server)


@pytest.mark.parametrize("sql", HUGE_VALUES)
def test_huge_values_are_refused(server, sql):
    reply = server.request("POST", "/api/sql", sql)
    assert 400 <= reply.status < 500, reply
    alive(server)


@pytest.mark.parametrize("sql", LONG_STATEMENTS, ids=lambda sql: sql[:20])
def test_long_statements_are_refused_before_they_are_parsed(server, sql):
    reply = server.request("POST", "/api/sql", sql)
    assert reply.status in (400, 403), reply
    alive(server)


def test_deep_nesting_is_an_error(server):
    reply = server.request("POST", "/api/sql", "select " + "(" * 20000 + "1" + ")" * 20000)
    assert 400 <= reply.status < 500
    alive(server)


def test_a_long_query_ends_at_its_timeout(server):
    sql = "select count(*) from range(1000000) a, range(1000000) b where a.range * b.range % 7 = 1"
    reply = server.request("POST", "/api/sql", sql)
    assert reply.status == 504, reply
    alive(server)


def test_too_many_rows_are_an_error(make_server):
    limited = make_server(env={"TARN_QUERY_MAX_ROWS": "10"})
    assert limited.request("POST", "/api/sql", "select * from range(10)").status == 200
    assert limited.request("POST", "/api/sql", "select * from range(11)").status == 429


@pytest.mark.parametrize(
    "body, headers",
    [
        (b"\x1f\x8b\x08broken", {"Content-Encoding": "gzip"}),
        (gzip.compress(b"m v=1i 1\n")[:-4], {"Content-Encoding": "gzip"}),
        (gzip.compress(b"m v=1i 1\n") + b"trailing", {"Content-Encoding": "gzip"}),
        (b"m v=1i 1\n", {"Content-Encoding": "nonsense"}),
        (b"m v=\xff\xfe 1\n", {}),
        (b"m,t=\xc3\x28 v=1i 1\n", {}),
        (b"\x00\x01\x02\x03", {}),
        (b"m v=1i 99999999999999999999\n", {}),
        (b"m " + b",".join(b"f%d=1i" % n for n in range(200_000)) + b" 1\n", {}),
        (b"m v=\"" + b"x" * 6_000_000 + b"\" 1\n", {}),
    ],
)  # fmt: skip
def test_bodies_that_cannot_be_kept(server, body, headers):
    reply = server.request("POST", "/api/v2/write?bucket=bad", body, headers)
    assert 400 <= reply.status < 500, reply
    assert reply.json()
    alive(server)


def test_a_gzip_bomb_is_bounded(server):
    bomb = gzip.compress(b"\n" * 400_000_000)
    reply = server.request("POST", "/api/v2/write?bucket=bad", bomb, {"Content-Encoding": "gzip"})
    assert reply.status in (400, 413, 204), reply
    assert rss_mib(server) < 1500
    alive(server)


def rss_mib(server: Server) -> float:
    text = Path(f"/proc/{server.process.pid}/status").read_text()
    return int(re.search(r"VmHWM:\s+(\d+)", text).group(1)) / 1024


@pytest.mark.parametrize(
    "raw",
    [
        b"\r\n\r\n",
        b"GET\r\n\r\n",
        b"POST /api/sql HTTP/1.1\r\nHost: x\r\nContent-Length: abc\r\n\r\n",
        b"POST /api/sql HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"POST /api/v2/write?bucket=b HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"GET /" + b"a" * 200_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 50_000 + b"\r\n",
        bytes(random.Random(1).randrange(256) for _ in range(5000)),
    ],
)
def test_broken_http(server, raw):
    host, port = server.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        connection.sendall(raw)
        connection.shutdown(socket.SHUT_WR)
        answer = b""
        while chunk := connection.recv(65536):
            answer += chunk
    assert not answer or answer.startswith((b"HTTP/1.1 4", b"HTTP/1.0 4")), answer[:200]
    alive(server)


def test_idle_connections_take_nothing_from_others(tmp_path):
    server = Server(tmp_path / "lake")
    # As on a machine whose hard limit is low: half of them are for connections.
    server.arguments = ["prlimit", "--nofile=128:256", *server.arguments]
    server.start()
    host, port = server.url.removeprefix("http://").split(":")
    idle = []
    try:
        for n in range(300):
            idle.append(socket.create_connection((host, int(port)), timeout=10))
            if n % 2:
                idle[-1].sendall(b"GET /ping HTTP/1.1\r\nHost: h\r\n\r\n")
                assert idle[-1].recv(1000).startswith(b"HTTP/1.1 204")
        assert server.request("GET", "/health").status == 200
        assert server.write("b", "m v=1i 1\n").status == 204
        assert server.value("select count(*) from b.m") == 1
        metrics = server.request("GET", "/metrics").body.decode()
        assert "\ntarn_http_connections_refused_total 0\n" in metrics
        assert int(re.search(r"^tarn_http_connections (\d+)$", metrics, re.M)[1]) <= 128
    finally:
        for connection in idle:
            connection.close()
        assert server.stop() == 0


def test_clients_that_vanish_cancel_their_query(server):
    host, port = server.url.removeprefix("http://").split(":")
    sql = b"select count(*) from range(1000000) a, range(1000000) b where a.range * b.range % 11 = 1"
    for _ in range(5):
        with socket.create_connection((host, int(port))) as connection:
            connection.sendall(b"POST /api/sql HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s" % (len(sql), sql))
    pause = threading.Event()
    for _ in range(150):
        running = server.value("select count(*) from system.queries where state = 'running' and sql like '%% 11 = 1%'")
        if running <= 1:  # the asking query itself mentions the text
            break
        pause.wait(0.02)
    else:
        raise AssertionError("queries of vanished clients still run")
    alive(server)


def test_names_that_are_refused(server):
    for bucket in ("_tarn", "system", "main", "information_schema", "pg_catalog", "temp", "a%00b", ""):
        reply = server.write(bucket, "m v=1i 1\n")
        assert 400 <= reply.status < 500, (bucket, reply)
    for line in ("m time=1i 1", "m time_ns=1i 1", "m,time_date=x v=1i 1", "m,v=x v=1i 1", "M v=2i 1", "m V=2i 1"):
        assert server.write("b", line + "\n").status == 400, line
    assert server.write("b/../../etc", "m v=1i 1\n").status in (204, 400)
    assert not (server.lake.parent / "etc").exists()
    alive(server)


def test_a_full_disk_loses_nothing(tmp_path, make_server):
    mount = tmp_path / "small"
    mount.mkdir()
    if (
        os.geteuid() != 0
        or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=160m", "tmpfs", mount], check=False).returncode
    ):
        pytest.skip("needs root and the right to mount a small file system")
    try:
        server = make_server(lake=mount / "lake", env={"TARN_FLUSH_MAX_AGE": "100ms"})
        assert server.write("b", "rows n=-1i 1\n").status == 204
        acknowledged = 0
        refused = None
        rng = random.Random(3)
        for n in range(4000):
            lines = "".join(f'rows n={n * 1000 + k}i,s="{rng.randbytes(60).hex()}" {n + 2}\n' for k in range(1000))
            reply = server.write("b", lines)
            if reply.status != 204:
                refused = reply
                break
            acknowledged += 1000
        assert refused is not None and refused.status == 503, refused
        assert int(refused.headers["Retry-After"]) > 0
        # The log takes room by the segment, and says how much there is.
        assert re.search(
            r"no room: a segment of 64 MiB does not fit on the volume, of which \d+ MiB are free", str(refused)
        )
        assert server.value("select count(*) from b.rows") == acknowledged + 1
        server.kill()
        # With room again everything that was acknowledged is there.
        subprocess.run(["mount", "-o", "remount,size=512m", mount], check=True)
        server.start()
        assert server.value("select count(distinct n) from b.rows") == acknowledged + 1
        assert server.write("b", "rows n=-2i 1\n").status == 204
        assert server.stop() == 0
    finally:
        subprocess.run(["umount", "-l", mount], check=False)


def test_configuration_errors_name_the_place(tmp_path):
    config = tmp_path / "tarn.yaml"
    for text, wanted in [
        ("lake: x\nflsh:\n  max_age: 1s\n", r"tarn\.yaml:2"),
        ("lake: x\nflush:\n  max_age: soon\n", r"tarn\.yaml:3"),
        ("lake: [\n", r"tarn\.yaml"),
        ("memory_limit: -5\n", r"tarn\.yaml:1"),
    ]:
        config.write_text(text)
        done = run_tarn("serve", "-c", config)
        assert done.returncode == 2, done
        assert re.search(wanted, done.stderr), done.stderr


def test_a_public_address_needs_an_explicit_flag(tmp_path):
    done = run_tarn("serve", "--lake", tmp_path / "lake", "--addr-http", "0.0.0.0:0")
    assert done.returncode == 2
    assert "--insecure-listen" in done.stderr


def test_a_newer_lake_is_refused_by_name(tmp_path):
    (tmp_path / "lake" / "_tarn").mkdir(parents=True)
    (tmp_path / "lake" / "_tarn" / "lake.json").write_text(json.dumps({"format_version": 999, "id": "x"}))
    done = run_tarn("serve", "--lake", tmp_path / "lake", "--addr-http", "127.0.0.1:0")
    assert done.returncode == 6, done
    assert "999" in done.stderr


def test_exit_codes_of_the_command_line(tmp_path):
    assert run_tarn("version").returncode == 0
    assert run_tarn("nonsense").returncode == 2
    assert run_tarn("sql", "--lake", tmp_path / "none", "select * from a.b").returncode == 3
    assert run_tarn("sql", "-t", f"t={tmp_path / 'missing'}", "select * from t").returncode == 3
    assert run_tarn("sql", "selec 1", env={"TARN_LAKE": str(tmp_path)}).returncode == 2
    shutil.rmtree(tmp_path / "l", ignore_errors=True)
