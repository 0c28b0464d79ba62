"""Logs whose derived files are wrong, missing or out of bounds: the commits are the truth where they are there, and what
cannot be known is an error, never less than all rows."""

import json
import os
import time
from pathlib import Path

import deltalake
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from conftest import run_tarn


def sql(lake: Path, text: str) -> str:
    done = run_tarn("sql", "--lake", lake, "-o", "csv", text)
    assert done.returncode == 0, done.stderr
    return done.stdout


def ids(lake: Path) -> tuple[list[int], str]:
    """Of the rows, and what was said beside them."""
    done = run_tarn("sql", "--lake", lake, "-o", "json", "select x from db.t order by x")
    assert done.returncode == 0, done.stderr
    return [row["x"] for row in json.loads(done.stdout)], done.stderr


def make(lake: Path, properties: str = "") -> Path:
    """Three rows in three commits and a checkpoint behind them; the table's log."""
    sql(lake, f"create table db.t (x bigint) {properties}")
    for x in (1, 2, 3):
        sql(lake, f"insert into db.t values ({x})")
    assert run_tarn("table", "checkpoint", "db.t", "--lake", lake).returncode == 0
    return lake / "db" / "t" / "_delta_log"


V2 = "with ('delta.feature.v2Checkpoint' = 'supported', 'delta.checkpointPolicy' = 'v2')"


def rewrite(checkpoint: Path, change) -> None:
    table = pq.read_table(checkpoint)
    pq.write_table(pa.Table.from_pylist(change(table.to_pylist()), schema=table.schema), checkpoint)


def with_one_add_twice(rows: list[dict]) -> list[dict]:
    return [*rows, next(row for row in rows if row["add"])]


def without_one_add(rows: list[dict]) -> list[dict]:
    first = next(row for row in rows if row["add"])
    return [row for row in rows if row is not first]


def without_protocol(rows: list[dict]) -> list[dict]:
    return [row for row in rows if not row["protocol"]]


def with_two_metadata(rows: list[dict]) -> list[dict]:
    return [*rows, next(row for row in rows if row["metaData"])]


@pytest.mark.parametrize("change", [with_one_add_twice, without_one_add, without_protocol, with_two_metadata])
def test_a_checkpoint_that_is_wrong_gives_way_to_the_commits(tmp_path, change):
    log = make(tmp_path)
    (checkpoint,) = log.glob("*.checkpoint.parquet")
    rewrite(checkpoint, change)
    found, said = ids(tmp_path)
    assert found == [1, 2, 3]
    assert checkpoint.name in said and "commits" in said
    sql(tmp_path, "delete from db.t where x = 1")
    assert ids(tmp_path)[0] == [2, 3]
    # With the commits gone, nothing but a checksum tells.
    assert run_tarn("table", "fsck", "db.t", "--lake", tmp_path).returncode != 0
    assert run_tarn("table", "fsck", "db.t", "--repair", "--lake", tmp_path).returncode == 0
    assert ids(tmp_path) == ([2, 3], "")


def test_a_table_does_not_go_back_to_what_is_left_of_its_log(tmp_path):
    log = make(tmp_path)
    (checkpoint,) = log.glob("*.checkpoint.parquet")
    checkpoint.write_bytes(b"PAR1 and nothing else")
    for version in (2, 3):
        (log / f"{version:020}.json").unlink()
    done = run_tarn("sql", "--lake", tmp_path, "select * from db.t")
    assert done.returncode == 7 and checkpoint.name in done.stderr, done


@pytest.mark.parametrize("fate", ["missing", "outside"])
def test_a_sidecar_that_cannot_be_read(make_server, tmp_path, fate):
    lake = tmp_path / "lake"
    log = make(lake, V2)
    (sidecar,) = (log / "_sidecars").iterdir()
    (checkpoint,) = log.glob("*.checkpoint.*.parquet")
    if fate == "missing":
        sidecar.unlink()
    else:

        def point_out(rows: list[dict]) -> list[dict]:
            for row in rows:
                if row["sidecar"]:
                    row["sidecar"]["path"] = "/nowhere/sidecar.parquet"
            return rows

        rewrite(checkpoint, point_out)
    server = make_server(lake=lake)
    assert server.sql("select x from db.t order by x") == [{"x": 1}, {"x": 2}, {"x": 3}]
    server.stop()
    # Without the commits there is a table whose rows nobody can tell, and not none.
    for commit in log.glob("0000000000000000000[0-2].json"):
        commit.unlink()
    server = make_server(lake=lake)
    refused = server.request("POST", "/api/sql", "select * from db.t")
    expected = (500, "Corruption") if fate == "missing" else (403, "PermissionDenied")
    assert (refused.status, refused.json()["code"]) == expected
    assert "db.t" in refused.json()["detail"] and "sidecar" in refused.json()["detail"]
    assert server.write("db", "t x=9i 1\n").status >= 400
    (row,) = server.sql("select * from system.tables")
    assert "sidecar" in row["error"]
    assert server.stop() == 0


def test_cleanup_knows_sidecars_by_another_name_of_the_folder(tmp_path):
    lake, link = tmp_path / "lake", tmp_path / "link"
    lake.mkdir()
    link.symlink_to(lake)
    log = make(lake, V2)
    (sidecar,) = (log / "_sidecars").iterdir()

    def name_by_link(rows: list[dict]) -> list[dict]:
        for row in rows:
            if row["sidecar"]:
                row["sidecar"]["path"] = f"{link}/db/t/_delta_log/_sidecars/{sidecar.name}"
        return rows

    (checkpoint,) = log.glob("*.checkpoint.*.parquet")
    rewrite(checkpoint, name_by_link)
    sql(lake, "insert into db.t values (4)")
    long_ago = time.time() - 60 * 86_400
    for path in (*log.glob("0*"), sidecar):
        os.utime(path, (long_ago, long_ago))
    cleaned = run_tarn("table", "cleanup", "db.t", "--lake", lake)
    assert cleaned.returncode == 0, cleaned.stderr
    assert not (log / f"{0:020}.json").exists(), "there was something to clean"
    assert sidecar.exists()
    assert ids(lake) == ([1, 2, 3, 4], "")


@pytest.mark.parametrize("name", ["_last_checkpoint", "_last_vacuum_info"])
def test_a_hint_without_end(make_server, tmp_path, name):
    lake = tmp_path / "lake"
    log = make(lake)
    with open(log / name, "ab") as hint:
        os.truncate(hint.fileno(), 100 << 30)
    quick = {"TARN_COMPACTION_INTERVAL": "100ms", "TARN_VACUUM_INTERVAL": "100ms"}
    server = make_server(lake=lake, env=quick)
    assert server.write("db", "t x=9i 1\n").status == 204
    assert server.value("select count(*) from db.t") == 4
    assert server.stop() == 0
    assert ids(lake)[0] == [1, 2, 3, 9]
    for command in (["describe"], ["vacuum", "--dry-run"], ["fsck"]):
        done = run_tarn("table", *command, "db.t", "--lake", lake)
        assert done.returncode == 0, done


@pytest.mark.parametrize("ending", [".crc", ".json"])
def test_fsck_of_a_file_without_end(tmp_path, ending):
    log = make(tmp_path)
    with open(log / f"{3:020}{ending}", "ab") as file:
        os.truncate(file.fileno(), 100 << 30)
    checked = run_tarn("table", "fsck", "db.t", "--lake", tmp_path)
    assert checked.returncode == 7 and f"{3:020}{ending}" in checked.stdout + checked.stderr, checked


def test_void_is_null_whatever_files_have(make_server, tmp_path):
    """delta-rs writes void columns into its files."""
    lake = tmp_path / "lake"
    rows = pa.table({"x": pa.array([1, 2], pa.int64()), "n": pa.array([None, None], pa.null())})
    deltalake.write_deltalake(str(lake / "db" / "t"), rows)
    assert sql(lake, "select * from db.t order by x") == "x,n\n1,\n2,\n"
    assert sql(lake, "select x from db.t where n is null order by x") == "x\n1\n2\n"
    sql(lake, "update db.t set x = 3 where x = 2")
    server = make_server(lake=lake)
    assert server.write("db", "t x=4i 1\n").status == 204
    assert server.sql("select x, n from db.t order by x") == [{"x": x, "n": None} for x in (1, 3, 4)]
    assert server.stop() == 0
    assert sql(lake, "select x, n from db.t order by x") == "x,n\n1,\n3,\n4,\n"
    assert not list((lake / "_tarn").glob("rejected/**/*.*"))
    assert run_tarn("table", "fsck", "db.t", "--check-data", "--lake", lake).returncode == 0


def test_rows_for_a_type_that_no_file_can_hold_are_not_acknowledged(make_server, tmp_path):
    lake = tmp_path / "lake"
    log = make(lake)
    array = {"type": "array", "elementType": "void", "containsNull": True}
    refused = run_tarn("table", "alter", "db.t", "--add-column", "n=" + json.dumps(array), "--lake", lake)
    assert refused.returncode != 0 and "column n: no file can hold the void" in refused.stderr, refused
    for name in log.glob("*.c*"):
        name.unlink()
    first = log / f"{0:020}.json"
    field = json.dumps({"name": "n", "type": array, "nullable": True, "metadata": {}})
    first.write_text(first.read_text().replace(']}","partition', f",{field}]}}".replace('"', '\\"') + '","partition'))
    server = make_server(lake=lake)
    assert server.sql("select * from db.t where x = 1") == [{"x": 1, "n": None}]
    reply = server.write("db", "t x=9i 1\n")
    assert reply.status >= 400 and "no file can hold the void" in reply.body.decode(), reply


def test_constraints_are_stored_as_the_columns_are_spelled(tmp_path):
    table = tmp_path / "db" / "t"
    deltalake.write_deltalake(str(table), pa.table({"Size": pa.array([5], pa.int64())}))
    added = run_tarn("table", "alter", "db.t", "--add-constraint", "pos=size > 0 AND `SIZE` < 100", "--lake", tmp_path)
    assert added.returncode == 0, added.stderr
    stored = deltalake.DeltaTable(str(table)).metadata().configuration["delta.constraints.pos"]
    assert stored == "Size > 0 AND `Size` < 100"
    deltalake.write_deltalake(str(table), pa.table({"Size": pa.array([6], pa.int64())}), mode="append")
    assert sql(tmp_path, 'select sum("Size") from db.t').splitlines()[1] == "11"
