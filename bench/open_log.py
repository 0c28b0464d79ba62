"""Opening 300,000 adds with statistics in three JSON commits and choosing one partition's files, as whole processes."""

import json
import statistics
import sys

import harness

FILES, COMMITS, DAYS = 300_000, 3, 100

SCHEMA = {
    "type": "struct",
    "fields": [
        {"name": name, "type": kind, "nullable": True, "metadata": {}}
        for name, kind in [
            ("date", "date"),
            ("id", "long"),
            ("value", "double"),
            ("name", "string"),
            ("t", "timestamp"),
        ]
    ],
}

PEER = """
import sys, deltalake
table = deltalake.DeltaTable(sys.argv[1])
print(len(table.file_uris([("date", "=", "2024-01-15")])))
"""


def date_of(number: int) -> str:
    day = number % DAYS
    return f"2024-{day // 28 + 1:02d}-{day % 28 + 1:02d}"


def add(number: int) -> str:
    date = date_of(number)
    low = number * 1000
    stats = json.dumps(
        {
            "numRecords": 1000,
            "minValues": {"id": low, "value": low / 7, "name": f"name-{low:012d}", "t": "2024-01-01T00:00:00.000Z"},
            "maxValues": {
                "id": low + 999,
                "value": low / 7 + 100,
                "name": f"name-{low + 999:012d}",
                "t": "2024-12-31T00:00:00.000Z",
            },
            "nullCount": {"id": 0, "value": 0, "name": 0, "t": 0},
        },
        separators=(",", ":"),
    )
    return json.dumps(
        {
            "add": {
                "path": f"date={date}/part-{number:06d}-{number * 7919 % 1000003:012x}.snappy.parquet",
                "partitionValues": {"date": date},
                "size": 100_000 + number % 1000,
                "modificationTime": 1_700_000_000_000,
                "dataChange": True,
                "stats": stats,
            }
        },
        separators=(",", ":"),
    )


def make_table(path, files: int = FILES, commits: int = COMMITS) -> None:
    log = path / "_delta_log"
    log.mkdir(parents=True)
    per_commit = files // commits
    for version in range(commits):
        with open(log / f"{version:020d}.json", "w") as out:
            if version == 0:
                out.write('{"protocol":{"minReaderVersion":1,"minWriterVersion":2}}\n')
                out.write(
                    json.dumps(
                        {
                            "metaData": {
                                "id": "bench",
                                "format": {"provider": "parquet", "options": {}},
                                "schemaString": json.dumps(SCHEMA),
                                "partitionColumns": ["date"],
                                "configuration": {},
                                "createdTime": 1_700_000_000_000,
                            }
                        }
                    )
                    + "\n"
                )
            for number in range(version * per_commit, (version + 1) * per_commit):
                out.write(add(number) + "\n")


def main() -> None:
    folder = harness.fresh("open_log")
    path = folder / "t"
    make_table(path)
    bytes_total = sum(file.stat().st_size for file in (path / "_delta_log").iterdir())
    print(f"  the log has {bytes_total / 1e6:.0f} MB")
    sql = "explain select count(*), max(id) from t where date = date '2024-01-15'"
    ours, peer = [], []
    for _ in range(5):
        seconds, peak, output = harness.whole_process([harness.TARN, "sql", "-t", f"t={path}", sql])
        assert f"{FILES // DAYS}" in output.decode().replace(",", ""), output.decode()
        ours.append((seconds, peak))
        seconds, peak, output = harness.whole_process([sys.executable, "-c", PEER, path])
        assert output.split() == [str(FILES // DAYS).encode()], output
        peer.append((seconds, peak))
    for figure, index, unit, scale, target in (("time", 0, "ms", 1000, "<= 0.25x"), ("memory", 1, "MiB", 1, "<= 0.5x")):
        mine, theirs = (statistics.median(run[index] for run in runs) * scale for runs in (ours, peer))
        harness.report(f"explain on 300,000 adds, {figure}", mine, {"delta-rs": theirs}, unit, target)


if __name__ == "__main__":
    main()
