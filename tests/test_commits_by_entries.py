"""Commits that entries in DynamoDB decide, in Spark's layout: what is left behind, writers that die or come together."""

import re
import threading

import deltalake
import pytest
from conftest import run_tarn
from dynamodb_service import DynamoDb
from gateway import Gateway

WRITERS, COMMITS = 3, 8


@pytest.fixture(scope="module")
def dynamodb(tmp_path_factory):
    running = DynamoDb(tmp_path_factory.mktemp("dynamodb")).start()
    yield running
    running.stop()


@pytest.fixture
def lake(request):
    """A fresh place in the bucket."""
    return "lake/" + re.sub(r"\W+", "-", request.node.name).strip("-")


@pytest.fixture
def env(service, dynamodb, tmp_path):
    return {**service.env, **dynamodb.env, "TARN_STATE_DIRECTORY": str(tmp_path / "state")}


def write(lake: str, values: list[int], env) -> None:
    """One commit to db.m."""
    text = "".join(f"m v={value}i {1_700_000_000_000_000_000 + value}\n" for value in values)
    done = run_tarn("write", "-", "--to", "db.m", "--lake", f"s3://{lake}", stdin=text, env=env)
    assert done.returncode == 0, done


def insert(lake: str, value: int) -> list[str]:
    """The arguments of a commit without a write-ahead log, which would do it again."""
    return ["sql", "-t", f"m=s3://{lake}/db/m", f"insert into m (v, time) values ({value}, now())"]


def rows(lake: str, env) -> list[int]:
    done = run_tarn("sql", "-o", "csv", "-t", f"m=s3://{lake}/db/m", "select v from m order by v", env=env)
    assert done.returncode == 0, done
    return [int(line) for line in done.stdout.split()[1:]]


def test_commits_leave_what_spark_leaves(service, dynamodb, lake, env):
    write(lake, [1], env)
    write(lake, [2], env)
    dynamodb.check_entries(service, f"s3://{lake}/db/m", versions=2)
    assert rows(lake, env) == [1, 2]
    others = deltalake.DeltaTable(f"s3://{lake}/db/m", storage_options=service.options)
    assert sorted(others.to_pyarrow_table()["v"].to_pylist()) == [1, 2]
    checked = run_tarn("table", "fsck", f"s3://{lake}/db/m", "--check-data", env=env)
    assert checked.returncode == 0, checked
    plan = run_tarn("table", "vacuum", f"s3://{lake}/db/m", "--dry-run", "--retention", "7d", env=env)
    assert plan.returncode == 0 and ".tmp" not in plan.stdout, plan


def test_writers_of_several_processes_lose_and_double_nothing(service, dynamodb, lake, env):
    write(lake, [0], env)
    failed = []

    def run(writer: int) -> None:
        for commit in range(COMMITS):
            done = run_tarn(*insert(lake, 100 * (writer + 1) + commit), env=env)
            if done.returncode != 0:
                failed.append(done)

    writers = [threading.Thread(target=run, args=(writer,)) for writer in range(WRITERS)]
    for thread in writers:
        thread.start()
    for thread in writers:
        thread.join()
    assert not failed, failed
    assert rows(lake, env) == [0, *(100 * (w + 1) + c for w in range(WRITERS) for c in range(COMMITS))]
    dynamodb.check_entries(service, f"s3://{lake}/db/m", versions=1 + WRITERS * COMMITS)


def test_a_server_commits_by_entries_where_the_store_overlooks_conditions(service, dynamodb, lake, env, make_server):
    with Gateway(service.url, without="if-none-match") as gateway:
        careless = {**env, "AWS_ENDPOINT_URL": gateway.url}
        del careless["TARN_DYNAMODB_TABLE"]
        flags = ["--dynamodb-table", "delta_log", "--dynamodb-endpoint", dynamodb.url]
        del careless["AWS_ENDPOINT_URL_DYNAMODB"]
        server = make_server(*flags, lake=f"s3://{lake}", env={**careless, "TARN_FLUSH_MAX_AGE": "50ms"})
        assert server.write("db", "m v=1i 1\n").status == 204
        assert server.value("select count(*) from db.m") == 1
        assert server.stop() == 0
        done = run_tarn(
            "write", "-", "--to", "db.m", "--lake", f"s3://{lake}", *flags, stdin="m v=2i 2\n", env=careless
        )
        assert done.returncode == 0, done
    assert rows(lake, env) == [1, 2]
    dynamodb.check_entries(service, f"s3://{lake}/db/m", versions=2)


def test_a_table_has_one_way_of_committing(service, dynamodb, lake, env):
    without = {name: value for name, value in env.items() if name != "TARN_DYNAMODB_TABLE"}
    write(lake, [1], env)
    refused = run_tarn(*insert(lake, 2), env=without)
    assert refused.returncode == 6 and "dynamodb.table" in refused.stderr, refused
    assert rows(lake, without) == [1]
    other = f"{lake}-other"
    write(other, [1], without)
    refused = run_tarn(*insert(other, 2), env=env)
    assert refused.returncode == 6 and "without an entry" in refused.stderr, refused
    assert rows(other, env) == [1]


def test_errors_name_table_and_place(service, dynamodb, lake, env):
    missing = run_tarn("sql", "-t", f"m=s3://{lake}/db/m", "select 1", "--dynamodb-table", "none", env=env)
    assert missing.returncode == 11, missing
    assert "DynamoDB table 'none' in us-east-1" in missing.stderr and "no such table" in missing.stderr
    wrong = run_tarn("table", "list", "--lake", f"s3://{lake}", "--dynamodb-scheme", "s3a://", env=env)
    assert wrong.returncode == 2 and "--dynamodb-scheme" in wrong.stderr, wrong
    with Gateway(dynamodb.url, at=lambda when, name: True) as gateway:
        unreachable = run_tarn(
            "sql", "-t", f"m=s3://{lake}/db/m", "select 1", "--dynamodb-endpoint", gateway.url, env=env
        )
    assert unreachable.returncode == 11 and gateway.url in unreachable.stderr, unreachable
