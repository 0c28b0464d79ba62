"""From a line of telemetry to a SQL answer, as a user goes that way."""

import deltalake
import pytest
from conftest import run_tarn


def test_a_written_line_is_seen_by_the_next_query_and_after_a_restart(make_server):
    server = make_server()
    reply = server.write("b", "cpu,host=a usage=1.5,n=3i 1700000000000000000\n")
    assert (reply.status, reply.body) == (204, b"")
    assert server.sql("select host, usage, n, time from b.cpu") == [
        {"host": "a", "usage": 1.5, "n": 3, "time": "2023-11-14T22:13:20Z"}
    ]
    assert server.stop() == 0
    server.start()
    assert server.value("select count(*) from b.cpu") == 1
    assert server.stop() == 0
    table = deltalake.DeltaTable(str(server.lake / "b" / "cpu"))
    assert table.to_pyarrow_table().num_rows == 1
    assert table.protocol().min_reader_version == 1
    assert table.protocol().min_writer_version == 2


def test_a_killed_server_loses_nothing(make_server):
    server = make_server(env={"TARN_FLUSH_MAX_AGE": "1h"})
    assert server.write("b", "m v=1i 1\nm v=2i 2\n").status == 204
    server.kill()
    server.start()
    assert server.value("select sum(v) from b.m") == 3


def test_bad_lines_are_named_and_good_ones_kept(server):
    reply = server.write("b", "m v=1i 1\nm v=\nm v=2i 2\n")
    assert reply.status == 400
    assert reply.json()["code"] == "invalid"
    assert "2" in reply.json()["message"]
    assert server.value("select count(*) from b.m") == 2
    reply = server.request("POST", "/api/v3/write_lp?db=b", "m v=\n")
    assert reply.status == 400
    assert reply.json()["data"][0]["line_number"] == 1
    reply = server.request("POST", "/write?db=b", "m v=3i 3\nbroken\n")
    assert reply.status == 400
    assert server.value("select count(*) from b.m") == 3


def test_equal_tags_and_time_are_separate_rows(server):
    server.write("b", "m,t=x v=1 5\nm,t=x v=1 5\n")
    assert server.value("select count(*) from b.m") == 2


@pytest.mark.parametrize(
    "accept, start",
    [
        ("application/json", b"[{"),
        ("application/x-ndjson", b'{"v"'),
        ("text/csv", b"v"),
        ("application/vnd.apache.parquet", b"PAR1"),
        ("application/vnd.apache.arrow.stream", b"\xff\xff\xff\xff"),
    ],
)
def test_each_format_begins_as_it_should(server, accept, start):
    server.write("b", "m v=1i 1\n")
    reply = server.request("POST", "/api/sql", "select v from b.m", {"Accept": accept})
    assert reply.status == 200
    assert reply.headers["Content-Type"].startswith(accept)
    assert reply.body.startswith(start)


def test_parameters_and_errors(server):
    server.write("b", "m,k=x v=1i 1\nm,k=y v=2i 2\n")
    reply = server.request(
        "POST",
        "/api/sql",
        '{"sql": "select v from b.m where k = $1", "parameters": ["y"]}',
        {"Content-Type": "application/json"},
    )
    assert reply.json() == [{"v": 2}]
    reply = server.request("POST", "/api/sql", "select nope from b.m")
    assert reply.status == 400
    assert reply.headers["Content-Type"] == "application/problem+json"
    assert {"code", "detail", "query_id"} <= reply.json().keys()
    assert server.request("POST", "/api/sql", "select * from b.nothing").status == 404
    assert server.request("POST", "/api/sql", "copy b.m to '/tmp/x'").status == 403


def test_the_command_line_beside_a_live_server_and_alone(make_server):
    server = make_server(env={"TARN_FLUSH_MAX_AGE": "1h"})
    server.write("b", "m v=1i 1\n")
    beside = run_tarn("sql", "--lake", server.lake, "-o", "csv", "select count(*) as n from b.m")
    assert "live" in beside.stderr or "server" in beside.stderr
    through = run_tarn("sql", "--server", server.url, "-o", "csv", "select count(*) as n from b.m")
    assert through.stdout.split() == ["n", "1"]
    server.kill()
    alone = run_tarn("sql", "--lake", server.lake, "-o", "csv", "select count(*) as n from b.m")
    assert alone.stdout.split() == ["n", "1"], alone.stderr


def test_health_ready_ping_metrics(server):
    assert server.request("GET", "/health").json()["status"] == "pass"
    assert server.request("GET", "/ready").status == 200
    assert server.request("GET", "/ping").status == 204
    assert b"# TYPE" in server.request("GET", "/metrics").body
