"""Tables of others that we cannot write, and things in the place of a table: good lines are kept all the same."""

import json

from conftest import run_tarn

FIELDS = {
    "cc": [("v", True)],
    "nn": [("v", True), ("req", False)],
    "dv": [("v", True)],
}


def make_foreign_table(folder, fields, protocol=(1, 3), configuration=None, features=None):
    """A Delta table without rows, as another writer leaves it."""
    versions = {"minReaderVersion": protocol[0], "minWriterVersion": protocol[1]}
    if features:
        versions |= {"writerFeatures": features}
    schema = {
        "type": "struct",
        "fields": [{"name": name, "type": "double", "nullable": nullable, "metadata": {}} for name, nullable in fields],
    }
    metadata = {
        "id": folder.name,
        "format": {"provider": "parquet", "options": {}},
        "schemaString": json.dumps(schema),
        "partitionColumns": [],
        "configuration": configuration or {},
    }
    (folder / "_delta_log").mkdir(parents=True)
    lines = [json.dumps({"protocol": versions}), json.dumps({"metaData": metadata})]
    (folder / "_delta_log" / f"{0:020}.json").write_text("\n".join(lines) + "\n")


def make_foreign_tables(lake):
    make_foreign_table(lake / "ext2" / "cc", FIELDS["cc"], configuration={"delta.constraints.pos": "v > 0"})
    make_foreign_table(lake / "ext2" / "nn", FIELDS["nn"], protocol=(1, 2))
    make_foreign_table(lake / "ext2" / "dv", FIELDS["dv"], protocol=(1, 7), features=["rowTracking"])
    (lake / "ext2" / "garb" / "_delta_log").mkdir(parents=True)
    (lake / "ext2" / "garb" / "_delta_log" / f"{0:020}.json").write_text("this is no JSON\n")


LINES = "cc v=1 1\nok v=1 1\nnn v=2 2\nnn req=3 3\ndv v=4 4\ngarb v=5 5\nok v=2 2\ncc v=6 6\n"
REASONS = {
    1: ("ext2.cc", "checkConstraints"),
    3: ("'req'", "must not be null"),
    5: ("ext2.dv", "rowTracking"),
    6: ("ext2.garb", "log is unreadable"),
    8: ("ext2.cc", "checkConstraints"),
}


def test_lines_of_tables_that_cannot_be_written_are_refused_alone(make_server, tmp_path):
    make_foreign_tables(tmp_path / "lake")
    server = make_server()
    for api in ("/api/v2/write?bucket=ext2", "/write?db=ext2", "/api/v3/write_lp?db=ext2"):
        answer = server.request("POST", api, LINES)
        assert answer.status == 400, answer
        if api.startswith("/api/v2"):
            document = answer.json()
            assert document["code"] == "invalid" and document["line"] == 1
            reasons = {
                int(text.split(":", 1)[0].removeprefix("line ")): text for text in document["message"].split("; ")[1:]
            }
            assert document["message"].startswith("partial write: 5 of 8 lines")
        else:
            reasons = {error["line_number"]: error["error_message"] for error in answer.json()["data"]}
        assert reasons.keys() == REASONS.keys(), answer
        for line, words in REASONS.items():
            assert all(word in reasons[line] for word in words), reasons[line]
    assert server.value("select count(*) from ext2.ok") == 6
    assert server.value("select count(*) from ext2.nn") == 3
    assert server.stop() == 0


def test_tables_that_cannot_be_read_are_listed_with_the_reason(make_server, tmp_path):
    lake = tmp_path / "lake"
    make_foreign_tables(lake)
    make_foreign_table(lake / "ext2" / "future", FIELDS["cc"], protocol=(4, 7))
    server = make_server()
    assert server.write("ext2", "ok v=1 1\n").status == 204
    listed = {row["table"]: row for row in server.sql("select * from system.tables")}
    assert {table for table, row in listed.items() if row["error"] is not None} == {"garb", "future"}
    assert listed["garb"]["version"] == -1
    for table in ("garb", "future"):
        refused = server.request("POST", "/api/sql", f"from ext2.{table}").json()
        assert refused["code"] in listed[table]["error"]
        assert str(tmp_path) not in listed[table]["error"]
    assert server.value("select count(*) from system.commits where \"table\" = 'ok'") is not None
    assert server.stop() == 0
    lines = run_tarn("table", "list", "--lake", lake).stdout.splitlines()
    shown = {line.split()[0]: line for line in lines}
    assert shown["TABLE"].endswith("ERROR")
    assert shown["ext2.ok"].endswith("-")
    assert listed["garb"]["error"] in shown["ext2.garb"]
    assert listed["future"]["error"] in shown["ext2.future"]

    # A table that breaks later keeps its last figures.
    server = make_server()
    assert server.sql("from ext2.cc") == []
    (lake / "ext2" / "cc" / "_delta_log" / f"{1:020}.json").write_text("this is no JSON\n")
    (broken,) = server.sql("select version, error from system.tables where \"table\" = 'cc'")
    assert broken["version"] == 0
    assert "malformed JSON" in broken["error"]


def test_tarn_write_names_the_lines_of_tables_that_cannot_be_written(make_server, tmp_path):
    make_foreign_tables(tmp_path / "lake")
    make_foreign_tables(tmp_path / "local")
    lines = tmp_path / "in.lp"
    lines.write_text(LINES)
    server = make_server()
    for target in (["--server", server.url], ["--lake", tmp_path / "local"]):
        done = run_tarn("write", lines, "--to", "ext2", *target)
        assert done.returncode == 2, done.stderr
        for line, words in REASONS.items():
            (told,) = [text for text in done.stderr.splitlines() if f"{lines}:{line}: " in text]
            assert all(word in told for word in words), told
        assert "5 lines not kept" in done.stderr
        read = run_tarn("sql", "-o", "csv", *target, "select count(*) from ext2.ok")
        assert read.stdout.split()[1:] == ["2"], read.stderr
