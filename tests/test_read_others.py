"""Delta tables that others wrote give their rows, or are refused by the name of the feature."""

import re
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import deltalake
import pyarrow
import pyarrow.parquet as pq
import pytest
from conftest import ROOT, run_tarn
from rows import assert_same_rows

CORPUS = ROOT / "tests" / "fixtures" / "delta"

# The zone of the writer, where partition timestamps do not name it.
ZONES = {"data-reader-partition-values": ["--partition-timezone", "America/Los_Angeles"]}
GOLDEN_WITH_ROWS = 71


def read(table: Path, out: Path, *options: str):
    """(rows, error text): one of the two is None."""
    done = run_tarn("sql", "-t", f"t={table}", "-o", "parquet", "--output-file", out, "select * from t", *options)
    if done.returncode != 0:
        return None, done
    return pq.read_table(out), None


@pytest.mark.parametrize("name", sorted(path.name for path in CORPUS.iterdir()))
def test_our_corpus(name, tmp_path):
    rows, error = read(CORPUS / name / "table", tmp_path / "out.parquet")
    assert error is None, error
    assert_same_rows(rows, pq.read_table(CORPUS / name / "expected.parquet", coerce_int96_timestamp_unit="us"))


def golden_with_rows(shared, folder):
    """(name, table, expected rows) of every golden table that has any recorded."""
    for archive in sorted((shared / "fixtures" / "delta-golden").glob("*.tar.zst")):
        name = archive.name.removesuffix(".tar.zst")
        place = folder / name
        place.mkdir()
        subprocess.run(["tar", "--zstd", "-xf", archive, "-C", place], check=True, stderr=subprocess.DEVNULL)
        (table,) = [path for path in place.rglob("delta") if path.is_dir()] or [None]
        if table is not None and (table.parent / "expected").exists():
            yield name, table, pq.read_table(sorted((table.parent / "expected").glob("*.parquet")))


def test_golden_tables(shared, tmp_path):
    readable, wrong = [], {}
    for name, table, expected in golden_with_rows(shared, tmp_path):
        rows, error = read(table, tmp_path / f"{name}.parquet", *ZONES.get(name, []))
        if error is not None:
            wrong[name] = error.stderr
            continue
        try:
            assert_same_rows(rows, expected)
            readable.append(name)
        except AssertionError as difference:
            wrong[name] = str(difference)
    print(f"\nread identically ({len(readable)}): {', '.join(readable)}")
    assert not wrong, wrong
    assert len(readable) == GOLDEN_WITH_ROWS


def literal(value):
    """A SQL literal of the values that this test looks for; None for others."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return str(value)
    return "'" + value.replace("'", "''") + "'" if isinstance(value, str) else None


def test_filters_find_what_deletion_vectors_and_mappings_leave(shared, tmp_path):
    """Pushed down, a filter meets other names, other numbers of rows, and statistics from before rows were deleted."""
    tables = 0
    for name, table, expected in golden_with_rows(shared, tmp_path):
        if not re.search(r"dv|columnmapping|id-mode|name-mode", name):
            continue
        counts, wanted = ["(select count(*) from t) as c0"], [expected.num_rows]
        for column in expected.column_names:
            values = expected[column].to_pylist()
            for value in {value for value in values[:3] + values[-3:] if literal(value) is not None}:
                for operator, matches in (("=", lambda v, w: v == w), (">", lambda v, w: v > w)):
                    counts.append(
                        f'(select count(*) from t where "{column}" {operator} {literal(value)}) as c{len(counts)}'
                    )
                    wanted.append(sum(1 for other in values if other is not None and matches(other, value)))
        done = run_tarn("sql", "-t", f"t={table}", "-o", "csv", "select " + ", ".join(counts))
        assert done.returncode == 0, (name, done.stderr)
        assert [int(count) for count in done.stdout.splitlines()[1].split(",")] == wanted, (name, counts)
        tables += 1
    assert tables == 9


@pytest.mark.parametrize(
    ("condition", "ids"),
    [
        # The file from before holds the float 0.1, which as a double is greater than 0.1.
        ("f > 0.1", [1]),
        ("f = 0.1", [4]),
        ("f < -0.69", [2]),
        ("b = 1000", [4]),
        ("b >= 1", [1, 4]),
        ("s > 3000000000", [4]),
        ("i = 70000.0", [1]),
        ("i < 2", [2, 4]),
        ("d = 1.2500", [1]),
        ("d > 999999", [4]),
        ("day < timestamp '2020-02-29 00:00:00.000001'", [1, 2]),
        ("day = timestamp '2024-05-06 07:08:09.123456'", [4]),
        ("p = 7", [1, 2]),
        ("p = 70000", [4]),
        ("p is null", [3]),
        ("b is null", [3]),
    ],
)
def test_filters_on_widened_columns(condition, ids):
    table = CORPUS / "spark-type-widening" / "table"
    done = run_tarn("sql", "-t", f"t={table}", "-o", "csv", f"select id from t where {condition} order by id")
    assert done.returncode == 0, done.stderr
    assert [int(line) for line in done.stdout.split()[1:]] == ids


def test_partition_times_that_name_no_zone_are_of_the_one_that_is_said(tmp_path):
    noon = datetime(2021, 7, 1, 12, tzinfo=UTC)
    table = pyarrow.table(
        {"seen": pyarrow.array([noon], pyarrow.timestamp("us", "UTC")), "id": pyarrow.array([1], pyarrow.int64())}
    )
    deltalake.write_deltalake(str(tmp_path / "db" / "t"), table, partition_by=["seen"])
    sources = {"t": ["-t", f"t={tmp_path}/db/t"], "db.t": ["--lake", str(tmp_path)]}
    zone = "America/Los_Angeles"
    for name, source in sources.items():
        query = [*source, "-o", "csv", f"select seen from {name} where seen = '{{}}'"]

        def rows(at: str, *options: str, env: dict | None = None, query=query) -> str:
            done = run_tarn("sql", *query[:-1], query[-1].format(at), *options, env=env)
            assert done.returncode == 0, done.stderr
            return done.stdout.split("\n", 1)[1].strip()

        assert rows("2021-07-01 12:00:00+00").startswith("2021-07-01T12:00:00")
        assert rows("2021-07-01 19:00:00+00", "--partition-timezone", zone).startswith("2021-07-01T19:00:00")
        assert rows("2021-07-01 19:00:00+00", env={"TARN_PARTITION_TIMEZONE": zone}).startswith("2021-07-01T19:00:00")
        assert rows("2021-07-01 12:00:00+00", "--partition-timezone", zone) == ""
        refused = run_tarn("sql", *source, "select 1", "--partition-timezone", "America/Nowhere")
        assert refused.returncode == 2 and "--partition-timezone" in refused.stderr, refused
        assert "'America/Nowhere'" in refused.stderr, refused
