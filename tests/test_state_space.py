"""Tables of every pair of log shape, features, partitioning and point in time: written by us, read back by others.

TARN_TEST_FULL=1 takes every combination instead of every pair.
"""

import datetime
import itertools
import json
import os
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import deltalake
import polars
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from conftest import run_tarn
from dev_tasks import parts

COLUMNS = ["id", "name", "v", "day", "moment", "k"]

# Table properties, and the features among them that readers have to know.
FEATURES: dict[str, tuple[dict[str, str], set[str]]] = {
    "plain": ({}, set()),
    "vectors": ({"delta.enableDeletionVectors": "true"}, {"deletionVectors"}),
    "mapped by name": ({"delta.columnMapping.mode": "name"}, {"columnMapping"}),
    "mapped by id": ({"delta.columnMapping.mode": "id"}, {"columnMapping"}),
    "commit times": ({"delta.enableInCommitTimestamps": "true"}, set()),
    "append only": ({"delta.appendOnly": "true"}, set()),
    "all": (
        {
            "delta.enableDeletionVectors": "true",
            "delta.columnMapping.mode": "name",
            "delta.enableInCommitTimestamps": "true",
        },
        {"deletionVectors", "columnMapping"},
    ),
}

# Properties, whether a checkpoint is written in the middle, and whether the commits up to it are deleted.
SHAPES: dict[str, tuple[dict[str, str], bool, bool]] = {
    "commits": ({}, False, False),
    "checkpoint": ({}, True, False),
    "checkpoint alone": ({}, True, True),
    "statistics as columns": (
        {"delta.checkpoint.writeStatsAsStruct": "true", "delta.checkpoint.writeStatsAsJson": "false"},
        True,
        True,
    ),
    "v2 checkpoint": ({"delta.checkpointPolicy": "v2"}, True, False),
    "v2 checkpoint alone": ({"delta.checkpointPolicy": "v2"}, True, True),
}

PARTITIONINGS: dict[str, list[str]] = {
    "none": [],
    "text": ["name"],
    "day": ["day"],
    "instant": ["moment"],
    "two": ["k", "day"],
}

TARGETS = ["newest", "version", "time"]

# What each reader is known to read; it has to give the rows then. What it is not known to read it may refuse, but never
# read wrongly.
READERS: dict[str, set[str]] = {
    "deltalake": {"deletionVectors", "columnMapping", "v2Checkpoint"},
    "polars": {"deletionVectors"},
    "chDB": {"deletionVectors", "columnMapping", "v2Checkpoint"},
}

DIMENSIONS = [list(SHAPES), list(FEATURES), list(PARTITIONINGS), TARGETS]


def pairwise(dimensions: list[list[str]]) -> list[tuple[str, ...]]:
    """Few combinations in which every two values of two dimensions come together: greedily, the same each time."""
    places = list(itertools.combinations(range(len(dimensions)), 2))
    missing = {(a, b, x, y) for a, b in places for x in dimensions[a] for y in dimensions[b]}
    everything = list(itertools.product(*dimensions))

    def covered(row: tuple[str, ...]) -> set:
        return {(a, b, row[a], row[b]) for a, b in places} & missing

    chosen = []
    while missing:
        best = max(everything, key=lambda row: len(covered(row)))
        missing -= covered(best)
        chosen.append(best)
    return chosen


ROWS = list(itertools.product(*DIMENSIONS)) if os.environ.get("TARN_TEST_FULL") else pairwise(DIMENSIONS)


def row_of(number: int) -> tuple:
    """Odd values among plain ones: texts that paths have to escape, nulls, microseconds before 1970."""
    names = ["plain", "a b/c%ü", None, "x=y", "'quoted'"]
    days = [None, *(datetime.date(2026, 1, 1 + i) for i in range(4))]
    instants = [
        datetime.datetime(1969, 12, 31, 23, 59, 59, 999999, datetime.UTC),
        datetime.datetime(2026, 3, 29, 1, 30, tzinfo=datetime.UTC),
        None,
    ]
    return (
        number,
        names[number % 5],
        None if number % 11 == 0 else number / 7,
        days[number % 4],
        instants[number % 3],
        number % 3 - 1,
    )


def literal(value: object) -> str:
    if value is None:
        return "null"
    if isinstance(value, datetime.datetime):
        return f"timestamptz '{value.isoformat()}'"
    if isinstance(value, datetime.date):
        return f"date '{value}'"
    if isinstance(value, str):
        return "'" + value.replace("'", "''") + "'"
    return repr(value)


@dataclass
class Table:
    """One combination: its folder, and the rows that it had at each version."""

    row: tuple[str, ...]
    lake: Path
    versions: dict[int, set[tuple]] = field(default_factory=dict)
    first_readable: int = 0

    @property
    def path(self) -> Path:
        return self.lake / "db" / "t"

    def run(self, *words: str) -> str:
        done = run_tarn(*words, "--lake", str(self.lake))
        assert done.returncode == 0, (self.row, words, done.stderr)
        return done.stdout

    def version(self) -> int:
        return max(int(file.stem) for file in (self.path / "_delta_log").glob("*.json") if file.stem.isdigit())

    def step(self, sql: str, rows: set[tuple]) -> None:
        self.run("sql", sql)
        self.versions[self.version()] = rows

    def make(self) -> None:
        shape, features, partitioning, _ = self.row
        properties = {**FEATURES[features][0], **SHAPES[shape][0]}
        types = "id bigint, name varchar, v double, day date, moment timestamptz, k integer"
        by = PARTITIONINGS[partitioning]
        self.step(
            f"create table db.t ({types})"
            + (f" partitioned by ({', '.join(by)})" if by else "")
            + (" with (" + ", ".join(f"'{k}' = '{v}'" for k, v in properties.items()) + ")" if properties else ""),
            set(),
        )
        rows: set[tuple] = set()
        for first in (0, 20):
            rows = rows | {row_of(number) for number in range(first, first + 20)}
            self.insert(range(first, first + 20), rows)
        if features != "append only":
            rows = {(r[0], "new", *r[2:]) if r[0] % 7 == 3 else r for r in rows}
            self.step("update db.t set name = 'new' where id % 7 = 3", rows)
            rows = {r for r in rows if r[0] % 5 != 1}
            self.step("delete from db.t where id % 5 = 1", rows)
        if SHAPES[shape][1]:
            self.run("table", "checkpoint", "db.t")
            self.first_readable = self.version() if SHAPES[shape][2] else 0
        rows = rows | {row_of(number) for number in range(40, 50)}
        self.insert(range(40, 50), rows)
        self.run("table", "optimize", "db.t")
        self.versions[self.version()] = rows
        if self.first_readable > 0:
            for file in (self.path / "_delta_log").iterdir():
                if file.name[:20].isdigit() and int(file.name[:20]) < self.first_readable:
                    file.unlink()

    def insert(self, numbers: range, rows: set[tuple]) -> None:
        values = ", ".join("(" + ", ".join(literal(value) for value in row_of(n)) + ")" for n in numbers)
        self.step(f"insert into db.t values {values}", rows)

    def target(self) -> int:
        """The version to read: the newest, or the first that can be read and has seen a change."""
        if self.row[3] == "newest":
            return max(self.versions)
        return min(version for version in self.versions if version >= max(self.first_readable, 2))

    def time(self) -> datetime.datetime:
        commits = json.loads(self.run("table", "history", "db.t", "--json"))["commits"]
        (text,) = [commit["timestamp"] for commit in commits if commit["version"] == self.target()]
        return datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))

    def needs(self) -> set[str]:
        v2 = {"v2Checkpoint"} if "v2" in self.row[0] else set()
        return FEATURES[self.row[1]][1] | v2

    def expected(self) -> set[tuple]:
        return self.versions[self.target()]


def rows_of(table: pa.Table) -> list[tuple]:
    table = table.select(COLUMNS)
    place = table.schema.get_field_index("moment")
    table = table.set_column(place, "moment", table["moment"].cast(pa.timestamp("us", "UTC")))
    return [tuple(row[name] for name in COLUMNS) for row in table.to_pylist()]


def check(rows: list[tuple], table: Table, reader: str) -> None:
    assert len(rows) == len(set(rows)) and set(rows) == table.expected(), f"{reader} reads {table.row} otherwise"


@pytest.fixture(scope="module")
def tables(tmp_path_factory) -> list[Table]:
    made = []
    for number, row in enumerate(ROWS):
        table = Table(row, tmp_path_factory.mktemp(f"space{number}"))
        table.make()
        made.append(table)
    return made


def test_every_pair_is_there():
    for (a, left), (b, right) in itertools.combinations(enumerate(DIMENSIONS), 2):
        pairs = {(row[a], row[b]) for row in ROWS}
        assert pairs == set(itertools.product(left, right))
    assert len(ROWS) <= 80 or os.environ.get("TARN_TEST_FULL")


def test_we_read_them(tables, tmp_path):
    for table in tables:
        at = {
            "newest": "",
            "version": f" at (version => {table.target()})",
            "time": f" at (timestamp => timestamptz '{table.time().isoformat()}')",
        }[table.row[3]]
        out = tmp_path / "out.parquet"
        table.run("sql", "-o", "parquet", "--output-file", str(out), f"select * from db.t{at}")
        check(rows_of(pq.read_table(out)), table, "tarn")
        done = run_tarn("table", "fsck", str(table.path), "--check-data", "--json")
        assert done.returncode == 0 and json.loads(done.stdout)["errors"] == 0, (table.row, done.stdout)


def test_spark_reads_them(tables, tmp_path):
    requests = []
    for number, table in enumerate(tables):
        request = {"table": str(table.path), "version": None, "out": str(tmp_path / f"out-{number}")}
        if table.row[3] == "version":
            request["version"] = table.target()
        elif table.row[3] == "time":
            request["timestamp"] = table.time().strftime("%Y-%m-%d %H:%M:%S.%f")
        requests.append(request)
    python, jars = parts.spark()
    (tmp_path / "requests.json").write_text(json.dumps(requests))
    script = Path(__file__).with_name("spark_reader.py")
    done = subprocess.run([python, script, jars, tmp_path / "requests.json"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-4000:]
    for number, table in enumerate(tables):
        check(rows_of(pq.read_table(tmp_path / f"out-{number}")), table, "Spark")


def read_with_deltalake(table: Table) -> pa.Table:
    opened = deltalake.DeltaTable(table.path)
    if table.row[3] == "version":
        opened = deltalake.DeltaTable(table.path, version=table.target())
    elif table.row[3] == "time":
        opened.load_as_version(table.time())
    query = deltalake.QueryBuilder().register("t", opened).execute("select * from t")
    return pa.table(query.read_all())


def read_with_polars(table: Table) -> pa.Table:
    point = {"newest": None, "version": table.target(), "time": None}[table.row[3]]
    if table.row[3] == "time":
        point = table.time()
    return polars.read_delta(str(table.path), version=point).to_arrow()


def run_chdb(tables: list[Table], folder: Path) -> Callable[[Table], pa.Table]:
    """It knows versions, but not the times that they were written at."""
    outs = {id(table): folder / str(number) for number, table in enumerate(tables)}
    requests = [
        {
            "table": str(table.path),
            "version": None if table.row[3] == "newest" else table.target(),
            "out": str(outs[id(table)]),
        }
        for table in tables
    ]
    (folder / "requests.json").write_text(json.dumps(requests))
    script = Path(__file__).with_name("chdb_reader.py")
    done = subprocess.run(
        [parts.chdb(), script, folder / "requests.json"], cwd=folder.anchor, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-4000:]

    def read(table: Table) -> pa.Table:
        answer = outs[id(table)].read_bytes()
        if not answer.startswith(b"PAR1"):
            raise ValueError(answer.decode())
        return pq.read_table(pa.BufferReader(answer))

    return read


@pytest.mark.parametrize("reader", READERS)
def test_others_read_what_they_know(tables, reader, tmp_path):
    read = {"deltalake": read_with_deltalake, "polars": read_with_polars}.get(reader) or run_chdb(tables, tmp_path)
    refused = []
    for table in tables:
        try:
            rows = rows_of(read(table))
        except Exception as error:
            unknown = table.needs() - READERS[reader]
            assert unknown, f"{reader} refuses {table.row}, whose features it knows: {error}"
            refused.append((table.row, sorted(unknown)))
            continue
        check(rows, table, reader)
    print(f"{reader} read {len(tables) - len(refused)} of {len(tables)}; it refused {refused}")
