"""Data files that are lost or damaged under a live server: told by name, for their table alone."""

import pytest
from conftest import run_tarn


@pytest.fixture(scope="module")
def damaged(tmp_path_factory):
    """A server over three tables in Delta, one with its data file gone, one with it cut short."""
    from conftest import Server

    server = Server(tmp_path_factory.mktemp("damage") / "lake").start()
    for table in ("gone", "cut", "whole"):
        assert server.write("b", "".join(f"{table},host=h{n} v={n}i {n}\n" for n in range(1, 101))).status == 204
    assert server.stop() == 0, "which commits the buffers"
    server.start()
    files = {}
    for table in ("gone", "cut"):
        (files[table],) = (server.lake / "b" / table).glob("**/*.parquet")
    files["gone"].unlink()
    content = files["cut"].read_bytes()
    files["cut"].write_bytes(content[: len(content) // 2])
    yield server, {table: str(path.relative_to(server.lake / "b" / table)) for table, path in files.items()}
    assert server.stop() == 0


@pytest.mark.parametrize("table", ["gone", "cut"])
def test_the_file_is_named_over_http(damaged, table):
    server, files = damaged
    for _ in range(2):
        reply = server.request("POST", "/api/sql", f"select sum(v) from b.{table}")
        assert reply.status == 500
        assert reply.headers["Content-Type"] == "application/problem+json"
        problem = reply.json()
        assert problem["code"] == "Corruption"
        assert f"b.{table}" in problem["detail"] and files[table] in problem["detail"]
        assert str(server.lake) not in problem["detail"]
    assert server.request("GET", "/ready").status == 200


@pytest.mark.parametrize("table", ["gone", "cut"])
def test_the_command_line_exits_with_its_status(damaged, table):
    server, files = damaged
    for source in (["--server", server.url], ["--lake", server.lake], ["-t", f"{table}={server.lake}/b/{table}"]):
        name = table if source[0] == "-t" else f"b.{table}"
        done = run_tarn("sql", *source, f"select sum(v) from {name}")
        assert done.returncode == 7, done.stderr
        assert files[table] in done.stderr


def test_everything_else_goes_on(damaged):
    server, _ = damaged
    assert server.value("select sum(v) from b.whole") == 5050
    # What needs no data file still answers, and the table takes rows.
    assert server.value("select count(*) from b.gone") == 100
    assert server.write("b", "gone v=1i 1000\ncut v=1i 1000\nwhole v=1i 1000\n").status == 204
    assert server.value("select sum(v) from b.whole") == 5051
    assert server.request("POST", "/api/sql", "select sum(v) from b.cut").json()["code"] == "Corruption"
