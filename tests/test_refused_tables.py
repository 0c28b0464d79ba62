"""Tables of others that we cannot write, and things in the place of a table: good lines are kept all the same."""

import json

import pytest
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
    make_foreign_table(lake / "ext2" / "cc", FIELDS["cc"], configuration={"delta.constraints.pos": "v rlike '1'"})
    make_foreign_table(lake / "ext2" / "pos", FIELDS["cc"], configuration={"delta.constraints.pos": "v > 0"})
    make_foreign_table(lake / "ext2" / "nn", FIELDS["nn"], protocol=(1, 2))
    make_foreign_table(lake / "ext2" / "dv", FIELDS["dv"], protocol=(1, 7), features=["rowTracking"])
    (lake / "ext2" / "garb" / "_delta_log").mkdir(parents=True)
    (lake / "ext2" / "garb" / "_delta_log" / f"{0:020}.json").write_text("this is no JSON\n")


LINES = "cc v=1 1\nok v=1 1\nnn v=2 2\nnn req=3 3\ndv v=4 4\nok v=2 2\ncc v=6 6\npos v=1 1\npos v=-1 2\n"
REASONS = {
    1: ("ext2.cc", "the CHECK constraint pos (v rlike '1'): not understood at position 3"),
    3: ("'req'", "must not be null"),
    5: ("ext2.dv", "rowTracking"),
    7: ("ext2.cc", "the CHECK constraint pos"),
    9: ("the CHECK constraint pos (v > 0) is violated",),
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
            assert document["message"].startswith("partial write: 5 of 9 lines")
        else:
            reasons = {error["line_number"]: error["error_message"] for error in answer.json()["data"]}
        assert reasons.keys() == REASONS.keys(), answer
        for line, words in REASONS.items():
            assert all(word in reasons[line] for word in words), reasons[line]
    assert server.value("select count(*) from ext2.ok") == 6
    assert server.value("select count(*) from ext2.nn") == 3
    assert server.value("select count(*) from ext2.pos") == 3
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


WRITES = (
    "/api/v2/write?bucket=home",
    "/write?db=home",
    "/api/v3/write_lp?db=home",
    "/api/v3/write_lp?db=home&accept_partial=false",
)


def damage_commit(log):
    """Version 0 is no JSON."""
    log.joinpath(f"{0:020}.json").write_text("{oops")


def remove_commit(log):
    """A version is missing between others."""
    log.joinpath(f"{1:020}.json").unlink()


@pytest.mark.parametrize("damage", [damage_commit, remove_commit])
def test_a_damaged_table_refuses_bodies_until_it_is_mended(make_server, tmp_path, damage):
    """Nothing is kept of a body that has to be sent again, and nothing is lost: a 400 would have thrown it away."""
    server = make_server()
    for n in range(3):
        assert server.write("home", f"room v={n} {n + 1}\n").status == 204
        assert server.stop() == 0, "which commits"
        server.start()
    log = server.lake / "home" / "room" / "_delta_log"
    whole = {path: path.read_bytes() for path in log.iterdir()}
    damage(log)
    for derived in log.glob("*.crc"):
        derived.unlink()
    assert server.stop() == 0
    server.start()

    body = "room v=9 9\nother v=1 1\nroom v=10 10\n"
    for api in WRITES:
        answer = server.request("POST", api, body)
        assert (answer.status, answer.headers["Retry-After"]) == (503, "1"), answer
        document = answer.json()
        assert "home.room: " in document["message" if "v2" in api else "error"], answer
        assert "data" not in document and "line" not in document
    assert server.request("POST", WRITES[0], body + "bad\n").status == 503
    assert server.write("home", "third v=1 1\n").status == 204, "other tables take rows"
    lines = tmp_path / "in.lp"
    lines.write_text(body)
    through = run_tarn("write", lines, "--to", "home", "--server", server.url)
    assert through.returncode == 11 and "home.room: " in through.stderr, through.stderr
    local = run_tarn("write", lines, "--to", "home", "--lake", server.lake)
    assert local.returncode == 7 and "home.room: " in local.stderr, local.stderr
    assert {row["table"] for row in server.sql("from system.tables")} == {"room", "third"}, "nothing was begun"

    for path, content in whole.items():
        path.write_bytes(content)
    assert server.write("home", body).status == 204
    assert server.value("select count(*) from home.room") == 5
    assert server.value("select count(*) from home.other") == 1
    assert server.stop() == 0


def test_a_table_that_breaks_while_it_is_known_goes_on_taking_rows(make_server):
    server = make_server()
    assert server.write("home", "room v=1 1\n").status == 204
    commit = server.lake / "home" / "room" / "_delta_log" / f"{0:020}.json"
    assert server.stop() == 0
    server.start()
    assert server.value("select count(*) from home.room") == 1
    whole = commit.read_bytes()
    commit.write_text("{oops")
    assert server.write("home", "room v=2 2\n").status == 204
    commit.write_bytes(whole)
    assert server.value("select count(*) from home.room") == 2
    assert server.stop() == 0
