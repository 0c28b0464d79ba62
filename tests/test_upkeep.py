"""Vacuum, log cleanup and restore: what is within the retention stays readable for other readers, what is not goes."""

import itertools
import json
import os
import re
import shutil
import subprocess
import threading
import time
from pathlib import Path

import deltalake
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from conftest import ROOT, run_tarn
from dev_tasks import parts
from rows import assert_same_rows

CORPUS = ROOT / "tests" / "fixtures" / "delta"
DAY_MILLIS = 24 * 3600 * 1000


def age(table: Path, days: int) -> None:
    """Makes everything that a table has look older, as if the clock had gone on since."""
    for path in table.rglob("*"):
        if path.parent.name == "_delta_log" and path.suffix == ".json":
            times = r'"(timestamp|deletionTimestamp|inCommitTimestamp)":(\d+)'
            text = re.sub(times, lambda m: f'"{m[1]}":{int(m[2]) - days * DAY_MILLIS}', path.read_text())
            modified = path.stat().st_mtime
            path.write_text(text)
            os.utime(path, (modified, modified))
        if path.is_file():
            then = path.stat().st_mtime - days * DAY_MILLIS / 1000
            os.utime(path, (then, then))


def tarn(*arguments) -> str:
    done = run_tarn("table", *arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout


def rows_at(table: Path, version: int) -> pa.Table:
    return deltalake.DeltaTable(str(table), version=version).to_pyarrow_table()


def rows_of(table: Path, column: str) -> list:
    return deltalake.DeltaTable(str(table)).to_pyarrow_table()[column].to_pylist()


def files_of(table: Path) -> set[str]:
    return {str(path.relative_to(table)) for path in table.rglob("*.parquet") if "_delta_log" not in path.parts}


def batch(*ids: int) -> pa.Table:
    return pa.table({"id": pa.array(ids, pa.int64()), "p": pa.array([f"a {i % 2}" for i in ids])})


@pytest.fixture
def written(tmp_path):
    """By delta-rs: versions 0 to 2 from ten days ago, 3 and 4 of today, which replace everything before them."""
    table = tmp_path / "t"
    for ids in ((1, 2), (3, 4)):
        deltalake.write_deltalake(table, batch(*ids), partition_by=["p"], mode="append")
    deltalake.write_deltalake(table, batch(5, 6), mode="overwrite")
    age(table, 10)
    deltalake.write_deltalake(table, batch(7), mode="append")
    deltalake.write_deltalake(table, batch(8, 9), mode="overwrite")
    return table


def test_vacuum_keeps_every_version_within_the_retention(written):
    versions = {version: rows_at(written, version) for version in range(5)}
    (written / "p=a%200").mkdir(exist_ok=True)
    orphan = written / "orphan.parquet"
    orphan.write_bytes(b"PAR1")
    young = written / "young.parquet"
    young.write_bytes(b"PAR1")
    then = time.time() - 8 * 24 * 3600
    os.utime(orphan, (then, then))
    dry = json.loads(tarn("vacuum", written, "--dry-run", "--json"))
    verdicts = {file["file"]: file["deleted"] for file in dry["files"]}
    assert verdicts["orphan.parquet"] and not verdicts["young.parquet"] and not verdicts["_delta_log/"]
    assert all(file["why"] for file in dry["files"])
    before = files_of(written)
    assert sum(verdicts.values()) == dry["deleted_files"] == 5, "the orphan and what versions 0 and 1 alone have"
    assert "delete orphan.parquet: no version" in tarn("vacuum", written, "--dry-run")
    done = json.loads(tarn("vacuum", written, "--json"))
    assert {file["file"] for file in done["files"]} == before - files_of(written)
    for version in (2, 3, 4):
        assert_same_rows(rows_at(written, version), versions[version])
    with pytest.raises(Exception, match=r"(?i)not found|no such file"):
        rows_at(written, 0)
    history = deltalake.DeltaTable(str(written)).history()
    assert [entry["operation"] for entry in history[:2]] == ["VACUUM END", "VACUUM START"]
    assert history[1]["operationMetrics"]["numFilesToDelete"] == "5"
    assert tarn("vacuum", written).startswith("no files, no bytes deleted; ")
    assert json.loads(tarn("fsck", written, "--check-data", "--json"))["errors"] == 0


def test_a_server_vacuums_its_tables(make_server, tmp_path):
    lake, lines = tmp_path / "lake", tmp_path / "lines"
    lines.write_text("kept v=0i 0\ngoes v=0i 0\n")
    assert run_tarn("write", "--lake", lake, "--to", "b", lines).returncode == 0
    tarn("alter", "b.goes", "--lake", lake, "--set", "delta.deletedFileRetentionDuration=interval 0 seconds")
    options = ("--compaction-interval", "100ms", "--vacuum-interval", "100ms", "--vacuum-min-retention", "1s")
    server = make_server("--flush-max-age", "20ms", *options, lake=lake)

    def deleted() -> int:
        metrics = server.request("GET", "/metrics").body.decode()
        return int(re.search(r"^tarn_vacuum_files_deleted_total (\d+)", metrics, re.M)[1])

    pause = threading.Event()
    for i in range(1, 3000):
        # Each write gives compaction more to replace.
        assert server.write("b", f"kept v={i}i {i}\ngoes v={i}i {i}\n").status == 204
        rows = i + 1
        if deleted() > 0:
            break
        pause.wait(0.02)
    assert deleted() > 0
    assert server.value("select count(distinct v) from b.goes") == rows
    assert server.stop() == 0
    assert sorted(rows_of(server.lake / "b" / "goes", "v")) == list(range(rows))
    # The table that says nothing keeps each version for seven days.
    kept = deltalake.DeltaTable(str(server.lake / "b" / "kept"))
    assert sorted(rows_of(server.lake / "b" / "kept", "v")) == list(range(rows))
    assert not any(entry["operation"].startswith("VACUUM") for entry in kept.history())
    assert rows_at(server.lake / "b" / "kept", 0).num_rows > 0


def test_lite_vacuum_takes_what_commits_removed(written):
    versions = {version: rows_at(written, version) for version in range(5)}
    orphan = written / "orphan.parquet"
    orphan.write_bytes(b"PAR1")
    os.utime(orphan, (0, 0))
    assert tarn("vacuum", written, "--lite").startswith("4 files, ")
    assert orphan.exists()
    for version in (2, 3, 4):
        assert_same_rows(rows_at(written, version), versions[version])
    assert json.loads(tarn("vacuum", written, "--lite", "--json"))["deleted_files"] == 0


def test_a_short_retention_has_to_be_asked_for(written):
    refused = run_tarn("table", "vacuum", written, "--retention", "1h")
    assert refused.returncode == 2
    assert "168 hours" in refused.stderr and "--allow-short-retention" in refused.stderr
    newest = rows_at(written, 4)
    tarn("vacuum", written, "--retention", "0", "--allow-short-retention")
    assert_same_rows(deltalake.DeltaTable(str(written)).to_pyarrow_table(), newest)
    assert len(files_of(written)) == len(deltalake.DeltaTable(str(written)).file_uris())


def test_cleanup_leaves_a_log_that_others_read(written):
    assert "nothing to delete: no commit" in tarn("cleanup", written)
    age(written, 40)
    assert "nothing to delete: no checkpoint" in tarn("cleanup", written)
    assert tarn("checkpoint", written) == "version 4 has a checkpoint of 2 files\n"
    (checkpoint,) = (written / "_delta_log").glob("*.checkpoint.parquet")
    then = time.time() - 40 * 24 * 3600
    os.utime(checkpoint, (then, then))
    expected = rows_at(written, 4)
    dry = json.loads(tarn("cleanup", written, "--dry-run", "--json"))
    assert dry["first_version"] == 4 and dry["deleted_files"] == len(dry["files"]) == 4
    done = json.loads(tarn("cleanup", written, "--json"))
    assert done["files"] == dry["files"]
    logs = sorted(path.name for path in (written / "_delta_log").glob("0*"))
    assert logs[:2] == ["00000000000000000004.checkpoint.parquet", "00000000000000000004.json"]
    assert_same_rows(rows_at(written, 4), expected)
    deltalake.write_deltalake(written, batch(10), mode="append")
    assert deltalake.DeltaTable(str(written)).to_pyarrow_table().num_rows == expected.num_rows + 1
    assert json.loads(tarn("fsck", written, "--json"))["errors"] == 0


@pytest.mark.parametrize("name", sorted(path.name for path in CORPUS.glob("spark-*")))
def test_tables_by_spark_stay_whole(name, tmp_path):
    table = tmp_path / "t"
    shutil.copytree(CORPUS / name / "table", table)
    done = run_tarn("table", "vacuum", table, "--retention", "0", "--allow-short-retention")
    assert done.returncode == 0, done.stderr
    out = tmp_path / "out.parquet"
    read = run_tarn("sql", "-t", f"t={table}", "-o", "parquet", "--output-file", out, "select * from t")
    assert read.returncode == 0, read.stderr
    assert_same_rows(
        pq.read_table(out), pq.read_table(CORPUS / name / "expected.parquet", coerce_int96_timestamp_unit="us")
    )


def test_spark_reads_tables_that_were_vacuumed_and_cleaned(written, tmp_path):
    vectors = tmp_path / "vectors"
    shutil.copytree(CORPUS / "spark-deletion-vectors" / "table", vectors)
    tarn("vacuum", vectors, "--retention", "0", "--allow-short-retention")
    # Spark itself refuses versions whose commit is older than the retention, although they were the newest within it.
    expected = {version: rows_at(written, version) for version in (3, 4)}
    tarn("vacuum", written)
    last = deltalake.DeltaTable(str(written)).version()
    requests = [{"table": str(written), "version": v, "out": str(tmp_path / f"spark-{v}")} for v in (3, 4, last)]
    requests.append({"table": str(vectors), "version": None, "out": str(tmp_path / "spark-vectors")})
    python, jars = parts.spark()
    script = Path(__file__).with_name("spark_reader.py")
    (tmp_path / "requests.json").write_text(json.dumps(requests))
    subprocess.run([python, script, jars, tmp_path / "requests.json"], check=True, capture_output=True)
    for version in (3, 4):
        assert_same_rows(pq.read_table(tmp_path / f"spark-{version}"), expected[version])
    assert_same_rows(pq.read_table(tmp_path / f"spark-{last}"), expected[4])
    assert_same_rows(
        pq.read_table(tmp_path / "spark-vectors"), pq.read_table(CORPUS / "spark-deletion-vectors" / "expected.parquet")
    )


def test_a_table_is_described_by_its_folder_too(written, tmp_path):
    described = json.loads(tarn("describe", written, "--json"))
    assert described["table"] is None and described["database"] is None
    assert described["location"] == f"file://{written}"
    newest = deltalake.DeltaTable(str(written)).version()
    assert described["version"] == newest and described["partition_columns"] == ["p"]
    shown = tarn("describe", written)
    assert f"location   file://{written}\n" in shown and "buffered" not in shown
    assert re.search(r"^id +long +yes *$", shown, re.M)
    commits = json.loads(tarn("history", written, "--json", "--limit", "2"))["commits"]
    assert [commit["version"] for commit in commits] == [newest, newest - 1]
    for command in ("describe", "history"):
        missing = run_tarn("table", command, tmp_path / "none")
        assert missing.returncode == 3 and "none" in missing.stderr
        assert run_tarn("table", command, "none").returncode == 2


def test_optimize_keeps_to_the_sizes_asked_for(tmp_path):
    table = tmp_path / "t"
    for first in range(0, 50_000, 10_000):
        deltalake.write_deltalake(table, batch(*range(first, first + 10_000)), mode="append")
    small = min(path.stat().st_size for path in table.glob("*.parquet"))

    def plan(*options) -> dict:
        return json.loads(tarn("optimize", table, "--dry-run", "--json", *options))

    assert (plan()["groups"], plan()["files_removed"]) == (1, 5)
    assert plan("--min-file-size", str(small))["files_removed"] == 0
    assert plan("--target-size", str(2 * small + small // 2))["groups"] == 2
    for option in ("--target-size", "--min-file-size"):
        wrong = run_tarn("table", "optimize", table, option, "0")
        assert wrong.returncode == 2 and f"{option}: " in wrong.stderr
    tarn("optimize", table, "--target-size", "1MiB")
    assert deltalake.DeltaTable(str(table)).to_pyarrow_dataset().count_rows() == 50_000


def test_optimize_sorts_by_columns(tmp_path):
    table = tmp_path / "t"
    for i in range(3):
        ids = [(n * 7919 + i * 11) % 30_000 for n in range(10_000)]
        rows = pa.table({"id": ids, "p": [f"p{n % 2}" for n in ids], "text": [f"t{n:05}" for n in ids]})
        deltalake.write_deltalake(table, rows, mode="append", partition_by=["p"])
    before = rows_at(table, 2)
    options = ("--sort-by", "id,text", "--target-size", "20KiB", "--min-file-size", "1KiB", "--json")
    assert json.loads(tarn("optimize", table, *options, "--dry-run"))["files_removed"] == 6
    done = json.loads(tarn("optimize", table, *options))
    assert (done["version"], done["files_removed"]) == (3, 6)
    assert_same_rows(rows_at(table, 3), before)
    found = deltalake.DeltaTable(table)
    for partition in ("p0", "p1"):
        files = [
            file
            for file in pa.table(found.get_add_actions(flatten=True)).to_pylist()
            if file["partition.p"] == partition
        ]
        ranges = sorted((file["min.id"], file["max.id"]) for file in files)
        assert all(low[1] <= high[0] for low, high in itertools.pairwise(ranges))
    for path in found.file_uris():
        ids = pq.read_table(path, columns=["id"])["id"].to_pylist()
        assert ids == sorted(ids)
    assert json.loads(tarn("optimize", table, *options))["version"] is None
    refused = run_tarn("table", "optimize", table, "--sort-by", "p")
    assert refused.returncode == 2 and "'p'" in refused.stderr


def test_restore_takes_a_table_back(written):
    deltalake.DeltaTable(str(written)).optimize.compact()
    old = rows_at(written, 2)
    newest = deltalake.DeltaTable(str(written)).to_pyarrow_table()
    last = deltalake.DeltaTable(str(written)).version()
    assert "can be restored: 2 files restored" in tarn("restore", written, "--version", "2", "--dry-run")
    done = json.loads(tarn("restore", written, "--version", "2", "--json"))
    assert done["version"] == last + 1 and done["restored_version"] == 2
    table = deltalake.DeltaTable(str(written))
    assert table.history()[0]["operation"] == "RESTORE"
    assert_same_rows(table.to_pyarrow_table(), old)
    assert_same_rows(rows_at(written, last), newest)
    assert json.loads(tarn("fsck", written, "--check-data", "--json"))["errors"] == 0
    tarn("vacuum", written, "--retention", "0", "--allow-short-retention")
    gone = run_tarn("table", "restore", written, "--version", "0")
    assert gone.returncode == 3 and ".parquet" in gone.stderr
    assert run_tarn("table", "restore", written).returncode == 2


def test_fsck_mends_derived_files(written):
    tarn("checkpoint", written)
    (checkpoint,) = (written / "_delta_log").glob("*.checkpoint.parquet")
    checkpoint.write_bytes(b"PAR1")
    (written / "_delta_log" / "00000000000000000003.crc").write_text("{}")
    broken = run_tarn("table", "fsck", written)
    assert broken.returncode == 7
    dry = run_tarn("table", "fsck", written, "--repair", "--dry-run", "--json")
    assert len(json.loads(dry.stdout)["repairs"]) == 2 and checkpoint.read_bytes() == b"PAR1"
    mended = json.loads(tarn("fsck", written, "--repair", "--json"))
    assert mended["errors"] == 0 and len(mended["repairs"]) == 2
    for version in range(4):
        (written / "_delta_log" / f"{version:020}.json").unlink()
    assert deltalake.DeltaTable(str(written)).to_pyarrow_table().num_rows == 2


@pytest.mark.parametrize("name", ["spark-plain", "spark-change-feed", "deltars-optimized"])
def test_the_history_of_others_is_json_with_their_parameters(tmp_path, name):
    shutil.copytree(CORPUS / name / "table", tmp_path / "db" / "t")
    commits = json.loads(tarn("history", "db.t", "--lake", tmp_path, "--json"))["commits"]
    theirs = deltalake.DeltaTable(tmp_path / "db" / "t").history()
    assert [commit["version"] for commit in commits] == [entry["version"] for entry in theirs]
    for commit, entry in zip(commits, theirs, strict=True):
        assert commit["operation"] == entry["operation"]
        assert commit["parameters"] == {
            key: value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))
            for key, value in entry.get("operationParameters", {}).items()
            if value is not None
        }


def test_our_parameters_are_written_as_spark_writes_them(tmp_path):
    run_tarn("write", "-", "--to", "db.t", "--lake", tmp_path, stdin="t v=1 1\n")
    entry, *_ = deltalake.DeltaTable(tmp_path / "db" / "t").history()
    assert entry["operationParameters"] == {"mode": "Append"}


def test_commands_leave_checksums_and_checkpoints_behind(tmp_path):
    lake, table = tmp_path / "lake", tmp_path / "lake" / "d" / "t"
    create = "create table d.t (id bigint, p varchar) with ('delta.checkpointInterval' = '3')"
    for statement in (create, "insert into d.t values (1, 'a')"):
        assert run_tarn("sql", "--lake", lake, statement).returncode == 0
    tarn("alter", table, "--add-column", "n=long")
    tarn("alter", "d.t", "--lake", lake, "--add-constraint", "positive=id > 0")
    tarn("restore", table, "--version", "1")
    assert run_tarn("sql", "-t", f"t={table}", "insert into t by name select 2 as id").returncode == 0
    tarn("optimize", table)
    tarn("vacuum", table, "--retention", "0s", "--allow-short-retention")
    log = table / "_delta_log"
    newest = deltalake.DeltaTable(str(table)).version()
    # Of a vacuum's two commits the first has none.
    assert {int(path.stem) for path in log.glob("*.crc")} == set(range(newest + 1)) - {newest - 1}
    assert {int(path.name[:20]) for path in log.glob("*.checkpoint.parquet")} >= {3, 6}
    tarn("fsck", table, "--check-data")
    assert sorted(rows_of(table, "id")) == [1, 2]


def test_statistics_of_the_columns_that_a_table_names(tmp_path):
    table = tmp_path / "lake" / "d" / "t"
    for statement in (
        'create table d.t (id bigint, s struct(a bigint, b struct(c varchar, d bigint)), "x,y" varchar, n bigint)'
        " with ('delta.columnMapping.mode' = 'name',"
        " 'delta.dataSkippingStatsColumns' = 'S.b.c, `x,y`, n', 'delta.dataSkippingNumIndexedCols' = '1')",
        "insert into d.t values (1, {'a': 2, 'b': {'c': 'z', 'd': 3}}, 'v', 4)",
    ):
        done = run_tarn("sql", "--lake", tmp_path / "lake", statement)
        assert done.returncode == 0, done.stderr
    commit = (table / "_delta_log" / f"{1:020}.json").read_text().splitlines()
    stats = json.loads(next(json.loads(line)["add"]["stats"] for line in commit if '"add"' in line))
    schema = json.loads(
        next(
            json.loads(line)["metaData"]["schemaString"]
            for line in (table / "_delta_log" / f"{0:020}.json").read_text().splitlines()
            if '"metaData"' in line
        )
    )

    def physical(fields, *path):
        field = next(field for field in fields if field["name"] == path[0])
        name = field["metadata"]["delta.columnMapping.physicalName"]
        return [name, *(physical(field["type"]["fields"], *path[1:]) if path[1:] else [])]

    s, b, c = physical(schema["fields"], "s", "b", "c")
    [xy], [n] = physical(schema["fields"], "x,y"), physical(schema["fields"], "n")
    assert stats["minValues"] == {s: {b: {c: "z"}}, xy: "v", n: 4}
    assert stats["nullCount"] == {s: {b: {c: 0}}, xy: 0, n: 0} and stats["numRecords"] == 1
    tarn("fsck", table, "--check-data")
