"""`table_changes`: what commits changed, on tables that others wrote."""

import json
from pathlib import Path
from urllib.parse import unquote

import pytest
from conftest import ROOT, run_tarn
from test_read_others import golden_with_rows

CORPUS = ROOT / "tests" / "fixtures" / "delta"
# All their rows came with version 0.
ONE_CHANGE = {"deltars-partitioned", "deltars-types"}
# Overwritten with other partition columns: of the removed rows the new ones are not known.
REPARTITIONED = "time-travel-partition-changes-b"


def sql(table: Path, text: str, output: str = "csv") -> str:
    done = run_tarn("sql", "-t", f"t={table}", "-o", output, text)
    assert done.returncode == 0, done.stderr
    return done.stdout


def rows(table: Path, text: str) -> list[str]:
    return sql(table, text).splitlines()[1:]


def last_version(table: Path) -> int:
    return max(int(path.stem) for path in (table / "_delta_log").glob("*.json") if path.stem.isdigit())


def first_version(table: Path) -> int:
    return min(int(path.stem) for path in (table / "_delta_log").glob("*.json") if path.stem.isdigit())


def check_versions_differ_by_their_changes(table: Path) -> int:
    """Rows of a version = rows of the one before + what was inserted - what was deleted. Gives how many rows changed."""
    changed = 0
    for version in range(max(first_version(table) + 1, last_version(table) - 5), last_version(table) + 1):
        changes = (
            f"(select * exclude (_commit_version, _commit_timestamp) from table_changes('t', {version}, {version}))"
        )
        added = f"(select * exclude (_change_type) from {changes} where _change_type in ('insert', 'update_postimage'))"
        gone = f"(select * exclude (_change_type) from {changes} where _change_type in ('delete', 'update_preimage'))"
        before = f"(from t at (version => {version - 1}))"
        after = f"(from t at (version => {version}))"
        left = f"({before} union all by name {added})"
        right = f"({after} union all by name {gone})"
        # Rows as text: some types cannot be compared, and neither can rows of columns in another order.
        names = rows(table, f"select column_name from (describe {right})")
        struct = "{" + ", ".join(f'"{name}": "{name}"' for name in names) + "}"
        count = f"select cast({struct} as varchar) as r, count(*) as n from %s group by all"
        difference = rows(
            table, f"({count % left}) except ({count % right}) union all ({count % right}) except ({count % left})"
        )
        assert difference == [], (table, version)
        changed += int(rows(table, f"select count(*) from {changes}")[0])
    return changed


@pytest.mark.parametrize("name", sorted(path.name for path in CORPUS.iterdir()))
def test_versions_of_our_corpus_differ_by_their_changes(name):
    if name in {"spark-type-widening", "spark-column-mapping", "spark-evolution"}:
        # Columns change their names or types between versions, so that the versions do not compare.
        assert len(rows(CORPUS / name / "table", "select * from table_changes('t', 1)")) > 0
        return
    if name == "spark-column-mapping-nested":
        done = run_tarn("sql", "-t", f"t={CORPUS / name / 'table'}", "select * from table_changes('t', 1)")
        assert "rows of version 2 do not fit version 8: column 'x' was dropped or renamed" in done.stderr
        return
    changed = check_versions_differ_by_their_changes(CORPUS / name / "table")
    assert changed > 0 or name in ONE_CHANGE, name


def test_change_files_tell_updates():
    table = CORPUS / "spark-change-feed" / "table"
    changes = rows(table, "select id, v, _change_type, _commit_version from table_changes('t', 1) order by all")
    assert changes == [
        "1,a,insert,1",
        "2,b,insert,1",
        "2,b,update_preimage,2",
        "2,bb,update_postimage,2",
        "3,c,delete,3",
        "3,c,insert,1",
        "4,d,insert,4",
    ]
    counts = "select _change_type, count(*) from table_changes('t', 1) group by all order by all"
    assert rows(table, counts) == ["delete,1", "insert,4", "update_postimage,1", "update_preimage,1"]
    kinds = "select count(*) from table_changes('t', 1) where _change_type = 'update_preimage'"
    assert rows(table, kinds) == ["1"]
    assert rows(table, "select count(*) from table_changes('t', 2, 3) where _commit_version > 2") == ["1"]


def test_deletion_vectors_give_the_rows_of_one_commit():
    table = CORPUS / "spark-deletion-vectors" / "table"
    deleted = int(rows(table, "select count(*) from table_changes('t', 0) where _change_type = 'delete'")[0])
    inserted = int(rows(table, "select count(*) from table_changes('t', 0) where _change_type = 'insert'")[0])
    assert deleted > 0
    assert inserted - deleted == int(rows(table, "select count(*) from t")[0])


def test_commit_times_choose_commits():
    table = CORPUS / "spark-change-feed" / "table"
    first, last = (
        rows(table, f"select {end}(_commit_timestamp) from table_changes('t', 0)")[0] for end in ("min", "max")
    )

    def versions(text: str) -> list[str]:
        return rows(table, f"select distinct _commit_version from table_changes('t', {text}) order by 1")

    assert versions(f"timestamptz '{first}'") == ["1", "2", "3", "4"]
    assert versions(f"timestamptz '{last}'") == ["4"]
    assert versions(f"timestamptz '{first}', timestamptz '{last}' - interval 1 microsecond") == ["1", "2", "3"]
    assert rows(table, "select count(*) from table_changes('t', timestamptz '1969-01-01', now())") == ["7"]


def has_all_files(table: Path) -> bool:
    """Some golden tables are logs alone, or have lost the files of earlier versions."""
    named = set()
    for path in (table / "_delta_log").glob("*.json"):
        for line in path.read_text().splitlines():
            named.add(json.loads(line).get("add", {}).get("path"))
    return all((table / unquote(path)).exists() for path in named - {None})


def test_golden_tables_differ_by_their_changes(shared, tmp_path):
    tables = []
    for name, table, _ in golden_with_rows(shared, tmp_path):
        if name == REPARTITIONED:
            done = run_tarn("sql", "-t", f"t={table}", "from table_changes('t', 1)")
            assert "lacks the value of partition column part2" in done.stderr
            continue
        if 1 <= last_version(table) < 20 and first_version(table) == 0 and has_all_files(table):
            check_versions_differ_by_their_changes(table)
            tables.append(name)
    print(", ".join(tables))
    assert len(tables) > 20


def test_what_is_wrong_is_said():
    table = CORPUS / "spark-change-feed" / "table"

    def complaint(text: str) -> str:
        done = run_tarn("sql", "-t", f"t={table}", text)
        assert done.returncode != 0
        return done.stderr

    assert "there are no changes from version 9 to version 4" in complaint("from table_changes('t', 9)")
    assert "version 7" in complaint("from table_changes('t', 1, 7)")
    assert "not NULL" in complaint("from table_changes('t', NULL::bigint)")
    assert "nowhere" in complaint("from table_changes('nowhere', 1)")
