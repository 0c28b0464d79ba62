"""Tables in which we deleted and updated rows by deletion vectors are read identically by others, at each version."""

import json
import subprocess
from pathlib import Path

import deltalake
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from conftest import ROOT, run_tarn
from dev_tasks import parts
from rows import multiset


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """Appends, deletes, an update, a checkpoint, an overwritten partition and an optimize; version by version."""
    folder = tmp_path_factory.mktemp("dml") / "t"
    folder.mkdir()
    subprocess.run([ROOT / "build" / "release" / "src" / "tarn_dml_table", folder], check=True)
    return folder


def _ours(table: Path, out: Path, version: int) -> list:
    query = f"select * from t at (version => {version})"
    done = run_tarn("sql", "-t", f"t={table}", "-o", "parquet", "--output-file", out, query)
    assert done.returncode == 0, done.stderr
    return multiset(pq.read_table(out))


def _versions(table: Path) -> range:
    return range(len(list((table / "_delta_log").glob("*.json"))))


def _vectors(table: Path, version: int) -> int:
    """Vectors that a version's commit adds."""
    lines = (table / "_delta_log" / f"{version:020}.json").read_text().splitlines()
    return sum("deletionVector" in json.loads(line).get("add", {}) for line in lines)


def test_the_table_has_what_is_tested(table):
    assert sum(_vectors(table, version) for version in _versions(table)) >= 5
    assert list(table.glob("deletion_vector_*.bin"))
    assert list((table / "_delta_log").glob("*.checkpoint.parquet"))


def test_deltalake_reads_every_version(table, tmp_path):
    for version in _versions(table):
        theirs = deltalake.QueryBuilder().register("t", deltalake.DeltaTable(str(table), version=version))
        assert multiset(pa.table(theirs.execute("select * from t"))) == _ours(table, tmp_path / "o.parquet", version)


def test_spark_reads_every_version(table, tmp_path):
    python, jars = parts.spark()
    requests = [
        {"table": str(table), "version": version, "out": str(tmp_path / f"spark-{version}")}
        for version in _versions(table)
    ]
    (tmp_path / "requests.json").write_text(json.dumps(requests))
    script = Path(__file__).with_name("spark_reader.py")
    done = subprocess.run(
        [python, script, jars, tmp_path / "requests.json"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    for request in requests:
        theirs = multiset(pq.read_table(request["out"]))
        assert theirs == _ours(table, tmp_path / "o.parquet", request["version"])
