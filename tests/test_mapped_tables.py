"""Tables whose columns Spark mapped take lines, compaction and new columns like any other, and others read them back."""

import json
import shutil
import subprocess
from pathlib import Path

import deltalake
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from conftest import ROOT, run_tarn
from dev_tasks import parts

CORPUS = ROOT / "tests" / "fixtures" / "delta"
QUERY = "select id, title, extra from db.t order by id"
ROWS = [
    {"id": 1, "title": "a", "extra": None},
    {"id": 2, "title": "b", "extra": 1.5},
    {"id": 3, "title": "c", "extra": None},
]


@pytest.fixture
def mapped(make_server, tmp_path):
    table = tmp_path / "lake" / "db" / "t"
    shutil.copytree(CORPUS / "spark-column-mapping" / "table", table)
    server = make_server(env={"TARN_FLUSH_MAX_AGE": "1h"})
    assert server.write("db", "t,title=b id=2i,extra=1.5 1000000000\n").status == 204
    assert server.write("db", "t,title=c id=3i 2000000000\n").status == 204
    assert server.sql(QUERY) == ROWS, "buffered beside files with other names"
    server.stop()
    return table


def test_lines_and_new_columns_are_kept_under_names_of_their_own(mapped, make_server):
    metadata = deltalake.DeltaTable(str(mapped)).metadata()
    fields = {field.name: field.metadata for field in deltalake.DeltaTable(str(mapped)).schema().fields}
    assert fields["extra"]["delta.columnMapping.physicalName"].startswith("col-")
    ids = [int(of_field["delta.columnMapping.id"]) for of_field in fields.values()]
    assert len(set(ids)) == len(ids)
    assert int(metadata.configuration["delta.columnMapping.maxColumnId"]) == max(ids)
    rows = deltalake.QueryBuilder().register("t", deltalake.DeltaTable(str(mapped)))
    read = rows.execute("select id, title, extra from t order by id").read_all()
    assert pa.table(read).to_pylist() == ROWS
    assert make_server().sql(QUERY) == ROWS


def test_compaction_keeps_the_mapping(mapped):
    before = json.loads(run_tarn("sql", "--lake", mapped.parents[1], "-o", "json", QUERY).stdout)
    done = run_tarn("table", "optimize", "db.t", "--lake", mapped.parents[1])
    assert done.returncode == 0, done.stderr
    assert json.loads(run_tarn("sql", "--lake", mapped.parents[1], "-o", "json", QUERY).stdout) == before == ROWS


def test_spark_reads_them(mapped, tmp_path):
    python, jars = parts.spark()
    requests = [{"table": str(mapped), "version": None, "out": str(tmp_path / "spark")}]
    script = Path(__file__).with_name("spark_reader.py")
    (tmp_path / "requests.json").write_text(json.dumps(requests))
    done = subprocess.run(
        [python, script, jars, tmp_path / "requests.json"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    rows = pq.read_table(tmp_path / "spark").select(["id", "title", "extra"]).sort_by("id").to_pylist()
    assert rows == ROWS
