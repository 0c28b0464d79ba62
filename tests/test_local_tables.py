"""Files and folders as tables of `tarn sql`, and what it writes read back."""

import csv
import io
import json
import os
import stat

import polars
import pytest
from conftest import run_tarn


def fails(*arguments, env: dict | None = None, status: int = 2) -> str:
    done = run_tarn("sql", *arguments, env=env)
    assert done.returncode == status, done.stderr
    for inside in ("CREATE VIEW", "memory.main", "LINE 1", "INSTALL", "SET ", "COPY"):
        assert inside not in done.stderr
    return done.stderr


def test_a_bad_file_is_named_with_its_line(tmp_path):
    (tmp_path / "bad.ndjson").write_text('{"a":1}\n{"a":2}\n{bad\n')
    (tmp_path / "late.csv").write_text("a,b\n" + "1,2\n" * 30_000 + "x,2\n")
    for source in (["-t", f"t={tmp_path}/bad.ndjson", "select 1"], [f"select * from '{tmp_path}/bad.ndjson'"]):
        assert f'file "{tmp_path}/bad.ndjson", line 3, byte 2: malformed JSON' in fails(*source)
    complaint = fails("-t", f"t={tmp_path}/late.csv", "select sum(a) from t")
    assert f"{tmp_path}/late.csv:30002: " in complaint
    assert "\nThe line is: x,2\n" in complaint


@pytest.mark.parametrize(
    ("content", "place_and_reason"),
    [
        ("a,b,c\n1,2,3\n4,5,6\n7,8,9\n1,2,3,4\n5,6,7\n", "5: expected 3 columns, found 4"),
        ("a,b,c\n1,2,3\n4,5,6\n7,8\n1,2,3\n", "4: expected 3 columns, found 2"),
        pytest.param("a,b,c\n" + "1,2,3\n" * 30_000 + "4,5\n", "30002: expected 3 columns, found 2", id="late"),
        ("a;b\n1;2\n3;4;5\n", "3: expected 2 columns, found 3"),
        ("name\nann\nbob,x\n", "3: expected 1 column, found 2"),
        ("a title\n\na,b\n1,2\n", "3: expected 1 column, found 2"),
        ('a,b,c\n1,2,3\n4,"x,6\n7,8,9\n', "3: Value with unterminated quote found"),
        pytest.param("a,b\n" + "1,2\n" * 30_000 + "3,text\n", '30002: Error when converting column "b"', id="text"),
        (b"a,b\n1,x\n2,\xff\xfe\n3,z\n", "3: Invalid unicode"),
    ],
)
def test_a_faulty_line_of_a_csv_is_an_error(tmp_path, content, place_and_reason):
    path = tmp_path / "faulty.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    assert f"{path}:{place_and_reason}" in fails("-t", f"t={path}", "select max(columns(*)) from t")


@pytest.mark.parametrize(
    ("content", "rows"),
    [
        (b"a,b\n", 0),
        (b"\xef\xbb\xbfa,b\n1,2\n", 1),
        (b"a,b\n1,2\n#x,4\n3,4\n", 3),
        (b"a,b\r\n1,2\r\n3,4\r\n", 2),
        (b'"a,x";b\n1;"2\n2"\n3;4\n', 2),
        (b"a\tb\n1\t2\n", 1),
        (b"a|b\n1|2", 1),
    ],
)
def test_every_row_of_a_csv_is_read(tmp_path, content, rows):
    path = tmp_path / "good.csv"
    path.write_bytes(content)
    done = run_tarn("sql", "-o", "csv", "-t", f"t={path}", "select count(*) as n from t")
    assert (done.stdout, done.stderr) == (f"n\n{rows}\n", "")


def test_a_plan_is_readable():
    for output, first in (("table", "┌"), ("markdown", "```\n┌")):
        done = run_tarn("sql", "-o", output, "explain select 42 as answer")
        assert done.stdout.startswith(first)
        assert "PROJECTION" in done.stdout and "\\n" not in done.stdout and len(done.stdout.splitlines()) > 5


def test_a_name_belongs_to_one_table(tmp_path):
    (tmp_path / "a.csv").write_text("a\n1\n")
    assert run_tarn("write", "-", "--to", "b.m", "--lake", tmp_path / "lake", stdin="m v=1i 1\n").returncode == 0
    for other in (tmp_path / "a.csv", tmp_path / "lake" / "b" / "m"):
        complaint = fails("-t", f"t={tmp_path}/a.csv", "-t", f"T={other}", "select 1")
        assert complaint == (
            f"tarn: -t T={other}: the table name 'T' is given twice; choose another, as in -t other=URI\n"
        )


def test_a_file_has_no_versions(tmp_path):
    (tmp_path / "a.csv").write_text("a\n1\n")
    done = run_tarn("sql", "-t", tmp_path / "a.csv", "select * from a at (version => 1)")
    assert (done.returncode, done.stderr) == (3, "tarn: there is no Delta table 'a'; only these have versions\n")


def test_the_lake_of_the_environment(tmp_path):
    (tmp_path / "a.csv").write_text("a\n1\n")
    assert run_tarn("write", "-", "--to", "b.m", "--lake", tmp_path / "lake", stdin="m v=1i 1\n").returncode == 0
    here = {"TARN_LAKE": str(tmp_path / "lake")}
    gone = {"TARN_LAKE": str(tmp_path / "gone")}
    assert run_tarn("sql", "select v from b.m", env=here).returncode == 0
    # What is given on the command line wins.
    assert run_tarn("sql", "-t", f"t={tmp_path}/a.csv", "select * from t", env=gone).returncode == 0
    assert run_tarn("sql", "--lake", tmp_path / "lake", "select v from b.m", env=gone).returncode == 0
    assert run_tarn("table", "list", "--lake", tmp_path / "lake", env=gone).returncode == 0
    assert (
        run_tarn("write", "-", "--to", "b", "--lake", tmp_path / "lake", stdin="m v=2i 2\n", env=gone).returncode == 0
    )
    # A lake that was asked for is there, or that is the error.
    done = run_tarn("sql", "select 1", env=gone)
    assert (done.returncode, done.stderr) == (3, f"tarn: there is no lake at '{tmp_path}/gone'\n")
    assert run_tarn("sql", "select 1", env={"TARN_LAKE": ""}).returncode == 0


@pytest.mark.parametrize("values", ["1, null, 3", "null", "'a', null, '', 'b'"])
def test_every_row_of_a_csv_of_one_column_reads_back(tmp_path, values):
    done = run_tarn("sql", "-o", "csv", f"select unnest([{values}]) as v")
    rows = len(values.split(","))
    assert len(list(csv.DictReader(io.StringIO(done.stdout)))) == rows
    assert len(polars.read_csv(done.stdout.encode())) == rows
    path = tmp_path / "out.csv"
    path.write_bytes(done.stdout.encode())
    again = run_tarn(
        "sql", "-o", "json", "-t", f"t={path}", f"select count(*) as n from read_csv('{path}', header = true)"
    )
    assert json.loads(again.stdout) == [{"n": rows}], again.stderr


def test_arguments_that_nobody_knows():
    def complaint(*arguments) -> str:
        done = run_tarn(*arguments)
        assert done.returncode == 2
        return done.stderr

    commands = "there are serve, sql, write, table, version"
    assert complaint("bogus") == f"tarn: unknown command 'bogus'; {commands}\nRun `tarn --help` for more.\n"
    assert complaint("sqll", "select 1") == (
        f"tarn: unknown command 'sqll'; {commands}; did you mean sql?\nRun `tarn --help` for more.\n"
    )
    assert complaint() == f"tarn: a command is missing; {commands}\nRun `tarn --help` for more.\n"
    assert complaint("table", "lst") == (
        "tarn: unknown command 'lst'; there are list, describe, history, fsck, optimize, vacuum, cleanup, restore, alter, checkpoint; did you mean list?\n"
        "Run `tarn table --help` for more.\n"
    )
    assert complaint("sql", "--lak", "x", "select 1").startswith("tarn: unknown option '--lak'; did you mean --lake?\n")
    assert complaint("sql", "select", "1").startswith("tarn: unexpected argument '1'\n")
    assert complaint("sql").startswith("tarn: sql is required\n")
    assert "--lake" in complaint("sql", "--lake")
    for option in ("--lake", "--server", "--output-file"):
        assert f"{option}: must not be empty" in complaint("sql", option, "", "select 1")
    assert "--config: must not be empty" in complaint("serve", "-c", "")
    assert "there are table, csv, json" in complaint("sql", "-o", "xml", "select 1")
    assert run_tarn("--version").stdout == run_tarn("version").stdout


def test_a_pipe_is_written_to_and_not_replaced(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    # For reading too, so that nobody waits for the other end.
    end = os.open(pipe, os.O_RDWR)
    for sql, status in (("select 42 as n", 0), ("selec", 2)):
        assert run_tarn("sql", "-o", "csv", "--output-file", pipe, sql).returncode == status
        assert stat.S_ISFIFO(pipe.stat().st_mode)
        assert list(tmp_path.iterdir()) == [pipe]
    assert os.read(end, 100) == b"n\r\n42\r\n"
    os.close(end)


def test_a_folder_is_no_file(tmp_path):
    for arguments in (["sql", "--output-file", tmp_path, "select 1"], ["serve", "-c", tmp_path]):
        done = run_tarn(*arguments)
        assert done.returncode == 2
        assert f"'{tmp_path}' is a folder" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_csv_without_a_line_is_named(tmp_path):
    (tmp_path / "empty.csv").write_text("")
    complaint = fails("-t", f"t={tmp_path}/empty.csv", "select * from t")
    assert f"{tmp_path}/empty.csv: it has no line" in complaint


def test_percent_escapes_are_decoded_in_uris_alone(tmp_path):
    (tmp_path / "a b.csv").write_text("a\n1\n")
    (tmp_path / "a%20b.csv").write_text("a\n2\n")
    for uri, value in (
        (f"file://{tmp_path}/a%20b.csv", "1"),
        (f"{tmp_path}/a%20b.csv", "2"),
        (f"{tmp_path}/a b.csv", "1"),
    ):
        done = run_tarn("sql", "-o", "csv", "-t", f"t={uri}", "select a from t")
        assert done.stdout.split() == ["a", value], (uri, done.stderr)
    assert "hex digits" in fails("-t", f"t=file://{tmp_path}/a%2.csv", "select 1")
