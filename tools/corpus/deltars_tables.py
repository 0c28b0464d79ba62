"""Writes the delta-rs half of the small corpus: python deltars_tables.py OUT (layout as in spark_tables.py)."""

import datetime as dt
import math
import os
import shutil
import sys
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from deltalake import DeltaTable, write_deltalake


def finish(out: Path, name: str) -> None:
    table = DeltaTable(str(out / name / "table")).to_pyarrow_table()
    pq.write_table(table, out / name / "expected.parquet")


def fresh(out: Path, name: str) -> str:
    shutil.rmtree(out / name, ignore_errors=True)
    (out / name).mkdir(parents=True)
    return str(out / name / "table")


def main() -> None:
    out = Path(sys.argv[1])
    day = dt.datetime(2024, 3, 1, 12, 0, 0, 123456, tzinfo=dt.UTC)

    path = fresh(out, "deltars-plain")
    write_deltalake(
        path,
        pa.table(
            {
                "id": pa.array([1, 2, 3], pa.int64()),
                "x": [0.5, math.nan, None],
                "t": pa.array([day, None, day], pa.timestamp("us", "UTC")),
                "s": ["a" * 100, "\U0010ffff" * 40, None],
            }
        ),
    )
    write_deltalake(
        path,
        pa.table(
            {"id": pa.array([4], pa.int64()), "x": [-0.0], "t": pa.array([day], pa.timestamp("us", "UTC")), "s": [""]}
        ),
        mode="append",
    )
    finish(out, "deltars-plain")

    path = fresh(out, "deltars-partitioned")
    write_deltalake(
        path,
        pa.table(
            {
                "v": pa.array([1, 2, 3, 4], pa.int32()),
                "p": ["a", "b c", None, "ä/ö"],
                "d": pa.array([dt.date(2024, 1, 1), None, dt.date(1970, 1, 1), dt.date(2024, 1, 1)]),
                "t": pa.array([day, day, None, day], pa.timestamp("us", "UTC")),
            }
        ),
        partition_by=["p", "d", "t"],
    )
    finish(out, "deltars-partitioned")

    path = fresh(out, "deltars-checkpoint")
    for n in range(12):
        write_deltalake(
            path,
            pa.table({"id": pa.array([n], pa.int64()), "p": pa.array([n % 3], pa.int32())}),
            mode="append",
            partition_by=["p"],
        )
    DeltaTable(path).create_checkpoint()
    DeltaTable(path).delete("id = 7")
    finish(out, "deltars-checkpoint")

    path = fresh(out, "deltars-optimized")
    for n in range(5):
        write_deltalake(path, pa.table({"id": pa.array([n, n + 10], pa.int64())}), mode="append")
    DeltaTable(path).optimize.compact()
    finish(out, "deltars-optimized")

    path = fresh(out, "deltars-types")
    write_deltalake(
        path,
        pa.table(
            {
                "i8": pa.array([-128], pa.int8()),
                "i16": pa.array([300], pa.int16()),
                "b": pa.array([b"\x00\xff"], pa.binary()),
                "bo": [True],
                "dec": pa.array([Decimal("12345678901234567890.123456")], pa.decimal128(38, 6)),
                "l": pa.array([[1, None]], pa.list_(pa.int64())),
                "st": pa.array([{"a": 1, "b": "x"}]),
                "m": pa.array([[("k", 1)]], pa.map_(pa.string(), pa.int64())),
            }
        ),
    )
    finish(out, "deltars-types")


if __name__ == "__main__":
    main()
    # The runtime's threads sometimes abort while the interpreter is torn down, after everything is written.
    os._exit(0)
