"""Lakes in an object store, written to: what was acknowledged is there once, whatever ends or goes away meanwhile."""

import json
import re
import signal
import threading
import time

import deltalake
import pytest
from conftest import run_tarn
from gateway import Gateway
from s3_service import Service

QUICK = {"TARN_FLUSH_MAX_AGE": "50ms", "TARN_COMPACTION_INTERVAL": "200ms"}


@pytest.fixture
def lake(service, request):
    """The URI of a fresh lake."""
    return "s3://lake/" + re.sub(r"\W+", "-", request.node.name).strip("-")


@pytest.fixture
def env(service, tmp_path):
    """To reach the store, with this machine's state in a fresh folder."""
    return {**service.env, "TARN_STATE_DIRECTORY": str(tmp_path / "state")}


def lines(*values: int, source: str = "a") -> str:
    return "".join(f"m,s={source} v={v}i {1_700_000_000_000_000_000 + v}\n" for v in values)


def rows_of_others(service, lake: str, table: str = "db/m") -> list[int]:
    """As delta-rs reads them."""
    found = deltalake.DeltaTable(f"{lake}/{table}", storage_options=service.options)
    return sorted(found.to_pyarrow_table(columns=["v"])["v"].to_pylist())


def rows_of_server(server) -> list[int]:
    return [row["v"] for row in server.sql("select v from db.m order by v")]


def until(what, seconds: float = 60):
    """Waits for something that background work brings about."""
    pause = threading.Event()
    end = time.monotonic() + seconds
    while True:
        found = what()
        if found:
            return found
        assert time.monotonic() < end, "it did not come"
        pause.wait(0.05)


def committed(server) -> bool:
    return server.value("select sum(buffered_rows) from system.tables") == 0


def test_lines_become_a_table_that_others_read(service, make_server, lake, env):
    server = make_server(lake=lake, env={**env, "TARN_FLUSH_MAX_AGE": "1h"})
    assert server.write("db", lines(*range(1000))).status == 204
    assert rows_of_server(server) == list(range(1000)), "read before it is committed"
    assert server.stop() == 0
    assert rows_of_others(service, lake) == list(range(1000))
    listed = run_tarn("table", "list", "--lake", lake, env=env)
    assert re.search(r"db\.m +0 +1 ", listed.stdout), listed
    server.start()
    assert server.write("db", lines(1000)).status == 204
    assert server.value("select count(*) from db.m") == 1001
    assert server.stop() == 0
    assert rows_of_others(service, lake) == list(range(1001))
    checked = run_tarn("table", "fsck", f"{lake}/db/m", "--check-data", env=env)
    assert checked.returncode == 0, checked


def test_a_killed_server_loses_and_doubles_nothing(service, make_server, lake, env):
    server = make_server(lake=lake, env={**env, **QUICK})
    known: set[int] = set()
    sent = 0
    for _ in range(6):
        stop = threading.Event()

        def write(stop=stop):
            nonlocal sent
            while not stop.is_set():
                batch = range(sent, sent + 20)
                sent = batch.stop
                try:
                    assert server.write("db", lines(*batch)).status == 204
                except OSError:
                    return
                known.update(batch)

        writer = threading.Thread(target=write)
        writer.start()
        stop.wait(0.4)
        server.kill()
        stop.set()
        writer.join()
        server.start()
        shown = rows_of_server(server)
        assert len(shown) == len(set(shown)) and known <= set(shown)
        assert len(shown) % 20 == 0, "a call is there whole or not at all"
    assert server.stop() == 0
    found = rows_of_others(service, lake)
    assert len(found) == len(set(found)) and known <= set(found) and known


def test_the_command_line_beside_a_dead_server(service, make_server, lake, env):
    server = make_server(lake=lake, env={**env, "TARN_FLUSH_MAX_AGE": "1h"})
    assert server.write("db", lines(1, 2)).status == 204
    live = run_tarn("sql", "--lake", lake, "select 1", env=env)
    assert "a live server writes to this lake" in live.stderr, live
    server.kill()
    read = run_tarn("sql", "-o", "csv", "--lake", lake, "select v from db.m order by v", env=env)
    assert read.stdout == "v\n1\n2\n", read
    written = run_tarn("write", "-", "--to", "db", "--lake", lake, stdin=lines(3), env=env)
    assert written.returncode == 0, written
    assert rows_of_others(service, lake) == [1, 2, 3], "the dead server's rows were in a log of this machine"
    elsewhere = {**env, "TARN_STATE_DIRECTORY": env["TARN_STATE_DIRECTORY"] + "-elsewhere"}
    assert run_tarn("write", "-", "--to", "db", "--lake", lake, stdin=lines(4), env=elsewhere).returncode == 0
    assert rows_of_others(service, lake) == [1, 2, 3, 4]


@pytest.mark.parametrize("machines", [1, 2])
def test_two_servers_on_one_lake(service, make_server, lake, env, tmp_path, machines):
    other_env = env if machines == 1 else {**env, "TARN_STATE_DIRECTORY": str(tmp_path / "other")}
    one = make_server(lake=lake, env={**env, **QUICK})
    two = make_server(lake=lake, env={**other_env, **QUICK})
    for n in range(0, 40, 2):
        assert one.write("db", lines(n)).status == 204
        assert two.write("db", lines(n + 1, source="b")).status == 204
    two.kill()
    if machines == 2:
        two.start()
    until(lambda: one.value("select count(*) from db.m") == 40)
    assert rows_of_server(one) == list(range(40))
    assert one.stop() == 0
    if machines == 2:
        assert two.stop() == 0
    assert rows_of_others(service, lake) == list(range(40))


def test_upkeep_by_the_command_line(service, lake, env):
    def tarn(*arguments) -> dict:
        done = run_tarn(*arguments, "--json", env=env)
        assert done.returncode == 0, done
        return json.loads(done.stdout)

    for n in range(5):
        assert run_tarn("write", "-", "--to", "db", "--lake", lake, stdin=lines(n), env=env).returncode == 0
    table = f"{lake}/db/m"
    in_lake = ("db.m", "--lake", lake)
    assert tarn("table", "optimize", table, "--dry-run")["files_removed"] == 5
    assert tarn("table", "optimize", *in_lake)["version"] == 5
    assert run_tarn("write", "-", "--to", "db", "--lake", lake, stdin=lines(5), env=env).returncode == 0
    assert rows_of_others(service, lake) == list(range(6))
    assert tarn("table", "restore", table, "--version", "2")["version"] == 7
    assert rows_of_others(service, lake) == [0, 1, 2]
    assert tarn("table", "restore", *in_lake, "--version", "6")["version"] == 8
    assert tarn("table", "checkpoint", table)["version"] == 8
    assert tarn("table", "optimize", table)["files_added"] == 1
    gone = tarn("table", "vacuum", table, "--retention", "0", "--allow-short-retention")
    assert gone["deleted_files"] >= 5, gone
    assert tarn("table", "cleanup", *in_lake)["deleted_files"] == 0
    assert tarn("table", "fsck", table, "--check-data", "--repair")["errors"] == 0
    assert rows_of_others(service, lake) == list(range(6))


def test_a_server_compacts_and_writes_checkpoints(service, make_server, lake, env):
    server = make_server(lake=lake, env={**env, "TARN_FLUSH_MAX_AGE": "1ms", "TARN_COMPACTION_INTERVAL": "200ms"})
    for n in range(130):
        assert server.write("db", lines(n)).status == 204
        until(lambda: committed(server))
    history = server.sql("select operation, count(*) as n from system.commits group by all")
    assert {row["operation"] for row in history} >= {"WRITE", "OPTIMIZE"}
    metrics = server.request("GET", "/metrics").body.decode()
    counts = dict(re.findall(r'^tarn_store_calls_total\{operation="(\w+)"\} (\d+)', metrics, re.M))
    assert int(counts["put"]) > 260 and int(counts["list"]) > 0 and int(counts["read"]) > 0, metrics
    assert server.stop() == 0
    table = deltalake.DeltaTable(f"{lake}/db/m", storage_options=service.options)
    assert table.version() >= 130
    assert len(table.file_uris()) < 65
    assert rows_of_others(service, lake) == list(range(130))
    checked = run_tarn("table", "fsck", f"{lake}/db/m", "--check-data", "--json", env=env)
    assert json.loads(checked.stdout)["errors"] == 0, checked
    hint = run_tarn("table", "fsck", f"{lake}/db/m", "--repair", "--dry-run", "--json", env=env)
    assert json.loads(hint.stdout)["repairs"] == [], hint


@pytest.fixture(params=["versitygw", "minio"])
def fragile(request, tmp_path):
    """A service of the test's own, which it may stop."""
    running = Service(request.param, tmp_path / "service").start()
    yield running
    if running.process.poll() is None:
        running.process.send_signal(signal.SIGCONT)
    running.stop()


def test_a_store_that_goes_away_and_comes_back(fragile, make_server, tmp_path):
    lake = "s3://lake/l"
    env = {**fragile.env, "TARN_STATE_DIRECTORY": str(tmp_path / "state")}
    server = make_server(lake=lake, env={**env, **QUICK})
    assert server.write("db", lines(0)).status == 204
    until(lambda: committed(server))
    fragile.stop()
    for n in range(1, 6):
        assert server.write("db", lines(n)).status == 204, "the log takes them"
    unknown = server.write("db", "other v=1i\n")
    assert unknown.status == 503 and unknown.headers["Retry-After"], unknown
    assert "s3://lake: GET: http://" in unknown.json()["message"], unknown
    query = until(lambda: (reply := server.request("POST", "/api/sql", "select * from db.m")).status != 200 and reply)
    assert query.status == 503 and query.json()["code"] == "Unavailable", query
    assert server.request("GET", "/ready").status == 200
    assert until(lambda: [line for line in server.log if "flush failed and will be tried again" in line])
    server.kill()
    refused = run_tarn("serve", "--lake", lake, "--addr-http", "127.0.0.1:0", env=env)
    assert refused.returncode == 11 and "s3://lake/l/_tarn/lake.json" in refused.stderr, refused
    fragile.start()
    server.start()
    assert rows_of_server(server) == list(range(6))
    fragile.stop()
    assert server.write("db", lines(6)).status == 204
    fragile.start()
    until(lambda: committed(server))
    assert rows_of_server(server) == list(range(7))
    assert server.stop() == 0
    assert rows_of_others(fragile, lake) == list(range(7))


@pytest.mark.parametrize("fragile", ["versitygw"], indirect=True)
def test_a_store_that_hangs_does_not_hold_up_the_end(fragile, make_server, tmp_path):
    lake = "s3://lake/l"
    env = {**fragile.env, "TARN_STATE_DIRECTORY": str(tmp_path / "state")}
    server = make_server(lake=lake, env={**env, **QUICK})
    assert server.write("db", lines(0)).status == 204
    until(lambda: committed(server))
    fragile.process.send_signal(signal.SIGSTOP)
    assert server.write("db", lines(1)).status == 204
    began = time.monotonic()
    server.process.send_signal(signal.SIGTERM)
    status = server.process.wait(timeout=40)
    took = time.monotonic() - began
    server._reader.join()
    assert status == 11 and took < 31, (status, took, "".join(server.log))
    assert "the write-ahead log keeps them" in "".join(server.log)
    fragile.process.send_signal(signal.SIGCONT)
    server.start()
    assert rows_of_server(server) == [0, 1]
    assert server.stop() == 0
    server._reader.join()
    assert rows_of_others(fragile, lake) == [0, 1], "".join(server.log)


def test_who_may_not_is_told_at_the_start(service, lake, env):
    def refusal(**changed) -> str:
        done = run_tarn("serve", "--lake", lake, "--addr-http", "127.0.0.1:0", env={**env, **changed})
        assert done.returncode == 11, done
        return done.stderr

    told = refusal(AWS_SECRET_ACCESS_KEY="not-the-secret")
    assert "does not let this server in" in told and "403" in told and "not-the-secret" not in told
    lake = "s3://no-such-bucket/l"
    assert "NoSuchBucket" in refusal()
    lake = "s3://lake/l"
    nowhere = {**env, "TARN_STATE_DIRECTORY": "", "XDG_STATE_HOME": "", "HOME": ""}
    done = run_tarn("write", "-", "--to", "db", "--lake", lake, stdin=lines(1), env=nowhere)
    assert done.returncode == 2 and "TARN_STATE_DIRECTORY" in done.stderr, done


def test_a_store_that_overlooks_conditions_is_refused_at_the_start(service, lake, env):
    with Gateway(service.url, without="if-none-match") as gateway:
        careless = {**env, "AWS_ENDPOINT_URL": gateway.url}
        for is_there in (False, True):
            for arguments in (["serve", "--addr-http", "127.0.0.1:0"], ["write", "-", "--to", "db"]):
                done = run_tarn(*arguments, "--lake", lake, stdin=lines(9), env=careless)
                assert done.returncode == 6, done
                assert f"{lake} cannot be committed to: it does not keep to If-None-Match" in done.stderr, done
            if not is_there:
                assert run_tarn("write", "-", "--to", "db", "--lake", lake, stdin=lines(1), env=env).returncode == 0
        read = run_tarn("sql", "-o", "csv", "--lake", lake, "select v from db.m", env=careless)
        assert read.stdout == "v\n1\n", read
    assert rows_of_others(service, lake) == [1]


def test_a_query_says_what_it_asked_the_store_for(service, make_server, lake, env):
    server = make_server(lake=lake, env={**env, "TARN_FLUSH_MAX_AGE": "50ms", "TARN_COMPACTION_INTERVAL": "1h"})
    for source in ("a", "b", "c"):
        assert server.write("db", lines(*range(1000), source=source)).status == 204
        until(lambda: committed(server))
    files = server.value("select sum(files) from system.tables")
    assert files >= 3

    def cost() -> tuple[int, int]:
        assert server.value("select sum(v) from db.m /* measured */") == 3 * sum(range(1000))
        (row,) = server.sql(
            "select storage_requests as r, storage_bytes as b from system.queries "
            "where sql like '%measured%' and sql not like '%system.queries%' order by started desc limit 1"
        )
        return row["r"], row["b"]

    # Small files come whole, each by one request, and then are at hand.
    requests, size = cost()
    assert requests == files and size == server.value("select sum(bytes) from system.tables")
    assert cost() == (0, 0)
