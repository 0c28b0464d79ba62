"""Changes of large tables: one row of a gigabyte deleted by a deletion vector, by rewriting its file, and by Spark with a
warm session; a table more than ten times the memory limit compacted and merged into."""

import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path

import deltalake
import harness
import pyarrow as pa
import pyarrow.compute as pc

ROWS = 5_000_000
PAYLOAD_BYTES = 200
ROUNDS = 5


def batches(rows: int):
    numbers = random.Random(7)
    step = 250_000
    for first in range(0, rows, step):
        payload = pa.Array.from_buffers(
            pa.binary(PAYLOAD_BYTES), step, [None, pa.py_buffer(numbers.randbytes(PAYLOAD_BYTES * step))]
        )
        ids = pa.array(range(first, first + step))
        values = pa.array([numbers.random() for _ in range(step)])
        yield pa.record_batch([ids, values, payload.cast(pa.binary())], names=["id", "value", "payload"])


def make_table(path: Path, rows: int, file_bytes: int) -> None:
    reader = pa.RecordBatchReader.from_batches(next(batches(rows)).schema, batches(rows))
    deltalake.write_deltalake(str(path), reader, target_file_size=file_bytes)
    files = list(path.glob("*.parquet"))
    size = sum(file.stat().st_size for file in files)
    print(f"  {rows:,} rows in {len(files)} files of {size / 1e9:.2f} GB")


def with_vectors(source: Path, path: Path) -> Path:
    shutil.copytree(source, path)
    subprocess.run(
        [harness.TARN, "table", "alter", path, "--set", "delta.enableDeletionVectors=true"],
        check=True,
        capture_output=True,
    )
    return path


def delete(path: Path, row: int) -> float:
    began = time.perf_counter()
    ran = subprocess.run(
        [harness.TARN, "sql", "-t", f"t={path}", "-o", "csv", f"delete from t where id = {row}"],
        check=True,
        capture_output=True,
        text=True,
    )
    seconds = time.perf_counter() - began
    assert ran.stdout.split() == ["Count", "1"], ran.stdout
    return seconds


class Spark:
    """A session that stays; it deletes what it is told to and says how long that took."""

    def __init__(self):
        program = Path(__file__).parent / "peers" / "spark_deletes.py"
        self.process = subprocess.Popen(
            [os.environ["BENCH_SPARK_PYTHON"], program, os.environ["BENCH_SPARK_JARS"]],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    def delete(self, path: Path, row: int) -> float:
        self.process.stdin.write(json.dumps({"table": str(path), "row": row}) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())["seconds"]

    def stop(self) -> None:
        self.process.stdin.close()
        self.process.wait(60)


def missing(path: Path, rows: list[int]) -> bool:
    """Whether these rows and no others are gone."""
    wanted = ",".join(map(str, rows))
    ran = subprocess.run(
        [harness.TARN, "sql", "-t", f"t={path}", "-o", "csv",
         f"select count(*), count(*) filter (id in ({wanted})), sum(id) from t"],
        check=True,
        capture_output=True,
        text=True,
    )  # fmt: skip
    total = ROWS * (ROWS - 1) // 2 - sum(rows)
    return ran.stdout.splitlines()[-1] == f"{ROWS - len(rows)},0,{total}"


def delete_figures(folder: Path) -> None:
    source = folder / "source"
    make_table(source, ROWS, 1 << 40)
    ours, theirs = with_vectors(source, folder / "ours"), with_vectors(source, folder / "theirs")
    spark = Spark()
    # The first statements of a session compile; rows of all parts of the file.
    for row in (1, 2_000_000):
        spark.delete(theirs, row)
    vector, rewrite, other, gone = [], [], [], []
    for round_ in range(ROUNDS):
        row = 1_234_567 + round_ * 700_000
        gone.append(row)
        vector.append(delete(ours, row))
        other.append(spark.delete(theirs, row))
        rewritten = folder / "rewritten"
        shutil.rmtree(rewritten, ignore_errors=True)
        shutil.copytree(source, rewritten)
        rewrite.append(delete(rewritten, row))
        assert missing(rewritten, [row])
    spark.stop()
    assert missing(ours, gone) and missing(theirs, [1, 2_000_000, *gone])
    assert len(list(ours.glob("*.parquet"))) == len(list(theirs.glob("*.parquet"))) == 1
    harness.report(
        "DELETE of one row in 1 GB by a deletion vector, whole process",
        statistics.median(vector) * 1000,
        {"its rewrite": statistics.median(rewrite) * 1000, "Spark, warm": statistics.median(other) * 1000},
        "ms",
        "<= 0.05x its rewrite, <= 0.2x Spark",
    )
    shutil.rmtree(folder)


def tight_memory_figures(folder: Path) -> None:
    """1.5 GB at a limit of a tenth of that."""
    table, source = folder / "table", folder / "source"
    rows, first_new = 7_000_000, 3_500_000
    make_table(table, rows, 8 << 20)
    news = pa.table(
        {
            "id": pa.array(range(first_new, first_new + rows)),
            "value": pa.array([1.0] * rows),
            "payload": pa.array([b"x" * PAYLOAD_BYTES] * rows, pa.binary()),
        }
    )
    deltalake.write_deltalake(str(source), news)
    seconds, peak, _ = harness.whole_process([harness.TARN, "table", "optimize", table])
    harness.report("compaction of 1.5 GB, whole process, peak memory", peak * 1.048576, {}, "MB", "finishes")
    seconds, peak, _ = harness.whole_process(
        [harness.TARN, "sql", "--memory-limit", "147MiB", "-t", f"t={table}", "-t", f"s={source}",
         "merge into t using s on t.id = s.id when matched then update set value = s.value "
         "when not matched then insert values (s.id, s.value, s.payload)"]
    )  # fmt: skip
    print(f"  {seconds:.1f} s")
    harness.report("MERGE into 1.54 GB at a limit of 147 MiB, peak memory", peak * 1.048576, {}, "MB", "finishes")
    merged = deltalake.DeltaTable(table).to_pyarrow_dataset()
    assert merged.count_rows() == first_new + rows
    assert merged.count_rows(filter=pc.field("value") == 1.0) == rows
    shutil.rmtree(folder)


def main() -> None:
    for figures in (delete_figures, tight_memory_figures):
        if not sys.argv[1:] or figures.__name__ in sys.argv[1:]:
            figures(harness.fresh("row_changes"))


if __name__ == "__main__":
    main()
