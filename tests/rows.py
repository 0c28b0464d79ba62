"""Comparing tables as multisets of rows, whatever order and physical types their readers chose."""

import datetime as dt
import math
from decimal import Decimal

import pyarrow as pa


def _plain(value):
    """One value in a form that compares and sorts the same for every reader."""
    if value is None:
        return ("null",)
    if isinstance(value, bool):
        return ("bool", value)
    if isinstance(value, int | Decimal):
        return ("number", Decimal(value).normalize() + 0)
    if isinstance(value, float):
        if math.isnan(value):
            return ("nan",)
        if math.isinf(value):
            return ("inf", value > 0)
        return ("float", value + 0.0)
    if isinstance(value, dt.datetime):
        return ("time", (value if value.tzinfo is None else value.astimezone(dt.UTC).replace(tzinfo=None)).isoformat())
    if isinstance(value, dt.date):
        return ("date", value.isoformat())
    if isinstance(value, bytes):
        return ("bytes", value)
    if isinstance(value, str):
        return ("text", value)
    if isinstance(value, dict):
        return ("struct", tuple((key, _plain(item)) for key, item in sorted(value.items())))
    if isinstance(value, list):
        if value and all(isinstance(item, tuple) and len(item) == 2 for item in value):
            return ("map", tuple(sorted((_plain(key), _plain(item)) for key, item in value)))
        return ("list", tuple(_plain(item) for item in value))
    raise AssertionError(f"no plain form for {type(value)}")


def multiset(table: pa.Table) -> list:
    names = sorted(table.column_names)
    columns = [[_plain(value) for value in table[name].to_pylist()] for name in names]
    if not names:
        return [table.num_rows]
    return sorted(zip(*columns, strict=True), key=repr)


def assert_same_rows(found: pa.Table, expected: pa.Table) -> None:
    assert sorted(found.column_names) == sorted(expected.column_names)
    found_rows, expected_rows = multiset(found), multiset(expected)
    assert len(found_rows) == len(expected_rows), f"{len(found_rows)} rows instead of {len(expected_rows)}"
    for position, (a, b) in enumerate(zip(found_rows, expected_rows, strict=True)):
        assert a == b, f"row {position} of {len(found_rows)} differs"
