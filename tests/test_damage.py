"""Data files that are lost or damaged under a live server: told by name, for their table alone."""

import json
import os
import shutil
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from conftest import Server, run_tarn

FIXTURES = Path(__file__).parent / "fixtures" / "delta"


@pytest.fixture(scope="module")
def damaged(tmp_path_factory):
    """A server over three tables in Delta, one with its data file gone, one with it cut short."""
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


def edit_adds(table: Path, change) -> None:
    """Applies `change` to every add of a table's log."""
    for commit in (table / "_delta_log").glob("*.json"):
        actions = [json.loads(line) for line in commit.read_text().splitlines()]
        for action in actions:
            if "add" in action:
                change(action["add"])
        commit.write_text("".join(json.dumps(action) + "\n" for action in actions))


def replace_with(make):
    """Something else in the place of the data file."""

    def damage(table: Path, file: Path) -> None:
        file.unlink()
        make(file)

    return damage


def change_bytes(change):
    return lambda table, file: file.write_bytes(bytes(change(file.read_bytes())))


def change_adds(**fields):
    return lambda table, file: edit_adds(table, lambda add: add.update(fields))


def change_path(change):
    return lambda table, file: edit_adds(table, lambda add: add.update(path=change(add["path"])))


def change_type(values: list, dtype: pa.DataType):
    """The column v holds other values than the table says."""

    def damage(table: Path, file: Path) -> None:
        rows = pq.ParquetFile(file).read()
        column = pa.array((values * len(rows))[: len(rows)], dtype)
        pq.write_table(rows.set_column(rows.schema.get_field_index("v"), "v", column), file)
        edit_adds(table, lambda add: add.update(size=file.stat().st_size))

    return damage


DAMAGES = {
    "symlink_loop": replace_with(lambda file: file.symlink_to(file.name)),
    "dangling_symlink": replace_with(lambda file: file.symlink_to("nowhere")),
    "folder": replace_with(Path.mkdir),
    "pipe": replace_with(os.mkfifo),
    "empty": change_bytes(lambda content: b""),
    "noise": change_bytes(lambda content: bytes(n * 7919 % 251 for n in range(len(content)))),
    "no_magic_bytes": change_bytes(lambda content: content[:-4] + b"XXXX"),
    "footer_length": change_bytes(lambda content: content[:-8] + b"\xff\xff\xff\x7f" + content[-4:]),
    "footer": change_bytes(lambda content: content[:-60] + b"\xee" * 40 + content[-20:]),
    "nul_in_path": change_path(lambda path: path + "%00x"),
    "broken_escape_in_path": change_path(lambda path: path + "%zz"),
    "long_path": change_path(lambda path: path + "x" * 300),
    "map_column": change_type([[(1, 2)]], pa.map_(pa.int32(), pa.int32())),
    "list_column": change_type([[1]], pa.list_(pa.int64())),
    "struct_column": change_type([{"a": 1}], pa.struct({"a": pa.int64()})),
    "text_column": change_type(["1", "x"], pa.string()),
    "double_column": change_type([1e30], pa.float64()),
    "bool_column": change_type([True], pa.bool_()),
    "unsigned_column": change_type([2**63 + 1], pa.uint64()),
    "decimal_column": change_type([Decimal("1.5")], pa.decimal128(38, 18)),
}


@pytest.fixture(scope="module")
def ruined(tmp_path_factory):
    """A server over a table for each damage, and what of each data file's name an error has to tell."""
    server = Server(tmp_path_factory.mktemp("ruined") / "lake").start()
    for name in DAMAGES:
        lines = "".join(f"{name},host=h{n % 3} v={n}i {n}\n" for n in range(1, 101))
        assert server.write("b", lines).status == 204
    assert server.stop() == 0
    files = {}
    for name, damage in DAMAGES.items():
        table = server.lake / "b" / name
        (file,) = table.glob("**/*.parquet")
        files[name] = file.name
        damage(table, file)
    server.start()
    yield server, files
    assert server.stop() == 0


@pytest.mark.parametrize("name", DAMAGES)
@pytest.mark.parametrize("select", ["sum(v) from b.{}", "host from b.{} where v > 3 order by v", "* from b.{} limit 1"])
def test_damage_is_never_the_clients_fault(ruined, name, select):
    server, files = ruined
    reply = server.request("POST", "/api/sql", "select " + select.format(name))
    assert reply.status == 500, reply
    problem = reply.json()
    assert problem["code"] == "Corruption"
    assert f"b.{name}" in problem["detail"] and files[name] in problem["detail"]
    assert str(server.lake) not in problem["detail"]


def test_a_fault_of_the_querys_is_still_the_clients(ruined):
    server, _ = ruined
    assert server.write("b", "fine,host=h v=1i 1\n").status == 204
    for condition in ("cast(host as int) = 1", "cast(filename as int) = 1", "v = cast('x' as int)"):
        reply = server.request("POST", "/api/sql", f"select * from b.fine where {condition}")
        assert (reply.status, reply.json()["code"]) == (400, "InvalidArgument"), reply


@pytest.mark.parametrize("damage", ["gone", "loop", "cut"])
def test_a_deletion_vector_that_cannot_be_read_is_named(make_server, tmp_path, damage):
    shutil.copytree(FIXTURES / "spark-deletion-vectors" / "table", tmp_path / "lake" / "b" / "t")
    vectors = list((tmp_path / "lake" / "b" / "t").glob("**/deletion_vector_*.bin"))
    assert vectors
    for vector in vectors:
        content = vector.read_bytes()
        vector.unlink()
        if damage == "loop":
            vector.symlink_to(vector.name)
        if damage == "cut":
            vector.write_bytes(content[:3])
    reply = make_server().request("POST", "/api/sql", "select * from b.t")
    assert reply.status == 500, reply
    assert reply.json()["code"] == "Corruption"
    assert any(vector.name in reply.json()["detail"] for vector in vectors), reply
