"""Delta tables that others wrote give their rows, or are refused by the name of the feature."""

import re
import subprocess
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from conftest import ROOT, run_tarn
from rows import assert_same_rows

CORPUS = ROOT / "tests" / "fixtures" / "delta"

# Tables of our own corpus that need a feature this version refuses, and what the refusal must name.
REFUSED = {"spark-deletion-vectors": "deletionVectors", "spark-column-mapping": "columnMapping"}

# Golden tables with rows that need more than plain and classic or multi-part checkpoints, feature gates and timestampNtz.
GOLDEN_REFUSED = re.compile(r"deletionVectors|columnMapping|v2Checkpoint|vacuumProtocolCheck|typeWidening")
GOLDEN_READABLE = 58


def read(table: Path, out: Path):
    """(rows, error text): one of the two is None."""
    done = run_tarn("sql", "-t", f"t={table}", "-o", "parquet", "--output-file", out, "select * from t")
    if done.returncode != 0:
        return None, done
    return pq.read_table(out), None


@pytest.mark.parametrize("name", sorted(path.name for path in CORPUS.iterdir()))
def test_our_corpus(name, tmp_path):
    rows, error = read(CORPUS / name / "table", tmp_path / "out.parquet")
    if name in REFUSED:
        assert rows is None
        assert REFUSED[name] in error.stderr
        assert error.returncode == 6
        return
    assert error is None, error
    assert_same_rows(rows, pq.read_table(CORPUS / name / "expected.parquet"))


def test_golden_tables(shared, tmp_path):
    readable, refused, wrong = [], {}, {}
    for archive in sorted((shared / "fixtures" / "delta-golden").glob("*.tar.zst")):
        name = archive.name.removesuffix(".tar.zst")
        folder = tmp_path / name
        folder.mkdir()
        subprocess.run(["tar", "--zstd", "-xf", archive, "-C", folder], check=True)
        (inner,) = [path for path in folder.rglob("delta") if path.is_dir()] or [None]
        if inner is None or not (inner.parent / "expected").exists():
            continue
        expected = sorted((inner.parent / "expected").glob("*.parquet"))
        rows, error = read(inner, tmp_path / f"{name}.parquet")
        if error is not None:
            feature = GOLDEN_REFUSED.search(error.stderr)
            if feature and error.returncode == 6:
                refused[name] = feature.group(0)
            else:
                wrong[name] = error.stderr
            continue
        try:
            assert_same_rows(rows, pq.read_table(expected))
            readable.append(name)
        except AssertionError as difference:
            wrong[name] = str(difference)
    print(f"\nread identically ({len(readable)}): {', '.join(readable)}")
    print(f"refused by name ({len(refused)}): " + ", ".join(f"{name} ({why})" for name, why in refused.items()))
    # It expects zone-less partition timestamps in America/Los_Angeles; here they are UTC, as documented.
    wrong.pop("data-reader-partition-values", None)
    assert wrong == {}
    assert len(readable) >= GOLDEN_READABLE
