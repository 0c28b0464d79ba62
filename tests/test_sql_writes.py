"""Tables that SQL made and changed, read by others; tables of others changed by SQL; SQL beside ingest."""

import json
import shutil
import subprocess
import threading

import deltalake
import polars
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from conftest import ROOT, TARN, run_tarn
from dev_tasks import parts
from rows import assert_same_rows

CORPUS = ROOT / "tests" / "fixtures" / "delta"


def sql(lake, text: str) -> None:
    done = run_tarn("sql", "--lake", lake, text)
    assert done.returncode == 0, done.stderr


def rows(lake, text: str, out):
    done = run_tarn("sql", "--lake", lake, "-o", "parquet", "--output-file", out, text)
    assert done.returncode == 0, done.stderr
    return pq.read_table(out)


def read_by_spark(folder, requests) -> None:
    (folder / "requests.json").write_text(json.dumps(requests))
    python, jars = parts.spark()
    script = ROOT / "tests" / "spark_reader.py"
    done = subprocess.run([python, script, jars, folder / "requests.json"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]


STEPS = [
    "create table db.t (id bigint not null, name varchar, day date, amount decimal(10,2), moment timestamptz, tags varchar[]) "
    "partitioned by (day) with ('delta.enableDeletionVectors' = '{vectors}')",
    "insert into db.t select i, 'n' || i, date '2026-01-01' + (i % 3)::int, i / 4, to_timestamp(i), ['a', 'b' || i] "
    "from range(1000) r(i)",
    "delete from db.t where id % 10 = 3 or day = date '2026-01-02' and id > 900",
    "update db.t set name = upper(name), day = null where id between 100 and 120",
    "alter table db.t add column note varchar",
    "merge into db.t using (select i, 'note ' || i as note from range(990, 1010) r(i)) s on id = i when matched then "
    "update set note = s.note when not matched then insert (id, note) values (i, s.note)",
    "begin; insert into db.t (id, day) select i, date '2026-02-01' from range(2000, 2100) r(i); update db.t set note = 'seen' "
    "where id between 990 and 2010; delete from db.t where id % 4 = 1; commit",
]


def test_others_read_what_sql_changed(tmp_path):
    expected: dict[str, list] = {}
    requests = []
    for vectors in ("false", "true"):
        lake = tmp_path / vectors
        table = lake / "db" / "t"
        (lake / "db").mkdir(parents=True)
        for version, step in enumerate(STEPS):
            sql(lake, step.format(vectors=vectors))
            expected.setdefault(vectors, []).append(rows(lake, "from db.t", tmp_path / "ours.parquet"))
            requests.append(
                {"table": str(table), "version": version, "out": str(tmp_path / f"spark-{vectors}-{version}")}
            )
        assert json.loads(run_tarn("table", "fsck", table, "--check-data", "--json").stdout)["errors"] == 0
        operations = [entry["operation"] for entry in deltalake.DeltaTable(table).history()]
        assert operations == ["TRANSACTION", "MERGE", "ADD COLUMNS", "UPDATE", "DELETE", "WRITE", "CREATE TABLE"]
    read_by_spark(tmp_path, requests)
    for vectors, versions in expected.items():
        for version, wanted in enumerate(versions):
            assert_same_rows(pq.read_table(tmp_path / f"spark-{vectors}-{version}"), wanted)
    # Neither of these reads deletion vectors.
    plain = tmp_path / "false" / "db" / "t"
    for version, wanted in enumerate(expected["false"]):
        assert_same_rows(deltalake.DeltaTable(plain, version=version).to_pyarrow_table(), wanted)
    assert polars.read_delta(str(plain)).height == expected["false"][-1].num_rows


def test_others_read_times_without_zone(tmp_path):
    lake, table = tmp_path / "lake", tmp_path / "lake" / "db" / "t"
    (lake / "db").mkdir(parents=True)
    feature = "'delta.feature.timestampNtz' = 'supported'"
    sql(lake, f"create table db.t (id int, local timestamp, moment timestamptz) partitioned by (id) with ({feature})")
    sql(
        lake, "insert into db.t select i, timestamp '2026-03-29 02:30:00.000001' + to_days(i), now() from range(9) r(i)"
    )
    done = run_tarn("table", "alter", table, "--add-column", "seen=timestamp_ntz", "--add-column", "note=string")
    assert done.returncode == 0, done.stderr
    sql(lake, "update db.t set seen = local - interval 1 hour, note = 'x' where local > timestamp '2026-04-01'")
    ours = rows(lake, "from db.t", tmp_path / "ours.parquet")
    assert ours.schema.field("local").type == ours.schema.field("seen").type == pa.timestamp("us")
    assert json.loads(run_tarn("table", "fsck", table, "--check-data", "--json").stdout)["errors"] == 0
    read_by_spark(tmp_path, [{"table": str(table), "version": 3, "out": str(tmp_path / "spark")}])
    assert_same_rows(pq.read_table(tmp_path / "spark"), ours)
    assert_same_rows(deltalake.DeltaTable(table).to_pyarrow_table(), ours)
    assert polars.read_delta(str(table))["seen"].dtype == polars.Datetime("us")


def test_others_keep_constraints_that_sql_made(tmp_path):
    lake, table = tmp_path / "lake", tmp_path / "lake" / "db" / "t"
    (lake / "db").mkdir(parents=True)
    sql(lake, "create table db.t (id int check (id > 0), name varchar, constraint known check (name <> 'its'))")
    sql(lake, "insert into db.t values (1, 'a')")
    sql(lake, "alter table db.t add constraint small check (id < 10 or name is null)")
    good = pa.table({"id": pa.array([5], pa.int32()), "name": ["b"]})
    deltalake.write_deltalake(table, good, mode="append")
    for column, bad in (("id", pa.array([0], pa.int32())), ("id", pa.array([10], pa.int32())), ("name", ["its"])):
        rows_of_others = good.set_column(good.schema.get_field_index(column), column, pa.array(bad))
        with pytest.raises(Exception, match=r"(?i)check|invariant|constraint"):
            deltalake.write_deltalake(table, rows_of_others, mode="append")
    assert json.loads(run_tarn("table", "fsck", table, "--check-data", "--json").stdout)["errors"] == 0
    assert rows(lake, "from db.t", tmp_path / "ours.parquet").num_rows == 2


@pytest.mark.parametrize("name", sorted(path.name for path in CORPUS.iterdir()))
def test_tables_of_others_are_changed(tmp_path, name):
    lake = tmp_path / "lake"
    table = lake / "db" / "t"
    shutil.copytree(CORPUS / name / "table", table)

    def content(condition: str = "true"):
        return rows(lake, f"from db.t where {condition}", tmp_path / "rows.parquet")

    before = content()
    sql(lake, "insert into db.t select * from db.t")
    assert_same_rows(content(), pa.concat_tables([before, before]))
    column = f'"{before.schema.names[0]}"'
    largest = f"{column} = (select max({column}) from db.t)"
    if name == "spark-change-feed":
        refused = run_tarn("sql", "--lake", lake, f"delete from db.t where {largest}")
        assert refused.returncode == 6 and "change feed" in refused.stderr
    else:
        doubled = content()
        sql(lake, f"update db.t set {column} = {column} where {largest}")
        assert_same_rows(content(), doubled)
        kept = content(f"({largest}) is not true")
        sql(lake, f"delete from db.t where {largest}")
        assert kept.num_rows < doubled.num_rows
        assert_same_rows(content(), kept)
    assert json.loads(run_tarn("table", "fsck", table, "--check-data", "--json").stdout)["errors"] == 0
    done = run_tarn("sql", "-t", f"t={table}", "delete from t")
    assert done.returncode == 0, done.stderr
    assert content().num_rows == 0


def test_statements_on_a_folder_see_what_came_in_their_way(tmp_path):
    """Processes that name one table by its folder run again on its newest version."""
    lake = tmp_path / "lake"
    assert (
        run_tarn("sql", "--lake", lake, "create table d.t as select range as id, 0 as n from range(9)").returncode == 0
    )
    table = lake / "d" / "t"
    statement = "update t set n = n + 1 where id = 5"
    writers = [subprocess.Popen([TARN, "sql", "-t", f"t={table}", statement], stderr=subprocess.PIPE, text=True,
                                stdout=subprocess.DEVNULL) for _ in range(6)]  # fmt: skip
    failures = [stderr for _, stderr in (writer.communicate() for writer in writers) if stderr]
    assert failures == []
    done = run_tarn("sql", "-t", f"t={table}", "-o", "csv", "select sum(n) as n from t")
    assert done.stdout.split() == ["n", "6"], done.stdout + done.stderr


def test_a_server_changes_tables_only_when_it_is_told_to(make_server):
    server = make_server()
    server.write("db", "t,k=a v=1i 1\nt,k=b v=2i 2\n")
    assert server.request("POST", "/api/sql", "delete from db.t").status == 403
    server.stop()
    server = make_server("--query-writes", "true")
    # Rows that were only acknowledged so far are changed as well.
    server.write("db", "t,k=c v=3i 3\n")
    assert server.sql("update db.t set v = v + 10 where k <> 'a'") == [{"Count": 2}]
    assert server.sql("select k, v from db.t order by k") == [
        {"k": "a", "v": 1},
        {"k": "b", "v": 12},
        {"k": "c", "v": 13},
    ]


def test_statements_beside_ingest_and_compaction_lose_and_double_nothing(make_server):
    server = make_server("--query-writes", "true", "--flush-max-age", "20ms", "--compaction-interval", "200ms")
    writes, changes = 300, 40
    server.write("db", "t v=-1i,w=0i 1\n")
    server.sql("create table db.u (a int)")
    ingested = []

    def ingest() -> None:
        ingested.extend(server.write("db", f"t v={number}i,w=0i {number + 1}\n").status for number in range(writes))

    thread = threading.Thread(target=ingest)
    thread.start()
    refused = []
    for _ in range(changes):
        for statement in ("insert into db.u values (1)", "update db.t set w = w + 1"):
            reply = server.request("POST", "/api/sql", statement)
            if reply.status != 200:
                refused.append(reply)
    thread.join()
    assert refused == []
    assert ingested == [204] * writes
    assert server.sql("select count(*) n, count(distinct v) d, max(w) w from db.t") == [
        {"n": writes + 1, "d": writes + 1, "w": changes}
    ]
    assert server.value("select count(*) from db.u") == changes


def test_void_columns_and_members_hold_nulls(tmp_path):
    """Files do not have them; others read nulls there, too."""
    lake = tmp_path / "lake"
    (lake / "db").mkdir(parents=True)
    sql(lake, "create table db.t (id bigint, name varchar)")
    member = {"nullable": True, "metadata": {}}
    place = {
        "type": "struct",
        "fields": [{"name": "zip", "type": "string", **member}, {"name": "unknown", "type": "void", **member}],
    }
    columns = ["--add-column", "nothing=void", "--add-column", "place=" + json.dumps(place)]
    altered = run_tarn("table", "alter", "db.t", *columns, "--lake", lake)
    assert altered.returncode == 0, altered.stderr
    sql(lake, "insert into db.t values (1, 'a', null, {'zip': 'x', 'unknown': null}), (2, 'b', null, null)")
    sql(lake, "insert into db.t (id) values (3)")
    for values in ("(4, 'd', 5, null)", "(4, 'd', null, {'zip': 'x', 'unknown': 5})"):
        refused = run_tarn("sql", f"insert into db.t values {values}", "--lake", lake)
        assert refused.returncode != 0 and "is void: it holds nothing but NULL" in refused.stderr, refused
    sql(lake, "update db.t set name = 'z', place = {'zip': 'y', 'unknown': null} where id = 3")
    sql(lake, "delete from db.t where id = 2")
    sql(
        lake,
        "merge into db.t using (select unnest([3, 5]) as key) s on id = key "
        "when matched then update set name = 'm' when not matched then insert (id) values (key)",
    )
    assert run_tarn("table", "optimize", "db.t", "--lake", lake).returncode == 0
    assert run_tarn("table", "fsck", "db.t", "--check-data", "--lake", lake).returncode == 0
    expected = [
        {"id": 1, "name": "a", "nothing": None, "place": {"zip": "x", "unknown": None}},
        {"id": 3, "name": "m", "nothing": None, "place": {"zip": "y", "unknown": None}},
        {"id": 5, "name": None, "nothing": None, "place": None},
    ]
    assert rows(lake, "from db.t order by id", tmp_path / "ours.parquet").to_pylist() == expected
    theirs = deltalake.DeltaTable(str(lake / "db" / "t")).to_pyarrow_table().sort_by("id").to_pylist()
    assert theirs == expected
