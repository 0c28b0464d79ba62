"""Files are skipped only where none of their rows match: random conditions over tables of several writers select the same
rows where files may be skipped (WHERE) and where they may not (FILTER)."""

import json
import random
import re
import subprocess
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import deltalake
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from conftest import ROOT, run_tarn

CORPUS = ROOT / "tests" / "fixtures" / "delta"
SPARK_GOLDEN = (
    "data-skipping-basic-stats-all-types",
    "data-skipping-basic-stats-all-types-checkpoint",
    "data-skipping-change-stats-collected-across-versions",
    "data-skipping-partition-and-data-column",
)
CONDITIONS = 120
AT_ONCE = 24

# What writers cut, round or leave out of statistics, and the values right beside it.
LONG = "x" * 31
TEXTS = [
    "", "a", "b", LONG, LONG + "x", LONG + "xy", LONG + "xz", LONG + "x\U0010ffff", LONG + "x\ud7ffz", LONG + "é",
    "ü" * 31, "ü" * 32 + "a", "ü" * 32 + "b", "\U0001f600" * 33, "\U0010ffff" * 33, "\ufffd", LONG + "\ufffd", "\x7f", "Z", "~",
]  # fmt: skip
REALS = [0.0, -0.0, 1.0, -1.5, 0.1, 1e300, -1e300, 5e-324, float("inf"), float("-inf"), float("nan"), 16777217.0]
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
TIMES = [
    EPOCH + timedelta(microseconds=micros)
    for second in (0, 1_700_000_000, -2_000_000_000)
    for micros in (second * 10**6 + extra for extra in (0, 1, 999, 1000, 1001, 999_999, -1))
]
DECIMALS = [
    Decimal(text) for text in ("0.00", "0.01", "-0.01", "12345678901234567.89", "12345678901234567.88", "-5.00")
]
COLUMNS = {
    "s": (pa.string(), TEXTS),
    "d": (pa.float64(), REALS),
    "f": (pa.float32(), [value for value in REALS if abs(value) < 1e30 or value in (float("inf"), float("-inf"))]),
    "i": (pa.int64(), [0, 1, -1, 2**53, 2**53 + 1, 2**63 - 1, -(2**63)]),
    "t": (pa.timestamp("us", "UTC"), TIMES),
    "y": (pa.date32(), [date(1970, 1, 1), date(1, 1, 1), date(9999, 12, 31), date(2024, 2, 29)]),
    "n": (pa.decimal128(20, 2), DECIMALS),
    "b": (pa.bool_(), [False, True]),
}


def file_of(rng: random.Random) -> pa.Table:
    """A few rows near each other, so that there is something to skip; nulls, or nothing but nulls."""
    rows = rng.randint(1, 5)
    arrays = []
    for kind, values in COLUMNS.values():
        near = rng.choices(values, k=rng.randint(1, 2))
        nulls = rng.choice((0, 0, 0.3, 1))
        arrays.append(pa.array([None if rng.random() < nulls else rng.choice(near) for _ in range(rows)], kind))
    return pa.table(dict(zip(COLUMNS, arrays, strict=True)))


def literal(value) -> str:
    if isinstance(value, bool):
        return str(value)
    if isinstance(value, float):
        return f"'{value!r}'::double"
    if isinstance(value, datetime):
        return f"'{value.isoformat()}'::timestamp{'tz' if value.tzinfo else ''}"
    if isinstance(value, date):
        return f"'{value.isoformat()}'::date"
    if isinstance(value, str):
        return "'" + value.replace("'", "''") + "'"
    return f"({value})"


def condition(rng: random.Random, columns: dict[str, list], depth: int = 2) -> str:
    """A random condition on columns, with values that they have or that are near."""
    if depth > 0 and rng.random() < 0.5:
        left, right = condition(rng, columns, depth - 1), condition(rng, columns, depth - 1)
        return rng.choice((f"({left} and {right})", f"({left} or {right})", f"(not {left})"))
    name = rng.choice(sorted(columns))
    values = [literal(value) for value in rng.choices(columns[name], k=3)]
    column = f'"{name}"'
    return rng.choice(
        [f"{column} {operator} {values[0]}" for operator in ("=", "<>", "<", "<=", ">", ">=")]
        + [f"{column} is null", f"{column} is not null"]
        + [f"{column} in ({', '.join(values)})", f"{column} not in ({', '.join(values)})"]
        + [f"{column} is distinct from {values[0]}", f"{column} between {values[0]} and {values[1]}"]
    )


def check(table: Path, columns: dict[str, list], seed: int) -> None:
    rng = random.Random(seed)
    for _ in range(CONDITIONS // AT_ONCE):
        conditions = [condition(rng, columns) for _ in range(AT_ONCE)]
        skipping = ", ".join(f"(select count(*) from t where {text})" for text in conditions)
        reading = ", ".join(f"count(*) filter (where {text})" for text in conditions)
        counts = []
        for query in (f"select {skipping}", f"select {reading} from t"):
            done = run_tarn("sql", "-t", f"t={table}", "-o", "csv", query)
            assert done.returncode == 0, (done.stderr, query)
            counts.append(done.stdout.splitlines()[-1].split(","))
        wrong = [
            (text, some, all_of_them)
            for text, some, all_of_them in zip(conditions, *counts, strict=True)
            if some != all_of_them
        ]
        assert not wrong, wrong


EDGES = {name: values for name, (_, values) in COLUMNS.items()}


def test_files_of_delta_rs(tmp_path):
    rng = random.Random(1)
    for _ in range(25):
        deltalake.write_deltalake(str(tmp_path / "t"), file_of(rng), mode="append")
    check(tmp_path / "t", EDGES, seed=2)


def test_wrong_statistics_would_be_seen(tmp_path):
    rng = random.Random(1)
    for _ in range(25):
        deltalake.write_deltalake(str(tmp_path / "t"), file_of(rng), mode="append")
    for commit in (tmp_path / "t" / "_delta_log").glob("*.json"):
        commit.write_text(re.sub(r'(maxValues.*?\\"i\\":)-?\d+', r"\1-9223372036854775808", commit.read_text()))
    with pytest.raises(AssertionError, match='"i"'):
        check(tmp_path / "t", EDGES, seed=2)


def test_files_of_spark():
    check(CORPUS / "spark-skipping" / "table", EDGES, seed=7)


def test_files_of_ours(tmp_path):
    rng = random.Random(3)
    lake = tmp_path / "lake"
    for i in range(25):
        pq.write_table(file_of(rng), tmp_path / f"{i}.parquet")
        rows = f"select * from '{tmp_path}/{i}.parquet'"
        statement = f"create table db.t as {rows}" if i == 0 else f"insert into db.t {rows}"
        done = run_tarn("sql", "--lake", str(lake), statement)
        assert done.returncode == 0, done.stderr
    check(lake / "db" / "t", EDGES, seed=4)


NANOS = [
    second * 10**9 + sign * extra
    for second in (0, 1_700_000_000, -2_000_000_000)
    for sign in (1, -1)
    for extra in (0, 1, 999, 1000, 1001, 999_999, 1_000_000, 1_000_001, 999_999_999)
]


def floored(nanos: int, unit: str) -> str:
    """The latest instant not after it that has no digits behind the unit's."""
    micros = nanos // 1000 if unit == "us" else nanos // 10**6 * 1000
    text = (EPOCH + timedelta(microseconds=micros)).replace(tzinfo=None)
    return text.isoformat(timespec="microseconds" if unit == "us" else "milliseconds")


@pytest.mark.parametrize("statistics", ["us", "ms", "of delta-rs"])
@pytest.mark.parametrize("physical", ["INT64", "INT96"])
def test_files_with_nanoseconds(tmp_path, physical, statistics):
    """Delta has microseconds, but a folder of Parquet files that is made a table may have more, and statistics less."""
    rng = random.Random(9)
    files = {}
    for number in range(40):
        values = files[f"{number}.parquet"] = rng.choices(NANOS, k=rng.randint(1, 2))
        nanos = pa.array(values, pa.timestamp("ns"))
        rows = pa.table({"t": nanos.cast(pa.timestamp("ns", "UTC")), "u": nanos})
        options = {"version": "2.6"} if physical == "INT64" else {"use_deprecated_int96_timestamps": True}
        pq.write_table(rows, tmp_path / f"{number}.parquet", **options)
    deltalake.convert_to_deltalake(str(tmp_path))
    (commit,) = (tmp_path / "_delta_log").glob("*.json")
    if statistics != "of delta-rs":
        lines = [json.loads(line) for line in commit.read_text().splitlines()]
        for add in (line["add"] for line in lines if "add" in line):
            values = files[add["path"]]
            low, high = floored(min(values), statistics), floored(max(values), statistics)
            bounds = {"minValues": {"t": f"{low}Z", "u": low}, "maxValues": {"t": f"{high}Z", "u": high}}
            add["stats"] = json.dumps({"numRecords": len(values), **bounds})
        commit.write_text("".join(json.dumps(line) + "\n" for line in lines))
    times = [EPOCH + timedelta(microseconds=nanos // 1000 + more) for nanos in NANOS for more in (0, 1)]
    check(tmp_path, {"t": times, "u": [time.replace(tzinfo=None) for time in times]}, seed=10)


def values_of(rows: pa.Table) -> dict[str, list]:
    """Of each column that conditions can be on, values that it has, and one that it lacks."""
    kinds = (str, bool, int, float, datetime, date, Decimal)
    columns = {}
    for name in rows.column_names:
        values = [value for value in rows[name].to_pylist() if isinstance(value, kinds)]
        if values:
            columns[name] = values
    return columns


@pytest.mark.parametrize(
    "name", ["spark-types", "spark-plain", "spark-partitioned", "spark-checkpoint", "deltars-types"]
)
def test_tables_of_the_corpus(name):
    rows = pq.read_table(CORPUS / name / "expected.parquet", coerce_int96_timestamp_unit="us")
    check(CORPUS / name / "table", values_of(rows), seed=5)


@pytest.mark.parametrize("name", SPARK_GOLDEN)
def test_golden_tables_of_spark(name, shared, tmp_path):
    archive = shared / "fixtures" / "delta-golden" / f"{name}.tar.zst"
    subprocess.run(["tar", "--zstd", "-xf", archive, "-C", tmp_path], check=True, stderr=subprocess.DEVNULL)
    (table,) = [path for path in tmp_path.rglob("delta") if path.is_dir()]
    rows = pq.read_table(sorted((table.parent / "expected").glob("*.parquet")))
    check(table, values_of(rows), seed=6)


def test_a_plan_tells_why_files_are_skipped(tmp_path):
    lake = tmp_path / "lake"
    statements = ["create table d.t (id bigint, p varchar) partitioned by (p)"]
    statements += [f"insert into d.t values ({i}, 'p{i % 2}')" for i in range(6)]
    for statement in statements:
        assert run_tarn("sql", "--lake", lake, statement).returncode == 0
    for where, skipped in (
        ("true", (0, 0)),
        ("p = 'p1'", (3, 0)),
        ("id > 3", (0, 4)),
        ("p = 'p1' and id > 3", (3, 2)),
        ("p = 'p1' or id > 3", (0, 2)),
        ("p = 'p9'", (6, 0)),
    ):
        done = run_tarn("sql", "--lake", lake, "-o", "json", f"explain (format json) select * from d.t where {where}")
        assert done.returncode == 0, done.stderr
        plan = json.loads(done.stdout)[0]["explain_value"]
        found = re.search(r'"Skipped": "(\d+) by partition values, (\d+) by statistics"', plan)
        assert found and (int(found[1]), int(found[2])) == skipped, (where, plan)
        assert f'"Files": "{6 - sum(skipped)} of 6"' in plan
