"""ALTER TABLE by SQL and by `tarn table alter`, read back by Spark and deltalake; a live server notices."""

import json
import threading

import deltalake
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from conftest import run_tarn
from rows import assert_same_rows
from test_sql_writes import read_by_spark, rows, sql


def alter(table, *options, refused: int = 0) -> dict:
    done = run_tarn("table", "alter", table, "--json", *options)
    assert done.returncode == refused, done.stderr
    return json.loads(done.stdout) if not refused else {"error": done.stderr}


def fsck(table) -> None:
    assert json.loads(run_tarn("table", "fsck", table, "--check-data", "--json").stdout)["errors"] == 0


STEPS = [
    "create table db.t (id bigint not null, name varchar, place struct(city varchar, zip int), day date) partitioned by (day)",
    "insert into db.t select i, 'n' || i, {'city': 'c' || i, 'zip': i}, date '2026-01-01' + (i % 2)::int from range(10) r(i)",
    "alter table db.t set ('delta.columnMapping.mode' = 'name', owner = 'me')",
    "insert into db.t values (10, 'ten', {'city': 'x', 'zip': 0}, date '2026-01-01')",
    'alter table db.t rename column name to "the name; (full)"',
    "alter table db.t rename column place.zip to code",
    "alter table db.t rename column day to date",
    "alter table db.t add column place.street varchar",
    "alter table db.t add column name varchar",
    "insert into db.t (id, name, date) values (11, 'new', date '2026-01-03')",
    "alter table db.t drop column place.city",
    "alter table db.t drop column if exists nothing",
    "alter table db.t drop column id",
    "alter table db.t add column id int",
    "comment on table db.t is 'of a test'",
    "comment on column db.t.name is 'what''s new'",
    "alter table db.t reset (owner)",
    "update db.t set id = 5 where date = date '2026-01-01'",
    "delete from db.t where name = 'new'",
    'alter table db.t alter column "the name; (full)" set not null',
    'alter table db.t alter column "the name; (full)" drop not null',
]
OPERATIONS = [
    "CREATE TABLE", "WRITE", "SET TBLPROPERTIES", "WRITE", "RENAME COLUMN", "RENAME COLUMN", "RENAME COLUMN",
    "ADD COLUMNS", "ADD COLUMNS", "WRITE", "DROP COLUMNS", "DROP COLUMNS", "ADD COLUMNS", "SET TBLPROPERTIES",
    "CHANGE COLUMN", "UNSET TBLPROPERTIES", "UPDATE", "DELETE", "CHANGE COLUMN", "CHANGE COLUMN",
]  # fmt: skip


def test_others_read_every_version_of_an_altered_table(tmp_path):
    lake = tmp_path / "lake"
    table = lake / "db" / "t"
    (lake / "db").mkdir(parents=True)
    for step in STEPS:
        sql(lake, step)
    fsck(table)
    delta = deltalake.DeltaTable(table)
    history = sorted(delta.history(), key=lambda entry: entry["version"])
    assert [entry["operation"] for entry in history] == OPERATIONS
    assert (delta.protocol().min_reader_version, delta.protocol().min_writer_version) == (2, 5)
    assert delta.metadata().description == "of a test"
    assert delta.metadata().configuration["delta.columnMapping.maxColumnId"] == "9"
    versions = range(len(OPERATIONS))
    expected = [rows(lake, f"from db.t at (version => {version})", tmp_path / "ours.parquet") for version in versions]
    assert expected[-1].schema.names == ["the name; (full)", "place", "date", "name", "id"]
    assert expected[1].schema.names == ["id", "name", "place", "day"]
    requests = [{"table": str(table), "version": v, "out": str(tmp_path / f"spark-{v}")} for v in versions]
    # Spark's Parquet writer does not take such a name outside of a table of its own.
    read_by_spark(tmp_path, [request for request in requests if request["version"] < 4])
    for version in range(4):
        assert_same_rows(pq.read_table(tmp_path / f"spark-{version}"), expected[version])
    engine = deltalake.QueryBuilder().register("t", delta)
    read = pa.table(engine.execute('select "the name; (full)" as n, id from t order by n').read_all()).to_pylist()
    ours = json.loads(run_tarn("sql", "--lake", lake, "-o", "json",
                               'select "the name; (full)" as n, id from db.t order by n').stdout)  # fmt: skip
    assert read == ours
    assert len(ours) == 11


def test_the_command_line_alters_any_table(tmp_path):
    lake = tmp_path / "lake"
    table = f"{lake}/db/t"
    (lake / "db").mkdir(parents=True)
    sql(lake, "create table db.t as select i::bigint as id, 'n' || i as name from range(5) r(i)")
    error = alter(table, "--rename-column", "name=title", refused=6)["error"]
    assert "delta.columnMapping.mode = name" in error
    would = alter(table, "--set", "delta.columnMapping.mode=name", "--dry-run")
    assert (would["dry_run"], would["version"], would["min_writer_version"]) == (True, 0, 5)
    done = alter(table, "--set", "delta.columnMapping.mode=name")
    assert (done["changed"], done["version"], done["reader_features"]) == (True, 1, ["columnMapping"])
    assert alter(table, "--set", "delta.columnMapping.mode=name")["changed"] is False
    alter(table, "--rename-column", "name=title")
    alter(table, "--add-column", "price=decimal(10,2)", "--add-column", "kind=string", "--after", "id")
    described = json.loads(run_tarn("table", "describe", "db.t", "--lake", lake, "--json").stdout)
    assert [column["name"] for column in described["columns"]] == ["id", "price", "kind", "title"]
    alter(table, "--move-column", "title", "--first")
    alter(table, "--comment-column", "title=what it is")
    alter(table, "--comment", "made by a test")
    alter(table, "--not-null", "id")
    assert "null in a row" in alter(table, "--not-null", "price", refused=2)["error"]
    alter(table, "--nullable", "id")
    alter(table, "--drop-column", "price", "--drop-column", "kind")
    alter(table, "--set", "delta.enableDeletionVectors=true", "--set", "owner=me")
    alter(table, "--unset", "owner")
    alter(table, "--set", "delta.feature.domainMetadata=supported")
    assert "one kind of change" in alter(table, "--unset", "a", "--comment", "b", refused=2)["error"]
    fsck(table)
    described = json.loads(run_tarn("table", "describe", "db.t", "--lake", lake, "--json").stdout)
    assert [column["name"] for column in described["columns"]] == ["title", "id"]
    assert described["maps_columns"] is True
    assert described["reader_features"] == ["columnMapping", "deletionVectors"]
    assert described["properties"]["delta.enableDeletionVectors"] == "true"
    alter(table, "--comment", "of a test")
    alter(table, "--comment-column", "title=what it is")
    described = json.loads(run_tarn("table", "describe", "db.t", "--lake", lake, "--json").stdout)
    assert (described["comment"], described["columns"][0]["comment"]) == ("of a test", "what it is")
    text = run_tarn("table", "describe", "db.t", "--lake", lake).stdout
    assert "what it is" in text
    assert "readers must know columnMapping, deletionVectors" in text
    assert json.loads(run_tarn("sql", "--lake", lake, "-o", "json", "select count(title) n from db.t").stdout) == [
        {"n": 5}
    ]


def test_spark_goes_on_where_we_renamed(tmp_path):
    lake = tmp_path / "lake"
    table = lake / "db" / "t"
    (lake / "db").mkdir(parents=True)
    for step in (
        "create table db.t (id bigint, name varchar) with ('delta.columnMapping.mode' = 'name')",
        "insert into db.t values (1, 'a')",
        "alter table db.t rename column name to title",
        "alter table db.t add column name varchar",
        "insert into db.t values (2, 'b', 'c')",
        "alter table db.t drop column id",
    ):
        sql(lake, step)
    read_by_spark(
        tmp_path, [{"table": str(table), "version": v, "out": str(tmp_path / f"spark-{v}")} for v in range(6)]
    )
    for version in range(6):
        wanted = rows(lake, f"from db.t at (version => {version})", tmp_path / "ours.parquet")
        assert_same_rows(pq.read_table(tmp_path / f"spark-{version}"), wanted)


def stored_table(make_server, lake, line: str):
    """A table of one row, in Delta, without a server."""
    server = make_server(lake=lake)
    assert server.write("db", line + "\n").status == 204
    assert server.stop() == 0
    return lake / "db" / "t"


def test_rows_that_lack_what_must_not_be_null_are_set_aside_alone(make_server, tmp_path):
    lake = tmp_path / "lake"
    table = stored_table(make_server, lake, "t,k=a v=1 1")
    server = make_server(lake=lake, env={"TARN_FLUSH_MAX_AGE": "1h"})
    assert server.value("select count(*) from db.t") == 1
    alter(table, "--not-null", "k")
    assert server.write("db", "t,k=b v=2 2\nt v=3 3\nt,k=c v=4 4\n").status == 204
    assert server.write("db", "t,k=d v=5 5\n").status == 204
    assert server.stop() == 0
    kept = rows(lake, "select k, v from db.t order by k", tmp_path / "rows.parquet")
    assert kept.to_pydict() == {"k": ["a", "b", "c", "d"], "v": [1.0, 2.0, 4.0, 5.0]}
    (listed,) = json.loads(run_tarn("table", "list", "--lake", lake, "--json").stdout)["tables"]
    assert listed["rejected_rows"] == 1
    server = make_server(lake=lake)
    refused = server.write("db", "t,k=e v=6 6\nt v=7 7\n")
    assert refused.status == 400 and b"line 2" in refused.body, refused
    assert server.value("select count(*) from db.t") == 5


@pytest.mark.parametrize("name", ["delta.appendOnly", "delta.enableDeletionVectors", "appendonly"])
def test_a_property_without_quotes_is_refused(tmp_path, name):
    lake = tmp_path / "lake"
    (lake / "db").mkdir(parents=True)
    meant = "'delta.enableDeletionVectors'" if "Vectors" in name else "'delta.appendOnly'"
    create = run_tarn("sql", "--lake", lake, f"create table db.t (id bigint) with ({name} = 'true')")
    assert create.returncode == 2 and meant in create.stderr, create
    sql(lake, "create table db.t (id bigint) with (owner = 'me')")
    change = run_tarn("sql", "--lake", lake, f"alter table db.t set ({name} = 'true')")
    assert change.returncode == 2 and meant in change.stderr, change
    described = json.loads(run_tarn("table", "describe", "db.t", "--lake", lake, "--json").stdout)
    assert described["properties"] == {"owner": "me"} and described["version"] == 0


def test_a_live_server_learns_of_a_constraint_without_a_query(make_server, tmp_path):
    lake = tmp_path / "lake"
    table = stored_table(make_server, lake, "t,k=a v=1 1")
    server = make_server(lake=lake, env={"TARN_FLUSH_MAX_AGE": "1h", "TARN_COMPACTION_INTERVAL": "0s"})
    assert server.write("db", "t,k=b v=2 2\n").status == 204
    alter(table, "--add-constraint", "positive=v > 0")
    pause = threading.Event()
    # It looks at a table again when its last look is a second old.
    for _ in range(200):
        refused = server.write("db", "t,k=c v=-3 3\n")
        if refused.status == 400:
            break
        pause.wait(0.05)
    assert b"positive" in refused.body, refused
    alter(table, "--drop-constraint", "positive")
    assert server.write("db", "t,k=c v=-3 3\n").status == 204


def test_rows_of_another_table_that_cannot_be_flushed_are_a_note(make_server, tmp_path):
    lake = tmp_path / "lake"
    stored_table(make_server, lake, "good v=1 1")
    stored_table(make_server, lake, "bad v=1 1")
    server = make_server(lake=lake, env={"TARN_FLUSH_MAX_AGE": "1h"})
    assert server.write("db", "bad v=2 2\n").status == 204
    server.kill()
    (lake / "db" / "bad" / "_delta_log" / f"{1:020d}.json").write_text("{broken\n")
    (tmp_path / "more.lp").write_text("good v=2 2\n")
    written = run_tarn("write", "--lake", lake, tmp_path / "more.lp", "--to", "db")
    assert written.returncode == 0 and "note: rows stay" in written.stderr and "db.bad" in written.stderr, written
    optimized = run_tarn("table", "optimize", "db.good", "--lake", lake)
    assert optimized.returncode == 0 and "db.bad" in optimized.stderr, optimized
    assert rows(lake, "select v from db.good order by v", tmp_path / "rows.parquet").to_pydict() == {"v": [1.0, 2.0]}


@pytest.mark.parametrize("change", [("--drop-column", "w"), ("--rename-column", "w=watts")])
def test_an_old_name_that_is_sent_again_is_a_new_column(make_server, tmp_path, change):
    lake = tmp_path / "lake"
    table = stored_table(make_server, lake, "t,k=a v=1i,w=111i 1")
    alter(table, "--set", "delta.columnMapping.mode=name")
    alter(table, *change)
    old = [] if "--drop-column" in change else [111, None]
    server = make_server(lake=lake, env={"TARN_FLUSH_MAX_AGE": "1h"})
    assert server.write("db", "t,k=b v=2i,w=222i 2\n").status == 204
    for _ in range(2):
        assert server.sql("select v, w from db.t order by v") == [{"v": 1, "w": None}, {"v": 2, "w": 222}]
        assert server.sql("select v from db.t where w = 111") == []
        everything = server.sql("select * from db.t order by v")
        assert [row["w"] for row in everything] == [None, 222]
        if old:
            assert [row["watts"] for row in everything] == old
        # Once more from what the flush made of it.
        assert server.stop() == 0
        server = make_server(lake=lake)
    server.stop()
    fsck(table)


def test_a_live_server_notices(make_server, tmp_path):
    server = make_server("--query-writes", "true", env={"TARN_FLUSH_MAX_AGE": "50ms"})
    assert server.write("db", "t,k=a v=1i 1\n").status == 204
    assert server.write("db", "t,k=b v=2i 2\n").status == 204
    table = f"{tmp_path}/lake/db/t"
    # A statement commits what is buffered, so that there is a table to alter.
    assert server.sql("alter table db.t set (owner = 'me')") == []
    alter(table, "--set", "delta.columnMapping.mode=name")
    alter(table, "--rename-column", "v=value")
    assert server.sql("select k, value from db.t order by k") == [{"k": "a", "value": 1}, {"k": "b", "value": 2}]
    assert server.write("db", "t,k=c value=3i 3\n").status == 204
    assert server.sql("select value from db.t order by k") == [{"value": 1}, {"value": 2}, {"value": 3}]
    server.stop()
    fsck(table)


@pytest.mark.parametrize("first", ["", "t,k=z v=0i 1\n"])
def test_a_name_of_line_protocol_switches_mapping_on(make_server, tmp_path, first):
    server = make_server(env={"TARN_FLUSH_MAX_AGE": "1h"})
    if first:
        assert server.write("db", first).status == 204
        server.stop()
        server = make_server(env={"TARN_FLUSH_MAX_AGE": "1h"})
    assert server.write("db", "t,k=a room\\ temp=1.5,a\\=b=2i 2\n").status == 204
    query = 'select k, "room temp" as temp, "a=b" as ab from db.t where k = \'a\''
    expected = [{"k": "a", "temp": 1.5, "ab": 2}]
    assert server.sql(query) == expected
    server.stop()
    assert any("needs column mapping" in line for line in server.log)
    table = tmp_path / "lake" / "db" / "t"
    fsck(table)
    delta = deltalake.DeltaTable(table)
    assert (delta.protocol().min_reader_version, delta.protocol().min_writer_version) == (2, 5)
    engine = deltalake.QueryBuilder().register("t", delta)
    read = engine.execute(query.replace("db.t", "t")).read_all()
    assert pa.table(read).to_pylist() == expected
    assert (
        "readers must know columnMapping" in run_tarn("table", "describe", "db.t", "--lake", tmp_path / "lake").stdout
    )
    assert make_server().sql(query) == expected


def test_constraints_are_added_kept_and_dropped(tmp_path):
    lake = tmp_path / "lake"

    def ask(statement):
        return run_tarn("sql", "--lake", lake, statement)

    def change(*options):
        return run_tarn("table", "alter", "db.t", "--lake", lake, *options)

    assert ask("create table db.t (v bigint, s varchar)").returncode == 0
    assert ask("insert into db.t values (1, 'a'), (2, 'b')").returncode == 0
    refused = change("--add-constraint", "small=v < 2")
    assert "the CHECK constraint small (v < 2) is violated by a row with v = 2" in refused.stderr
    assert "not understood at position 3" in change("--add-constraint", "odd=s rlike 'a'").stderr
    assert "writer 3" in change("--add-constraint", "positive=v > 0 AND s <> 'x'").stdout
    for statement in (
        "insert into db.t values (-1, 'a')",
        "insert into db.t values (1, null)",
        "update db.t set v = 0",
    ):
        done = ask(statement)
        assert done.returncode != 0
        assert "db.t: the CHECK constraint positive (v > 0 AND s <> 'x') is violated by a row with" in done.stderr
    lines = tmp_path / "in.lp"
    lines.write_text('t v=3i,s="c" 1\nt v=-3i,s="d" 2\n')
    done = run_tarn("write", lines, "--lake", lake, "--to", "db")
    assert f"{lines}:2: the CHECK constraint positive" in done.stderr
    assert "positive = v > 0" in run_tarn("table", "describe", "db.t", "--lake", lake).stdout
    assert change("--drop-constraint", "positive").returncode == 0
    assert ask("insert into db.t (v, s) values (-1, 'a')").returncode == 0
    assert run_tarn("sql", "--lake", lake, "-o", "csv", "select sum(v) from db.t").stdout.split()[-1] == "5"


def test_changes_at_the_same_time_all_come(tmp_path):
    table = tmp_path / "t"
    deltalake.write_deltalake(table, pa.table({"id": [1, 2]}))
    changes = [("--set", f"k{i}={i}") for i in range(4)] + [("--add-column", f"c{i}=long") for i in range(4)]
    done = []
    threads = [
        threading.Thread(target=lambda change=change: done.append(run_tarn("table", "alter", table, *change)))
        for change in changes
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [one.stderr for one in done if one.returncode] == []
    found = deltalake.DeltaTable(table)
    assert found.version() == len(changes)
    assert found.metadata().configuration == {f"k{i}": str(i) for i in range(4)}
    assert sorted(field.name for field in found.schema().fields) == ["c0", "c1", "c2", "c3", "id"]


def test_the_time_of_ingested_rows_stays(tmp_path):
    lake, lines = tmp_path / "lake", tmp_path / "lines"
    lines.write_text("cpu v=1i 1\n")
    assert run_tarn("write", "--lake", lake, "--to", "b", lines).returncode == 0
    table = lake / "b" / "cpu"
    alter(table, "--set", "delta.columnMapping.mode=name")
    refused = run_tarn("table", "alter", "b.cpu", "--lake", lake, "--drop-column", "time")
    assert refused.returncode == 2 and "time stays" in refused.stderr, refused
    assert "time stays" in alter(table, "--rename-column", "TIME=at", refused=2)["error"]
    by_sql = run_tarn("sql", "--lake", lake, "alter table b.cpu drop column time")
    assert by_sql.returncode == 2 and "time stays" in by_sql.stderr, by_sql
    alter(table, "--drop-column", "v")
