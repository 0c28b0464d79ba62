"""Scan and aggregate over our Delta table against DuckDB's read_parquet on the same files."""

import json
import math

import deltalake
import duckdb
import harness
import pyarrow as pa
import pyarrow.compute as pc

ROWS, FILES = 10_000_000, 10

QUERIES = {
    "sum of a product": "select sum(a * b) as s, count(*) as n from {t}",
    "five groups": "select g, count(*) as n, avg(a) as m from {t} group by g order by g",
    "100k groups, top 10": "select k, sum(a) as s from {t} group by k order by s desc, k limit 10",
    "filter": "select count(*) as n, max(b) as m from {t} where a between 1000 and 200000 and g = 'g3'",
}


def make_table(path) -> None:
    per_file = ROWS // FILES
    for number in range(FILES):
        base = number * per_file
        ids = pa.array(range(base, base + per_file), pa.int64())
        mixed = pc.bit_wise_and(pc.multiply(ids, 2654435761), 0x7FFFFFFF)
        table = pa.table(
            {
                "id": ids,
                "a": pc.bit_wise_and(mixed, 0xFFFFF),
                "b": pc.divide(pc.cast(mixed, pa.float64()), 7.0),
                "k": pc.bit_wise_and(mixed, 0x1FFFF),
                "g": pc.binary_join_element_wise("g", pc.cast(pc.bit_wise_and(mixed, 3), pa.string()), ""),
            }
        )
        deltalake.write_deltalake(str(path), table, mode="append")


def main() -> None:
    folder = harness.fresh("scan")
    path = folder / "lake" / "b" / "t"
    path.parent.mkdir(parents=True)
    make_table(path)
    files = sorted(str(file) for file in path.glob("*.parquet"))
    connection = duckdb.connect(config={"threads": 2})
    server, url = harness.tarn_server(folder / "lake")
    with server:
        for name, sql in QUERIES.items():
            ours = sql.format(t="b.t")
            theirs = sql.format(t=f"read_parquet({files})")
            mine = json.loads(harness.post(url + "/api/sql", ours))
            expected = connection.execute(theirs).to_arrow_table().to_pylist()
            assert len(mine) == len(expected)
            for a, b in zip(mine, expected, strict=True):
                assert a.keys() == b.keys()
                assert all(
                    math.isclose(a[key], b[key], rel_tol=1e-9)
                    if isinstance(b[key], float)
                    else int(a[key]) == int(b[key])
                    if not isinstance(b[key], str)
                    else a[key] == b[key]
                    for key in b
                ), (a, b)
            times = harness.alternate(
                {
                    "tarn": lambda sql=ours: harness.post(url + "/api/sql", sql),
                    "duckdb": lambda sql=theirs: connection.execute(sql).fetchall(),
                }
            )
            harness.report(
                f"scan, {name}",
                harness.median_ms(times["tarn"]),
                {"DuckDB read_parquet": harness.median_ms(times["duckdb"])},
                "ms",
                "<= 1.05x",
            )


if __name__ == "__main__":
    main()
