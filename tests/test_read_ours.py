"""Every table we write is read back identically by independent Delta readers, at each version and from the checkpoint alone."""

import json
import subprocess
from pathlib import Path

import deltalake
import polars
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from conftest import run_tarn
from dev_tasks import parts
from rows import assert_same_rows, multiset

LINES = [
    'mix,host=a f=1.5,i=1i,s="x",b=true 1700000000000000000',
    "mix,host=b f=-0.0,i=-9223372036854775808i 1700000000000000001",
    'mix,host=c,zone=eu\\ west u=18446744073709551615u,s="ünï \\"q\\"" 1700090000000000000',
    "mix f=1e300,new=7i -86400000000000",
    'mix,host=a s="",b=false 9214646400000000000',
]


@pytest.fixture(scope="module")
def lake(tmp_path_factory):
    """A table with several versions: evolution, several partitions, compaction."""
    from conftest import Server

    folder = tmp_path_factory.mktemp("ours") / "lake"
    server = Server(folder, env={"TARN_FLUSH_MAX_AGE": "10ms", "TARN_COMPACTION_INTERVAL": "0s"}).start()
    table = folder / "b" / "mix"
    for line in LINES:
        before = _versions(table)
        assert server.write("b", line + "\n").status == 204
        _wait_for(lambda before=before: _versions(table) > before)
    assert server.stop() == 0
    assert run_tarn("table", "optimize", "b.mix", "--lake", folder).returncode == 0
    return folder


def _versions(table: Path) -> int:
    return len(list((table / "_delta_log").glob("*.json")))


def _wait_for(condition) -> None:
    import threading

    pause = threading.Event()
    for _ in range(500):
        if condition():
            return
        pause.wait(0.02)
    raise AssertionError("it did not happen within 10 s")


def ours(lake: Path, out: Path, version: int | None = None) -> pa.Table:
    at = "" if version is None else f" at (version => {version})"
    done = run_tarn("sql", "--lake", lake, "-o", "parquet", "--output-file", out, f"select * from b.mix{at}")
    assert done.returncode == 0, done.stderr
    return pq.read_table(out)


def test_deltalake_reads_every_version(lake, tmp_path):
    path = str(lake / "b" / "mix")
    last = deltalake.DeltaTable(path).version()
    assert last >= len(LINES) - 1
    for version in range(last + 1):
        theirs = deltalake.DeltaTable(path, version=version).to_pyarrow_table()
        assert_same_rows(ours(lake, tmp_path / "o.parquet", version), theirs)


def test_polars_reads_it(lake, tmp_path):
    theirs = polars.read_delta(str(lake / "b" / "mix")).to_arrow()
    assert_same_rows(ours(lake, tmp_path / "o.parquet"), theirs)


def test_lowest_protocol_and_types(lake):
    table = deltalake.DeltaTable(str(lake / "b" / "mix"))
    protocol = table.protocol()
    assert (protocol.min_reader_version, protocol.min_writer_version) == (1, 2)
    assert not protocol.reader_features and not protocol.writer_features
    assert table.metadata().partition_columns == ["time_date"]


def _ask_for_v2_checkpoints(log: Path, version: int) -> None:
    """Commits what another writer would to give the table the feature, its property, and statistics in columns alone."""
    first = [json.loads(line) for line in (log / f"{0:020}.json").read_text().splitlines()]
    metadata = next(action for action in first if "metaData" in action)
    metadata["metaData"]["configuration"] |= {
        "delta.checkpointPolicy": "v2",
        "delta.checkpoint.writeStatsAsStruct": "true",
        "delta.checkpoint.writeStatsAsJson": "false",
    }
    features = ["v2Checkpoint"]
    protocol = {
        "minReaderVersion": 3,
        "minWriterVersion": 7,
        "readerFeatures": features,
        "writerFeatures": [*features, "appendOnly", "invariants"],
    }
    commit = "\n".join(json.dumps(action) for action in ({"protocol": protocol}, metadata)) + "\n"
    with (log / f"{version:020}.json").open("x") as out:
        out.write(commit)


@pytest.mark.parametrize("kind", ["classic", "v2"])
def test_the_checkpoint_alone_is_enough(make_server, tmp_path, kind):
    """A hundred commits make a checkpoint; with the older JSON gone it is all that readers have."""
    server = make_server(env={"TARN_FLUSH_MAX_AGE": "5ms", "TARN_COMPACTION_INTERVAL": "0s"})
    table = server.lake / "b" / "m"
    log = table / "_delta_log"
    for n in range(130):
        before = _versions(table)
        assert server.write("b", f'm,host=h{n % 3} v={n}i,s="x{n}" {1_700_000_000 + n * 3600}000000000\n').status == 204
        _wait_for(lambda before=before: _versions(table) > before)
        if n == 0 and kind == "v2":
            _ask_for_v2_checkpoints(log, _versions(table))
    checkpoint = "*.checkpoint.parquet" if kind == "classic" else "*.checkpoint.*-*.parquet"
    _wait_for(lambda: list(log.glob(checkpoint)))
    assert server.stop() == 0
    assert (log / "_sidecars").exists() == (kind == "v2")
    newest = int(max(log.glob(checkpoint)).name[:20])
    assert newest >= 99
    for path in log.glob("*.json"):
        if int(path.name[:20]) <= newest:
            path.unlink()
    out = tmp_path / "c.parquet"
    done = run_tarn("sql", "-t", f"t={table}", "-o", "parquet", "--output-file", out, "select * from t")
    assert done.returncode == 0, done.stderr
    ours = multiset(pq.read_table(out))
    assert len(ours) == 130
    theirs = deltalake.QueryBuilder().register("t", deltalake.DeltaTable(str(table))).execute("select * from t")
    assert multiset(pa.table(theirs)) == ours
    # polars, as deltalake's way to pyarrow, does not know the feature v2Checkpoint.
    if kind == "classic":
        assert multiset(deltalake.DeltaTable(str(table)).to_pyarrow_table()) == ours
        assert multiset(polars.read_delta(str(table)).to_arrow()) == ours
    python, jars = parts.spark()
    requests = [{"table": str(table), "version": None, "out": str(tmp_path / "spark")}]
    (tmp_path / "requests.json").write_text(json.dumps(requests))
    script = Path(__file__).with_name("spark_reader.py")
    done = subprocess.run(
        [python, script, jars, tmp_path / "requests.json"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert multiset(pq.read_table(tmp_path / "spark")) == ours


def test_spark_reads_every_version(lake, tmp_path):
    python, jars = parts.spark()
    last = deltalake.DeltaTable(str(lake / "b" / "mix")).version()
    requests = [
        {"table": str(lake / "b" / "mix"), "version": version, "out": str(tmp_path / f"spark-{version}")}
        for version in range(last + 1)
    ]
    (tmp_path / "requests.json").write_text(json.dumps(requests))
    script = Path(__file__).with_name("spark_reader.py")
    done = subprocess.run(
        [python, script, jars, tmp_path / "requests.json"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    for request in requests:
        theirs = pq.read_table(request["out"])
        assert_same_rows(ours(lake, tmp_path / "o.parquet", request["version"]), theirs)
