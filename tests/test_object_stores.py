"""Real object stores: what a store promises, many writers on one table, and the command line reading from them."""

import os
import subprocess

import deltalake
import polars
import pyarrow as pa
from conftest import run_tarn
from dev_tasks import build
from s3_service import Service, certificate

WRITERS, COMMITS = 6, 10


def room_test(room: str, env: dict[str, str], uri: str) -> None:
    """Runs a room's own tests against the service."""
    program = build.build("dev", [f"tarn_{room}_test"], quiet=True) / "src" / f"tarn_{room}_test"
    done = subprocess.run(
        [program, "--gtest_filter=Service/*", "--gtest_brief=1"],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **env, "TARN_TEST_S3_URI": uri},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "[  PASSED  ] 0 tests" not in done.stdout


def sql(text: str, *arguments: str, env: dict[str, str]) -> str:
    done = run_tarn("sql", "-o", "csv", *arguments, text, env=env)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_service_keeps_what_a_store_promises(service):
    room_test("storage", service.env, "s3://lake/conformance")


def test_many_writers_on_one_table(service):
    room_test("delta", service.env, "s3://lake/db/writers")
    rows = [(writer, row) for writer in range(WRITERS) for row in range(COMMITS)]
    theirs = deltalake.DeltaTable("s3://lake/db/writers", storage_options=service.options)
    assert theirs.version() == len(rows)
    table = theirs.to_pyarrow_table()
    assert sorted(zip(table["writer"].to_pylist(), table["row"].to_pylist(), strict=True)) == rows
    shown = sql("select * from t order by all", "-t", "t=s3a://lake/db/writers", env=service.env)
    assert shown.split() == ["writer,row", *(f"{writer},{row}" for writer, row in rows)]
    assert run_tarn("table", "fsck", "s3://lake/db/writers", "--check-data", env=service.env).returncode == 0


def test_their_tables_and_versions(service):
    uri = "s3://lake/db/theirs"
    for start in (0, 1_000_000):
        rows = pa.table({"n": list(range(start, start + 100_000)), "text": [f"ü{i}" for i in range(100_000)]})
        deltalake.write_deltalake(uri, rows, mode="append", storage_options=service.options)
    answer = sql(
        "select count(*) as c, max(n) as m, count(distinct text) as d from t", "-t", f"t={uri}", env=service.env
    )
    assert answer == "c,m,d\n200000,1099999,100000\n"
    assert sql("select count(*) as c from t at (version => 0)", "-t", f"t={uri}", env=service.env) == "c\n100000\n"


def test_a_lake_is_read_where_it_is(service):
    polars.DataFrame({"day": ["a b", "c/d"], "v": [1, 2]}).write_delta(
        "s3://lake/db/mine", storage_options=service.options, delta_write_options={"partition_by": ["day"]}
    )
    lake = ["--lake", "s3://lake"]
    assert sql("select day, v from db.mine order by v", *lake, env=service.env) == "day,v\na b,1\nc/d,2\n"
    listed = run_tarn("table", "list", *lake, env=service.env)
    assert "db.mine" in listed.stdout, listed.stderr
    described = run_tarn("table", "describe", "db.mine", *lake, env=service.env)
    assert "location   s3://lake/db/mine\n" in described.stdout, described.stderr
    assert "WRITE" in run_tarn("table", "history", "db.mine", *lake, env=service.env).stdout
    assert run_tarn("table", "fsck", "db.mine", "--check-files", *lake, env=service.env).returncode == 0


def test_errors_name_what_and_where_and_no_secret(service):
    missing = run_tarn("sql", "-t", "t=s3://lake/none", "select 1", env=service.env)
    assert missing.returncode == 3 and "s3://lake/none" in missing.stderr, missing
    wrong = run_tarn(
        "sql", "-t", "t=s3://lake/x", "select 1", env={**service.env, "AWS_SECRET_ACCESS_KEY": "not-the-secret"}
    )
    assert wrong.returncode == 8, wrong
    assert "403" in wrong.stderr and "not-the-secret" not in wrong.stderr
    nobody = run_tarn("sql", "-t", "t=s3://no-such-bucket/x", "select 1", env=service.env)
    assert nobody.returncode == 11 and "NoSuchBucket" in nobody.stderr, nobody


def test_a_server_must_prove_who_it_is(tmp_path):
    trust, key = certificate(tmp_path)
    service = Service("versitygw", tmp_path, (trust, key)).start()
    try:
        trusted = {**service.env, "AWS_CA_BUNDLE": str(trust)}
        room_test("delta", trusted, "s3://lake/db/t")
        assert sql("select count(*) as c from t", "-t", "t=s3://lake/db/t", env=trusted) == "c\n60\n"
        untrusted = run_tarn("sql", "-t", "t=s3://lake/db/t", "select 1", env=service.env)
        assert untrusted.returncode == 9, untrusted
        assert "certificate" in untrusted.stderr
    finally:
        service.stop()
