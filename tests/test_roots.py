"""Tables whose logs name files outside of their own folders: read below the roots that are configured, refused by name
elsewhere, and never deleted."""

import json
import subprocess
from pathlib import Path
from urllib.parse import quote

import deltalake
import pyarrow as pa
import pyarrow.fs
import pyarrow.parquet as pq
import pytest
from conftest import run_tarn
from dev_tasks import parts

ROWS = [{"id": 1, "text": "a"}, {"id": 2, "text": "b"}, {"id": 3, "text": "c"}]


def write_origin(folder: Path) -> None:
    for part in (ROWS[:2], ROWS[2:]):
        deltalake.write_deltalake(str(folder), pa.Table.from_pylist(part), mode="append")


def clone_log(origin: Path, prefix: str) -> str:
    """The first commit of a table with the origin's files under another prefix."""
    actions = [
        json.loads(line)
        for commit in sorted((origin / "_delta_log").glob("*.json"))
        for line in commit.read_text().splitlines()
    ]
    lines = [next(a for a in actions if "protocol" in a), next(a for a in actions if "metaData" in a)]
    lines += [{"add": {**a["add"], "path": prefix + a["add"]["path"]}} for a in actions if "add" in a]
    return "".join(json.dumps(line) + "\n" for line in lines)


def write_clone(folder: Path, origin: Path, prefix: str) -> None:
    (folder / "_delta_log").mkdir(parents=True)
    (folder / "_delta_log" / f"{0:020}.json").write_text(clone_log(origin, prefix))


def rows(*arguments: str, env: dict[str, str] | None = None) -> list[dict]:
    done = run_tarn("sql", *arguments, "-o", "json", env=env)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def parquet(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.glob("*.parquet"))


@pytest.fixture
def lake(tmp_path) -> Path:
    """With a table, one that refers to it, and one that refers to a folder outside of the lake."""
    lake = tmp_path / "a lake"
    write_origin(lake / "db" / "origin")
    write_clone(lake / "db" / "absolute", lake / "db" / "origin", f"file://{quote(str(lake))}/db/origin/")
    write_clone(lake / "db" / "climbing", lake / "db" / "origin", "../origin/")
    write_origin(tmp_path / "out" / "side")
    write_clone(lake / "db" / "outside", tmp_path / "out" / "side", quote(f"{tmp_path}/out/side/"))
    return lake


def test_a_server_reads_below_its_roots_and_nothing_else(lake, make_server, tmp_path):
    server = make_server(lake=lake)
    for table in ("absolute", "climbing"):
        assert server.sql(f"select * from db.{table} order by id") == ROWS
    refused = server.request("POST", "/api/sql", "select * from db.outside")
    assert refused.status == 403
    problem = refused.json()
    assert problem["code"] == "PermissionDenied"
    assert f"{tmp_path}/out/side/" in problem["detail"] and "db.outside" in problem["detail"]
    missing = next((lake / "db" / "origin").glob("*.parquet"))
    missing.rename(tmp_path / "away")
    for table in ("absolute", "climbing"):
        detail = server.request("POST", "/api/sql", f"select * from db.{table}").json()["detail"]
        assert f"../origin/{missing.name} is missing" in detail and "a lake" not in detail
    (tmp_path / "away").rename(missing)
    server.stop()
    for roots in (str(tmp_path / "out"), f"/nowhere,file://{tmp_path}/out/side"):
        server = make_server("--roots", roots, lake=lake)
        assert server.sql("select * from db.outside order by id") == ROWS
        server.stop()
    # A folder whose name only begins like a root's lies outside of that.
    server = make_server("--roots", str(tmp_path / "ou"), lake=lake)
    assert server.request("POST", "/api/sql", "select * from db.outside").status == 403


def test_the_command_line_reads_any_file_of_this_machine(lake, tmp_path):
    for table in ("absolute", "climbing", "outside"):
        assert rows(f"select * from db.{table} order by id", "--lake", str(lake)) == ROWS
        assert rows("select * from t order by id", "-t", f"t={lake}/db/{table}") == ROWS
        checked = run_tarn("table", "fsck", f"db.{table}", "--check-data", "--lake", str(lake))
        assert checked.returncode == 0 and "no errors, no warnings" in checked.stdout, checked


@pytest.mark.parametrize("table", ["absolute", "climbing", "outside"])
def test_changes_leave_the_files_outside_alone(lake, tmp_path, table):
    origin = tmp_path / "out" / "side" if table == "outside" else lake / "db" / "origin"
    files = parquet(origin)
    folder = lake / "db" / table
    name, at = f"db.{table}", ["--lake", str(lake)]
    for statement in (f"delete from {name} where id = 1", f"insert into {name} values (4, 'd')"):
        assert run_tarn("sql", statement, *at).returncode == 0
    optimized = run_tarn("table", "optimize", name, *at)
    assert optimized.returncode == 0, optimized.stderr
    own = parquet(folder)
    for mode in ([], ["--lite"]):
        vacuumed = run_tarn("table", "vacuum", name, "--retention", "0s", "--allow-short-retention", *mode, *at)
        assert vacuumed.returncode == 0, vacuumed.stderr
    assert parquet(origin) == files
    assert len(parquet(folder)) < len(own), "its own old files went"
    assert rows(f"select id from {name} order by id", *at) == [{"id": 2}, {"id": 3}, {"id": 4}]
    assert deltalake.DeltaTable(str(origin)).to_pyarrow_table().num_rows == 3
    restored = run_tarn("table", "restore", name, "--version", "0", *at)
    assert restored.returncode == 0, restored.stderr
    assert rows(f"select * from {name} order by id", *at) == ROWS


def test_change_files_of_another_table(lake):
    """Beside the whole rows, what a commit changed has paths of its own."""
    folder = lake / "db" / "origin"
    (folder / "_change_data").mkdir()
    change = folder / "_change_data" / "c.parquet"
    pq.write_table(pa.table({"id": [7], "text": ["g"], "_change_type": ["insert"]}), change)
    cdc = {"partitionValues": {}, "size": change.stat().st_size, "dataChange": False}
    paths = {
        "absolute": f"file://{quote(str(lake))}/db/origin/_change_data/c.parquet",
        "climbing": "../origin/_change_data/c.parquet",
    }
    for table, path in paths.items():
        log = lake / "db" / table / "_delta_log"
        (log / f"{1:020}.json").write_text(json.dumps({"cdc": {**cdc, "path": path}}))
        query = f"select id, _change_type from table_changes('db.{table}', 1)"
        assert rows(query, "--lake", str(lake)) == [{"id": 7, "_change_type": "insert"}]
    change.unlink()
    gone = run_tarn("sql", query, "--lake", str(lake))
    assert gone.returncode != 0 and gone.stderr.count("is gone; VACUUM") == 1, gone
    assert "../origin/_change_data/c.parquet" in gone.stderr


def test_spark_and_we_share_a_shallow_clone(tmp_path):
    """With deletion vectors on both sides of it."""
    origin, clone = tmp_path / "origin", tmp_path / "clone"

    def spark(*requests: dict) -> None:
        (tmp_path / "requests.json").write_text(json.dumps(requests))
        python, jars = parts.spark()
        script = Path(__file__).with_name("spark_reader.py")
        command = [python, script, jars, tmp_path / "requests.json"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr[-3000:]

    create = f"CREATE TABLE delta.`{origin}` (id BIGINT, text STRING) USING delta"
    spark(
        {"sql": create + " TBLPROPERTIES ('delta.enableDeletionVectors' = 'true')"},
        {"sql": f"INSERT INTO delta.`{origin}` SELECT /*+ COALESCE(1) */ id, concat('t', id) FROM range(10)"},
        {"sql": f"DELETE FROM delta.`{origin}` WHERE id = 3"},
        {"sql": f"CREATE TABLE delta.`{clone}` SHALLOW CLONE delta.`{origin}`"},
        {"sql": f"DELETE FROM delta.`{clone}` WHERE id = 4"},
    )
    at = ["-t", f"t={clone}"]
    assert [row["id"] for row in rows("select id from t order by id", *at)] == [0, 1, 2, 5, 6, 7, 8, 9]
    deleted = run_tarn("sql", "delete from t where id = 5", *at)
    assert deleted.returncode == 0, deleted.stderr
    for mode in ([], ["--lite"]):
        vacuumed = run_tarn("table", "vacuum", str(clone), "--retention", "0s", "--allow-short-retention", *mode)
        assert vacuumed.returncode == 0, vacuumed.stderr
    checked = run_tarn("table", "fsck", str(clone), "--check-data")
    assert checked.returncode == 0, checked.stdout + checked.stderr
    spark(*({"table": str(table), "version": None, "out": f"{table}-rows"} for table in (origin, clone)))
    ids = [sorted(pq.read_table(f"{table}-rows")["id"].to_pylist()) for table in (origin, clone)]
    assert ids == [[0, 1, 2, 4, 5, 6, 7, 8, 9], [0, 1, 2, 6, 7, 8, 9]]
    assert [row["id"] for row in rows("select id from t order by id", *at)] == ids[1]


def test_roots_in_an_object_store(service, make_server, tmp_path):
    write_origin(tmp_path / "origin")
    files = pyarrow.fs.S3FileSystem(
        access_key=service.env["AWS_ACCESS_KEY_ID"],
        secret_key=service.env["AWS_SECRET_ACCESS_KEY"],
        region=service.env["AWS_REGION"],
        endpoint_override=service.env["AWS_ENDPOINT_URL"],
    )
    for place in ("lake/rooted/db/origin", "lake/elsewhere"):
        pyarrow.fs.copy_files(
            str(tmp_path / "origin"),
            place,
            source_filesystem=pyarrow.fs.LocalFileSystem(),
            destination_filesystem=files,
        )
    logs = {"inside": "s3a://lake/rooted/db/origin/", "climbing": "../origin/", "outside": "s3://lake/elsewhere/"}
    for table, prefix in logs.items():
        with files.open_output_stream(f"lake/rooted/db/{table}/_delta_log/{0:020}.json") as out:
            out.write(clone_log(tmp_path / "origin", prefix).encode())
    lake, env = "s3://lake/rooted", {**service.env, "TARN_STATE_DIRECTORY": str(tmp_path / "state")}
    for table in ("inside", "climbing"):
        assert rows(f"select * from db.{table} order by id", "--lake", lake, env=env) == ROWS
        # By its own place alone, a table has no lake.
        alone = run_tarn("sql", "select * from t", "-t", f"t={lake}/db/{table}", env=env)
        assert alone.returncode != 0 and f"{logs[table]}part-" in alone.stderr, alone
    refused = run_tarn("sql", "select * from db.outside", "--lake", lake, env=env)
    assert refused.returncode != 0 and "s3://lake/elsewhere/" in refused.stderr, refused
    begins_so = run_tarn("sql", "select * from db.outside", "--lake", lake, "--roots", "s3://lake/else", env=env)
    assert begins_so.returncode != 0, begins_so
    root = ["--roots", "s3a://lake/elsewhere"]
    assert rows("select * from db.outside order by id", "--lake", lake, *root, env=env) == ROWS
    server = make_server("--roots", "s3://lake/elsewhere", lake=lake, env=env)
    assert server.sql("select * from db.outside order by id") == ROWS
    assert server.sql("select * from db.climbing order by id") == ROWS
