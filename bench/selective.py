"""A selective query on a table of 1,000 files against polars, ROAPI and delta-rs with DataFusion."""

import json

import deltalake
import harness
import polars
import pyarrow as pa

FILES, ROWS_PER_FILE = 1000, 2000


def make_table(path) -> None:
    """A file per commit; ROAPI cannot load a table that is partitioned."""
    for number in range(FILES):
        ids = range(number * ROWS_PER_FILE, (number + 1) * ROWS_PER_FILE)
        rows = pa.table(
            {
                "id": pa.array(ids, pa.int64()),
                "v": pa.array([float(n % 97) for n in ids]),
                "s": [f"s{n % 1000}" for n in ids],
            }
        )
        deltalake.write_deltalake(
            str(path),
            rows,
            mode="append",
            configuration={"delta.autoOptimize.autoCompact": "false"} if number == 0 else None,
        )


def main() -> None:
    folder = harness.fresh("selective")
    path = folder / "lake" / "b" / "t"
    path.parent.mkdir(parents=True)
    make_table(path)
    table = deltalake.DeltaTable(str(path))
    assert len(table.file_uris()) == FILES
    low, high = 777_000, 777_100
    sql = f"select count(*) as n, sum(v) as s from {{t}} where id >= {low} and id < {high}"
    # A minute later there would be one file.
    server, url = harness.tarn_server(folder / "lake", {"TARN_COMPACTION_INTERVAL": "1h"})
    roapi, roapi_url = harness.roapi_server({"t": path})
    tarn_client, roapi_client = harness.Connection(url), harness.Connection(roapi_url)

    def with_tarn():
        return json.loads(tarn_client.post("/api/sql", sql.format(t="b.t")))[0]

    def with_roapi():
        return json.loads(roapi_client.post("/api/sql", sql.format(t="t")))[0]

    def with_polars():
        lazy = polars.scan_delta(str(path)).filter((polars.col("id") >= low) & (polars.col("id") < high))
        return lazy.select(polars.len().alias("n"), polars.col("v").sum().alias("s")).collect().to_dicts()[0]

    def with_delta_rs():
        rows = deltalake.QueryBuilder().register("t", table).execute(sql.format(t="t")).read_all()
        return pa.table(rows).to_pylist()[0]

    contenders = {"tarn": with_tarn, "ROAPI": with_roapi, "polars": with_polars, "delta-rs": with_delta_rs}
    with server, roapi:
        answers = {name: call() for name, call in contenders.items()}
        assert all(answer == answers["tarn"] for answer in answers.values()), answers
        single = harness.alternate(contenders)
        bursts = harness.alternate(contenders, runs=5, warmup=1, burst=10)
    for title, times in (("", bursts), (", single calls", single)):
        medians = {name: harness.median_ms(values) for name, values in times.items()}
        ours = medians.pop("tarn")
        harness.report("selective query, 1,000 files" + title, ours, medians, "ms", "<= 0.4x of the best")


if __name__ == "__main__":
    main()
