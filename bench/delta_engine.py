"""The Delta engine beside delta-rs: opening and refreshing large tables, commits, compaction, checkpoints.

What is measured of the library alone runs in build/release/src/tarn_figures and in a Python process with deltalake; each
times itself, so that starting the process counts for neither.
"""

import json
import shutil
import statistics
import subprocess
import sys
from pathlib import Path

import deltalake
import harness
import open_log
import pyarrow as pa
import pyarrow.parquet as pq

FIGURES = harness.ROOT / "build" / "release" / "src" / "tarn_figures"
DAY = "2024-01-15"
RUNS = 5

PEER_PEAK = """
def peak():
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmHWM:")) * 1.024 / 1000
"""

PEER_OPEN = (
    PEER_PEAK
    + """
import json, sys, time, warnings
warnings.simplefilter("ignore")
import deltalake
empty = peak()
began = time.perf_counter()
files = deltalake.DeltaTable(sys.argv[1]).file_uris([("date", "=", sys.argv[2])])
print(json.dumps({"seconds": time.perf_counter() - began, "files": len(files), "growth_mb": peak() - empty}))
"""
)

PEER_APPEND = """
import json, sys, time
import deltalake, pyarrow as pa
path, commits, by_handle = sys.argv[1], int(sys.argv[2]), sys.argv[3] == "handle"
table = deltalake.DeltaTable(path)
batches = [pa.table({"id": pa.array(range(i * 1000, i * 1000 + 1000)),
                     "value": pa.array([n / 7 for n in range(i * 1000, i * 1000 + 1000)]),
                     "name": pa.array([f"name-{n % 100}" for n in range(1000)])}) for i in range(commits)]
failed = 0
began = time.perf_counter()
for batch in batches:
    try:
        deltalake.write_deltalake(table if by_handle else path, batch, mode="append")
    except Exception as error:
        print(error, file=sys.stderr)
        failed += 1
print(json.dumps({"seconds": time.perf_counter() - began, "commits": commits - failed, "failed": failed}))
"""

PEER_CHECKPOINT = (
    PEER_PEAK
    + """
import json, sys, time
import deltalake
table = deltalake.DeltaTable(sys.argv[1])
loaded = peak()
began = time.perf_counter()
table.create_checkpoint()
print(json.dumps({"seconds": time.perf_counter() - began, "growth_mb": peak() - loaded}))
"""
)

PEER_COMPACT = """
import sys
import deltalake
codec = deltalake.WriterProperties(compression="ZSTD", compression_level=1, max_row_group_size=1048576)
deltalake.DeltaTable(sys.argv[1]).optimize.compact(target_size=int(sys.argv[2]), writer_properties=codec)
"""


def run(*command: object) -> dict:
    """What a measuring process says, as JSON on its last line."""
    ran = subprocess.run([str(word) for word in command], capture_output=True, text=True)
    if ran.returncode != 0:
        raise RuntimeError(f"{command[0]} ended with {ran.returncode}: {ran.stderr[-2000:]}")
    return json.loads(ran.stdout.splitlines()[-1])


def peer(code: str, *words: object) -> dict:
    return run(sys.executable, "-c", code, *words)


def median_of(results: list[dict], key: str) -> float:
    return statistics.median(result[key] for result in results)


def measure_open(path: Path, what: str, target: str) -> None:
    wanted = open_log.FILES // open_log.DAYS
    ours, theirs = [], []
    for _ in range(RUNS):
        ours.append(run(FIGURES, "open", path, DAY))
        theirs.append(peer(PEER_OPEN, path, DAY))
        assert ours[-1]["files"] == theirs[-1]["files"] == wanted, (ours[-1], theirs[-1])
    harness.report(
        f"snapshot of 300,000 adds, {what}",
        median_of(ours, "seconds") * 1000,
        {"delta-rs": median_of(theirs, "seconds") * 1000},
        "ms",
        target,
    )
    harness.report(
        f"its memory, {what}",
        median_of(ours, "growth_mb"),
        {"delta-rs": median_of(theirs, "growth_mb")},
        "MB",
        "<= 0.5x",
    )
    if "JSON" in what:
        harness.report("memory per file of an open snapshot", median_of(ours, "bytes_per_file"), {}, "bytes", "<= 200")


def open_figures(folder: Path) -> None:
    path = folder / "adds"
    open_log.make_table(path)
    measure_open(path, "three JSON commits", "<= 0.15x")
    deltalake.DeltaTable(path).create_checkpoint()
    measure_open(path, "checkpoint", "<= 0.35x")
    for version in range(open_log.COMMITS, open_log.COMMITS + 1000):
        line = open_log.add(version * 100_000 + 1).replace(open_log.date_of(1), "2023-06-01")
        (path / "_delta_log" / f"{version:020d}.json").write_text(line + "\n")
    measure_open(path, "checkpoint and 1,000 commits of one action", "<= 0.3x")
    shutil.rmtree(path)


def million_files(folder: Path) -> None:
    path = folder / "million"
    open_log.make_table(path, files=1_000_000, commits=10)
    ours, theirs = [], []
    for _ in range(3):
        for code, results in ((None, ours), (PEER_CHECKPOINT, theirs)):
            for made in (path / "_delta_log").glob("*checkpoint*"):
                made.unlink()
            results.append(run(FIGURES, "checkpoint", path) if code is None else peer(code, path))
            (made,) = (path / "_delta_log").glob("*.checkpoint.parquet")
            assert pq.read_metadata(made).num_rows >= 1_000_002
    harness.report(
        "checkpoint write, 1 M files",
        median_of(ours, "seconds") * 1000,
        {"delta-rs": median_of(theirs, "seconds") * 1000},
        "ms",
        "<= 0.5x",
    )
    harness.report(
        "its memory above the snapshot",
        median_of(ours, "growth_mb"),
        {"delta-rs": median_of(theirs, "growth_mb")},
        "MB",
        "<= 100 MB",
    )
    commit = folder / "one_commit.json"
    commit.write_text(open_log.add(5_000_000).replace("/part-", "/part-ROUND-") + "\n")
    refreshed = run(FIGURES, "refresh", path, commit, 21)
    assert refreshed["files"] == 1_000_021, refreshed
    harness.report("refresh after one commit, 1 M files, CPU", refreshed["cpu_ms"], {}, "ms", "< 1 ms")
    shutil.rmtree(path)


SCHEMA = pa.schema([("id", pa.int64()), ("value", pa.float64()), ("name", pa.string())])


def empty_table(path: Path) -> Path:
    shutil.rmtree(path, ignore_errors=True)
    deltalake.DeltaTable.create(str(path), SCHEMA)
    return path


def rows_in(path: Path) -> int:
    return deltalake.DeltaTable(path).to_pyarrow_dataset().count_rows()


def append_figures(folder: Path) -> None:
    commits = 200
    ours, syncs, by_path, by_handle = [], [], [], []
    for round_ in range(3):
        path = empty_table(folder / f"append_{round_}")
        result = run(FIGURES, "append", path, commits)
        assert result["failed"] == 0 and rows_in(path) == commits * 1000, result
        ours.append(commits / result["seconds"])
        raw = folder / "syncs"
        raw.mkdir()
        syncs.append(commits / run(FIGURES, "syncs", raw, commits)["seconds"])
        shutil.rmtree(raw)
        for how, rates in (("path", by_path), ("handle", by_handle)):
            path = empty_table(folder / f"append_{how}_{round_}")
            result = peer(PEER_APPEND, path, commits, how)
            assert rows_in(path) == (commits - result["failed"]) * 1000, result
            rates.append(commits / result["seconds"])
    harness.report(
        "append commits of 1,000 rows, one writer, with fsync",
        statistics.median(ours),
        {
            "delta-rs by path, not synced": statistics.median(by_path),
            "delta-rs by handle, not synced": statistics.median(by_handle),
            "a raw loop of the same syncs": statistics.median(syncs),
        },
        "commits/s",
        ">= 2.5x its best, >= 0.4x the raw loop",
    )


def contended(path: Path, command: list[object], writers: int) -> tuple[float, int]:
    """(commits per second, failures) of several processes that append to one table at once."""
    processes = [
        subprocess.Popen([str(word) for word in command], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        for _ in range(writers)
    ]
    results = []
    for process in processes:
        output, _ = process.communicate()
        assert process.returncode == 0
        results.append(json.loads(output.splitlines()[-1]))
    commits = sum(result["commits"] for result in results)
    assert rows_in(path) == commits * 1000
    return commits / max(result["seconds"] for result in results), sum(result["failed"] for result in results)


def contended_figures(folder: Path) -> None:
    writers, commits = 8, 25
    ours, theirs, our_failures, their_failures = [], [], 0, 0
    for round_ in range(3):
        path = empty_table(folder / f"contended_{round_}")
        rate, failed = contended(path, [FIGURES, "append", path, commits], writers)
        ours.append(rate)
        our_failures += failed
        path = empty_table(folder / f"contended_peer_{round_}")
        rate, failed = contended(path, [sys.executable, "-c", PEER_APPEND, path, commits, "handle"], writers)
        theirs.append(rate)
        their_failures += failed
    assert our_failures == 0
    harness.report(
        f"append commits, {writers} processes on one table (failed: ours {our_failures}, theirs {their_failures})",
        statistics.median(ours),
        {"delta-rs": statistics.median(theirs)},
        "commits/s",
        ">= 4x, none of ours fails",
    )


def small_files(path: Path, files: int, rows: int) -> None:
    """A table of many files of random numbers and few texts, as `files` appends leave it."""
    table = None
    for number in range(files):
        first = number * rows
        batch = pa.table(
            {
                "id": pa.array(range(first, first + rows)),
                "value": pa.array([(n * 2654435761 % 4294967296) / 4294967296 for n in range(first, first + rows)]),
                "other": pa.array([(n * 40503 % 65537) * 1.000001 for n in range(first, first + rows)]),
                "name": pa.array([f"name-{n * 7919 % 5000}" for n in range(first, first + rows)]),
            }
        )
        deltalake.write_deltalake(table or str(path), batch, mode="append")
        table = table or deltalake.DeltaTable(path)


def sums(path: Path) -> tuple:
    dataset = deltalake.DeltaTable(path).to_pyarrow_dataset()
    table = dataset.to_table(columns=["id", "name"])
    return table.num_rows, pa.compute.sum(table["id"]).as_py(), pa.compute.count_distinct(table["name"]).as_py()


def compaction_figures(folder: Path) -> None:
    source = folder / "small_files"
    small_files(source, files=300, rows=20_000)
    megabytes = sum(file.stat().st_size for file in source.glob("*.parquet")) / 1e6
    print(f"  300 files of {megabytes:.0f} MB")
    wanted = sums(source)
    target_bytes = 256 << 20
    ours, theirs = [], []
    for _ in range(RUNS):
        for results, command in (
            (ours, lambda copy: [harness.TARN, "table", "optimize", copy, "--target-size", str(target_bytes)]),
            (theirs, lambda copy: [sys.executable, "-c", PEER_COMPACT, copy, target_bytes]),
        ):
            copy = folder / "compacted"
            shutil.rmtree(copy, ignore_errors=True)
            shutil.copytree(source, copy)
            seconds, peak, _ = harness.whole_process(command(copy))
            live = deltalake.DeltaTable(copy).file_uris()
            groups = [pq.read_metadata(file) for file in live]
            smallest = min(
                meta.row_group(group).num_rows for meta in groups for group in range(max(1, meta.num_row_groups - 1))
            )
            assert sums(copy) == wanted and smallest >= 100_000, smallest
            results.append(
                {"seconds": seconds, "peak_mb": peak * 1.048576, "bytes": sum(Path(f).stat().st_size for f in live)}
            )
    print(
        f"  compacted to {median_of(ours, 'bytes') / 1e6:.0f} MB, by delta-rs to {median_of(theirs, 'bytes') / 1e6:.0f} MB"
    )
    for figure, key, scale, unit, target in (
        ("time", "seconds", 1000, "ms", "<= 1.0x"),
        ("peak memory", "peak_mb", 1, "MB", "<= 0.4x"),
    ):
        harness.report(
            f"compaction of 300 files, 6 M rows, whole process, {figure}",
            median_of(ours, key) * scale,
            {"delta-rs": median_of(theirs, key) * scale},
            unit,
            target,
        )


def main() -> None:
    folder = harness.fresh("delta_engine")
    for figures in (open_figures, million_files, append_figures, contended_figures, compaction_figures):
        if not sys.argv[1:] or figures.__name__ in sys.argv[1:]:
            figures(folder)


if __name__ == "__main__":
    main()
