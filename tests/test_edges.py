"""What users meet at the edges: broken-off results, exit statuses, settings, and the command line's manners."""

import contextlib
import gzip
import json
import os
import signal
import socket
import subprocess
import threading

import pytest
from conftest import TARN, run_tarn

# Fails at a row near the end, long after the first bytes were sent.
BREAKS = "select range as n, cast(case when range = 2999999 then 'x' else '1' end as int) as v from range(3000000)"


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    from conftest import Server

    server = Server(tmp_path_factory.mktemp("edges") / "lake").start()
    assert server.write("b", "m v=1i 1\n").status == 204
    yield server
    assert server.stop() == 0


def raw_exchange(server, request: bytes) -> bytes:
    host, port = server.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=30) as connection:
        connection.sendall(request)
        answer = b""
        while chunk := connection.recv(1 << 16):
            answer += chunk
    return answer


@pytest.mark.parametrize("output", ["json", "ndjson", "csv", "arrow", "parquet", "markdown", "table"])
def test_a_result_that_breaks_off_tells_why(server, tmp_path, output):
    target = tmp_path / "result"
    done = run_tarn("sql", "--server", server.url, "-o", output, "--output-file", target, BREAKS)
    assert done.returncode == 2, done.stderr
    assert "Could not convert string 'x' to INT32" in done.stderr
    assert not list(tmp_path.iterdir()), "half a result must not look like a whole one"


@pytest.mark.parametrize(
    "accept",
    [
        "application/json",
        "application/x-ndjson",
        "text/csv",
        "application/vnd.apache.arrow.stream",
        "application/vnd.apache.parquet",
    ],
)
def test_a_body_that_breaks_off_has_no_last_chunk_and_a_logged_reason(server, accept):
    sql = BREAKS.encode()
    head = f"POST /api/sql HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAccept: {accept}\r\nContent-Length: {len(sql)}\r\n\r\n".encode()
    answer = raw_exchange(server, head + sql)
    headers, body = answer.split(b"\r\n\r\n", 1)
    if headers.startswith(b"HTTP/1.1 400"):
        # Formats that collect their first piece for long may fail before anything is sent.
        assert b"problem+json" in headers
        return
    assert headers.startswith(b"HTTP/1.1 200")
    assert not body.endswith(b"0\r\n\r\n")
    query_id = next(line for line in headers.split(b"\r\n") if line.startswith(b"X-Tarn-Query-Id")).split(b": ")[1]
    (row,) = server.sql(f"select state, error from system.queries where query_id = '{query_id.decode()}'")
    assert row["state"] == "failed"
    assert row["error"].startswith("InvalidArgument: ")


def test_a_limit_that_breaks_a_result_off_has_its_own_exit_status(make_server):
    limited = make_server(env={"TARN_QUERY_MAX_ROWS": "1000000"})
    done = run_tarn("sql", "--server", limited.url, "-o", "csv", "select * from range(2000000)")
    assert done.returncode == 10, done.stderr
    assert "more than 1000000 rows" in done.stderr


def test_an_error_points_at_its_place_locally_and_remotely(server):
    for target in (["--server", server.url], ["--lake", server.lake]):
        done = run_tarn("sql", *target, "select nope from range(3)")
        assert done.returncode == 2
        assert "\n         ^" in done.stderr, done.stderr
        assert "at byte" not in done.stderr
    done = run_tarn("sql", "select 'äöü',\tnope from range(3)")
    assert done.stderr.endswith("\n  select 'äöü',\tnope from range(3)\n               \t^\n"), done.stderr
    problem = server.request("POST", "/api/sql", "select nope from range(3)").json()
    assert problem["position"] == 7
    assert "at byte" not in problem["detail"]


def test_an_unknown_setting_in_the_environment_is_an_error(tmp_path):
    done = run_tarn("serve", "--lake", tmp_path / "l", env={"TARN_FLUSH_MAXAGE": "1s"})
    assert done.returncode == 2
    assert "TARN_FLUSH_MAXAGE" in done.stderr and "did you mean TARN_FLUSH_MAX_AGE?" in done.stderr


def read_csv(*arguments) -> list[str]:
    done = run_tarn("sql", "-o", "csv", *arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()[1:]


def test_write_keeps_the_good_lines_of_the_table_and_names_the_others(tmp_path):
    lines = tmp_path / "in.lp"
    lines.write_text('home t="a\nb",v=1 1\nother v=2 2\n# other\n\nhome v=\nhome v=3 3\nothers v=4 4\n')
    done = run_tarn("write", lines, "--to", "b.home", "--lake", tmp_path / "lake")
    assert done.returncode == 2
    assert f"{lines}:3: is not of measurement 'home'" in done.stderr
    assert f"{lines}:6: " in done.stderr
    assert f"{lines}:8: is not of" in done.stderr
    assert "3 lines not kept" in done.stderr
    assert read_csv("--lake", tmp_path / "lake", "select v from b.home order by v") == ["1", "3"]
    assert run_tarn("table", "list", "--lake", tmp_path / "lake").stdout.count("b.") == 1


def test_write_takes_standard_input_and_gzip(tmp_path, server):
    many = "".join(f"home v={n}i {n}\n" for n in range(1, 400_001))
    packed = tmp_path / "in.lp.gz"
    half = len(many) // 2
    packed.write_bytes(gzip.compress(many[:half].encode()) + gzip.compress(many[half:].encode()))
    for target in (["--lake", tmp_path / "lake"], ["--server", server.url]):
        done = run_tarn("write", packed, "--to", "gz", *target)
        assert done.returncode == 0, done.stderr
        done = run_tarn("write", "-", "--to", "gz.home", *target, stdin="home v=0i 1\nhome v=\n")
        assert done.returncode == 2
        assert "-:2: " in done.stderr
        assert read_csv(*target, "select sum(v) from gz.home") == [str(sum(range(400_001)))]
        assert read_csv(*target, "select count(*) from gz.home") == ["400001"]


def test_write_tells_the_same_through_a_server(tmp_path, server):
    cases = {
        "line v=1 1\nline v=2 2\n": (0, "2 lines written\n"),
        "line v=1 1\nbad\n": (2, "-:2: "),
        "bad\n" * 1500: (2, "0 lines written\ntarn: 1500 lines not kept, the first 20 of which are named above; line"),
    }
    for lines, (status, told) in cases.items():
        answers = set()
        for target in (["--lake", tmp_path / "lake"], ["--server", server.url]):
            done = run_tarn("write", "-", "--to", "told", *target, stdin=lines)
            assert done.returncode == status and told in done.stderr, done.stderr
            answers.add(done.stderr)
        assert len(answers) == 1, answers


def test_table_list_and_describe_as_json(tmp_path):
    lake = tmp_path / "a lake"
    (lake / "temp" / "lost" / "_delta_log").mkdir(parents=True)
    (lake / "temp" / "lost" / "_delta_log" / f"{0:020}.json").write_text("{}\n")
    assert run_tarn("write", "-", "--to", "b", "--lake", lake, stdin="m,tag=x v=1 1\n").returncode == 0
    done = run_tarn("table", "list", "--json", "--lake", lake)
    first, second = json.loads(done.stdout)["tables"]
    assert (first["database"], first["table"], first["version"], first["error"]) == ("b", "m", 0, None)
    assert (second["database"], second["table"]) == ("temp", "lost")
    assert "database name 'temp' is reserved" in second["error"]
    assert done.stderr.count("tables in a folder whose name is reserved") == 1, done.stderr
    (row,) = json.loads(
        run_tarn("sql", "-o", "json", "--lake", lake, "select * from system.tables where \"table\" = 'm'").stdout
    )
    assert row == first, "as system.tables has it"

    table = json.loads(run_tarn("table", "describe", "b.m", "--json", "--lake", lake).stdout)
    assert table["location"] == f"file://{tmp_path}/a%20lake/b/m"
    assert table["partition_columns"] == ["time_date"] and table["version"] == 0
    assert {"name": "v", "type": "double", "nullable": True} in table["columns"]
    # The location is a URI for every option that takes one.
    for arguments in (
        ["sql", "-t", f"t={table['location']}", "select count(*) from t"],
        ["table", "fsck", table["location"]],
    ):
        done = run_tarn(*arguments)
        assert done.returncode == 0, done.stderr


def test_restore_beyond_the_log_is_not_found(tmp_path):
    assert run_tarn("write", "-", "--to", "b", "--lake", tmp_path, stdin="m v=1 1\n").returncode == 0
    done = run_tarn("table", "restore", "b.m", "--version", "99", "--lake", tmp_path)
    assert (done.returncode, done.stderr) == (3, "tarn: the log ends at version 0, before version 99\n")


@pytest.mark.parametrize("command", [["table", "list"], ["table"], ["table", "restore"], ["version"]])
def test_the_notes_about_settings_are_in_the_help_of_the_program_alone(command):
    assert "Every setting of `tarn serve`" in run_tarn("--help").stdout
    assert "tarn serve" not in run_tarn(*command, "--help").stdout


def test_write_refuses_what_is_no_line_protocol(tmp_path):
    broken = tmp_path / "broken.gz"
    broken.write_bytes(gzip.compress(os.urandom(1000).hex().encode())[:-9])
    csv = tmp_path / "x.csv.gz"
    csv.write_bytes(b"")
    lake = ["--to", "b", "--lake", tmp_path / "lake"]
    assert run_tarn("write", broken, *lake).returncode == 2
    assert "unexpected end of file" in run_tarn("write", broken, *lake).stderr
    assert run_tarn("write", csv, *lake).returncode == 6
    assert run_tarn("write", tmp_path / "none", *lake).returncode == 3
    assert run_tarn("write", tmp_path, *lake).returncode == 2


WRITE_FAULTS = [
    # Nothing of the files before it is written either.
    (["good.lp", "none.lp"], 3, ["'none.lp' does not exist"]),
    (["good.lp", "folder"], 2, ["'folder' is a folder; name the files in it"]),
    (["x.csv"], 6, ["'x.csv': `tarn write` takes line protocol only", "tarn sql -t name=FILE"]),
    (["plain.lp.gz"], 2, ["'plain.lp.gz' is not gzip, although its name says so"]),
    (["cut.lp.gz"], 2, ["'cut.lp.gz' is broken gzip: unexpected end of file"]),
    (["good.lp", "cut.lp.gz"], 2, ["1 line written before that", "'cut.lp.gz' is broken gzip"]),
    (["empty.lp"], 0, ["note: 'empty.lp' is empty", "0 lines written"]),
    (["bad.lp"], 2, ["bad.lp:1: ", "0 lines written", "1 line not kept; line protocol looks like `room,"]),
    (["noise.lp"], 2, ["0 lines written", "50 lines not kept, the first 20 of which are named above; line protocol"]),
    (
        ["good.lp", "--server", "http://127.0.0.1:1"],
        11,
        ["good.lp: http://127.0.0.1:1: ", "does `tarn serve` run there?"],
    ),
    (["good.lp", "--server", "ftp://x"], 2, ["'ftp://x' is not a URL such as http://127.0.0.1:8080"]),
    (["good.lp", "--to", "b."], 2, ["--to 'b.': it takes DATABASE.TABLE or DATABASE"]),
    (["good.lp", "--to", ".t"], 2, ["--to '.t': it takes"]),
    (["good.lp", "--to", "_tarn"], 2, ["--to: database name '_tarn' is reserved"]),
    (["good.lp", "--lake", "good.lp"], 2, ["good.lp is no folder"]),
    (["good.lp", "--precision", "m"], 2, ["precision 'm' is none of ns, us, ms, s"]),
    (["good.lp.gz", "gzip.dat"], 0, ["2 lines written"]),
]


@pytest.mark.parametrize("arguments, status, told", WRITE_FAULTS, ids=lambda value: str(value)[:40])
def test_write_says_what_where_and_what_next(tmp_path, arguments, status, told):
    good = b"m v=1i 1\n"
    (tmp_path / "folder").mkdir()
    contents = {
        "good.lp": good,
        "x.csv": b"a\n1\n",
        "plain.lp.gz": good,
        "cut.lp.gz": gzip.compress(good)[:-9],
        "empty.lp": b"",
        "bad.lp": b"bad\n",
        "noise.lp": b"\x01\x00\xff\n" * 50,
        "good.lp.gz": gzip.compress(good),
        "gzip.dat": gzip.compress(good),
    }
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    if "--to" not in arguments:
        arguments = [*arguments, "--to", "b"]
    done = subprocess.run(
        [str(TARN), "write", *arguments], capture_output=True, text=True, check=False, timeout=60, cwd=tmp_path
    )
    assert done.returncode == status, done.stderr
    for text in told:
        assert text in done.stderr
    if "line" not in told[0] and "written" not in "".join(told) and status != 0:
        assert not (tmp_path / "tarn-data" / "b").exists()


def test_a_lake_that_is_only_read_stays_as_it_is(make_server):
    server = make_server(env={"TARN_FLUSH_MAX_AGE": "1h"})
    assert server.write("b", "m v=1i 1\n").status == 204
    server.kill()
    (server.lake / "_tarn" / "wal" / "node-7").mkdir()

    def everything():
        return {path: path.stat().st_mtime_ns for path in [server.lake, *server.lake.rglob("*")]}

    before = everything()
    folders = [path for path in before if path.is_dir()]
    try:
        # Which does not stop root: for it the listing has to do.
        for folder in folders:
            folder.chmod(0o555)
        for _ in range(2):
            assert read_csv("--lake", server.lake, "select v from b.m") == ["1"]
        assert run_tarn("table", "list", "--lake", server.lake).returncode == 0
        assert run_tarn("table", "describe", "b.m", "--lake", server.lake).returncode in (0, 3)
    finally:
        for folder in folders:
            folder.chmod(0o755)
    assert everything() == before
    server.start()
    assert server.value("select v from b.m") == 1


def test_what_killed_processes_left_unfinished_is_removed(tmp_path, make_server):
    table = tmp_path / "lake" / "b" / "m"
    table.mkdir(parents=True)
    old, young = table / ".tarn-tmp-1-1", table / ".tarn-tmp-1-2"
    for path, age in ((old, 86400 + 60), (young, 3600)):
        path.write_text("x")
        written = path.stat().st_mtime - age
        os.utime(path, (written, written))
    server = make_server()
    pause = threading.Event()
    for _ in range(500):
        if any("left unfinished" in line for line in server.log):
            break
        pause.wait(0.02)
    assert young.exists() and not old.exists()


def test_a_stop_while_the_lake_opens_is_prompt(tmp_path):
    # A store that takes requests and never answers keeps the lake from opening, as replaying a long log does.
    silent = socket.create_server(("127.0.0.1", 0))
    environment = os.environ | {
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{silent.getsockname()[1]}",
        "AWS_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "TARN_STATE_DIRECTORY": str(tmp_path),
    }
    process = subprocess.Popen(
        [str(TARN), "serve", "--lake", "s3://bucket/lake", "--addr-http", "127.0.0.1:0"],
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    )
    first = process.stderr.readline()
    assert "opening the lake" in first and "listening" not in first
    connection, _ = silent.accept()
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=10) == 0
    assert "stopped before the lake was open" in process.stderr.read()
    connection.close()
    silent.close()


def test_an_unusable_lake_is_told_before_anything_listens(tmp_path):
    (tmp_path / "lake" / "_tarn").mkdir(parents=True)
    (tmp_path / "lake" / "_tarn" / "lake.json").write_text(json.dumps({"format_version": 999, "id": "x"}))
    done = run_tarn("serve", "--lake", tmp_path / "lake", "--addr-http", "127.0.0.1:0")
    assert done.returncode == 6
    assert "listening" not in done.stderr


def test_metrics_answer_while_every_query_thread_is_busy(server):
    sql = b"select count(*) from range(1000000) a, range(1000000) b where a.range * b.range % 13 = 1"
    host, port = server.url.removeprefix("http://").split(":")
    connections = []
    for _ in range(24):
        connection = socket.create_connection((host, int(port)))
        connection.sendall(b"POST /api/sql HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s" % (len(sql), sql))
        connections.append(connection)
    for path in ("/metrics", "/health", "/ready", "/ping"):
        assert server.request("GET", path).status < 300
    for connection in connections:
        connection.close()
    pause = threading.Event()
    for _ in range(500):
        if b"\ntarn_queries_running 0" in server.request("GET", "/metrics").body:
            return
        pause.wait(0.02)
    raise AssertionError("queries of vanished clients still run")


def test_what_a_newcomer_types(server):
    databases = [row["database_name"] for row in server.sql("show databases")]
    assert {"b", "system"} <= set(databases) and not {"lake", "memory", "main"} & set(databases)
    assert {"name": "b.m"} in server.sql("show tables")
    assert server.value("select count(*) from (show tables) where name = 'b.m'") == 1
    assert server.sql("select t.d from (show databases) as t(d) join (select 'b' as d) using (d)") == [{"d": "b"}]
    refused = server.request("POST", "/api/sql", "pivot b.m on v using count(*)")
    assert refused.status == 403
    assert "IN ('a', 'b')" in refused.json()["detail"]
    detail = server.request("POST", "/api/sql", "select * from m").json()["detail"]
    assert 'Did you mean "b.m"?' in detail
    for sql in ("select * from nothing", "select * from pg_an", "select versio()"):
        assert "Did you mean" not in server.request("POST", "/api/sql", sql).json()["detail"]
    assert server.sql("select list_zip([1], ['a']) as x, 1 as y, 2 as y") == [
        {"x": [{"": 1, "_1": "a"}], "y": 1, "y_1": 2}
    ]


def test_times_have_an_offset_when_they_have_a_zone(server):
    sql = "select timestamptz '2024-01-02 03:04:05+02' as zoned, timestamp '2024-01-02 03:04:05' as zoneless"
    assert server.sql(sql) == [{"zoned": "2024-01-02T01:04:05Z", "zoneless": "2024-01-02T03:04:05"}]


def test_a_query_out_of_memory_is_told_what_can_be_done(make_server):
    small = make_server(env={"TARN_MEMORY_LIMIT": "128MiB"})
    reply = small.request("POST", "/api/sql", "select list(range) from range(100000000)")
    assert reply.status == 429
    assert "memory_limit in a server's configuration" in reply.json()["detail"]
    assert "SET " not in reply.json()["detail"]


def test_a_body_of_many_short_lines_for_one_table_is_kept_whole(make_server):
    # 24 bytes a row in memory, so that the rows take more than one record of the write-ahead log.
    rows = 5_000_000
    body = b"m v=1i 7\n" * rows
    server = make_server(
        env={"TARN_MEMORY_LIMIT": "2GiB", "TARN_FLUSH_MAX_AGE": "1h", "TARN_FLUSH_MAX_ROWS": "1000000000"}
    )
    assert server.write("b", body, "s").status == 204
    assert server.value("select sum(v)::bigint from b.m") == rows
    server.kill()
    server.start()
    assert server.value("select sum(v)::bigint from b.m") == rows


def test_a_body_whose_rows_no_buffer_could_hold_is_too_large(make_server):
    server = make_server(env={"TARN_MEMORY_LIMIT": "256MiB"})
    # Sparse: each row has all the columns.
    answer = server.write("b", "".join(f"m c{n}=1\n" for n in range(20)) * 25_000)
    assert answer.status == 413, answer
    assert "send fewer at once" in answer.json()["message"]
    assert server.write("b", "m v=1i 7\n").status == 204


def test_version_3_writes_all_or_nothing_when_asked(server):
    reply = server.request("POST", "/api/v3/write_lp?db=all&accept_partial=false", "m v=1i 1\nbad\n")
    assert reply.status == 400
    assert reply.json()["data"]["line_number"] == 2
    assert server.request("POST", "/api/sql", 'select * from "all".m').status == 404


def test_a_restart_after_a_write_beside_the_server_reports_no_dead_owner(make_server):
    server = make_server()
    done = run_tarn("write", "-", "--to", "b", "--lake", server.lake, stdin="m v=1i 1\n")
    assert (done.returncode, done.stderr) == (0, "1 line written\n")
    assert server.stop() == 0
    server.start()
    assert not [line for line in server.log if "write-ahead log" in line]
    assert server.value("select count(*) from b.m") == 1


def test_ctrl_c_ends_a_local_query_and_leaves_nothing_behind(tmp_path):
    out = tmp_path / "out.csv"
    env = {**os.environ, "TMPDIR": str(tmp_path)}
    endless = "select count(*) from range(1000000000) a, range(1000000000) b where a.range + b.range = -1"
    query = subprocess.Popen(
        [TARN, "sql", "--output-file", out, endless], env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    while not list(tmp_path.glob("tarn-sql-*")):
        assert query.poll() is None
    query.send_signal(signal.SIGINT)
    _, complaint = query.communicate(timeout=60)
    assert query.returncode == 13
    assert b"cancelled" in complaint or b"stopped" in complaint
    assert list(tmp_path.iterdir()) == []


def test_a_second_ctrl_c_ends_a_query_that_a_store_holds(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as store:
        env = {
            **os.environ,
            "TMPDIR": str(tmp_path),
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{store.getsockname()[1]}",
            "AWS_ACCESS_KEY_ID": "key",
            "AWS_SECRET_ACCESS_KEY": "secret",
            "AWS_REGION": "us-east-1",
        }
        query = subprocess.Popen([TARN, "sql", "-t", "t=s3://bucket/t", "select 1 from t"], env=env)
        connection, _ = store.accept()
        with connection:
            # Two that come before the first is taken are one.
            for _ in range(100):
                query.send_signal(signal.SIGINT)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    query.wait(0.2)
                    break
        query.kill()
    assert query.wait() == 128 + signal.SIGINT


def test_a_killed_local_query_leaves_nothing_behind_for_long(tmp_path):
    env = {**os.environ, "TMPDIR": str(tmp_path)}
    endless = "select count(*) from range(1000000000) a, range(1000000000) b where a.range + b.range = -1"
    queries = [subprocess.Popen([TARN, "sql", endless], env=env) for _ in range(2)]
    try:
        while len(list(tmp_path.glob("tarn-sql-*"))) < 2:
            assert [query.poll() for query in queries] == [None, None]
        queries[0].kill()
        queries[0].wait(60)
        assert run_tarn("sql", "select 1", env=env).returncode == 0
        assert len(list(tmp_path.glob("tarn-sql-*"))) == 1, "that of the query which still runs"
    finally:
        queries[1].send_signal(signal.SIGINT)
        queries[1].wait(60)
    assert list(tmp_path.iterdir()) == []


def test_no_place_to_spill_is_an_error(tmp_path):
    env = {**os.environ, "TMPDIR": str(tmp_path / "nowhere")}
    done = subprocess.run([TARN, "sql", "select 1"], env=env, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.returncode == 11
    assert "TMPDIR" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_closed_pipe_ends_a_local_query_without_a_word(tmp_path):
    env = {**os.environ, "TMPDIR": str(tmp_path)}
    query = subprocess.Popen(
        [TARN, "sql", "-o", "csv", "select range as n from range(100000000)"],
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert query.stdout.readline() == b"n\r\n"
    query.stdout.close()
    assert query.stderr.read() == b""
    assert query.wait(60) == 13
    assert list(tmp_path.iterdir()) == []
