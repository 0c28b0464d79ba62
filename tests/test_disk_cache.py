"""What was read of a lake in an object store is read again from this machine's disk, and never instead of the truth."""

import re

import deltalake
import pyarrow as pa
import pytest
from conftest import run_tarn
from pyarrow.fs import FileSelector, S3FileSystem
from s3_service import KEY, REGION, SECRET
from test_remote_lakes import env, lake  # noqa: F401 (fixtures)

QUERY = "select count(*) as n, sum(v) as s from db.m where v >= 0"


@pytest.fixture
def cached(env, tmp_path):  # noqa: F811
    quiet = {"TARN_COMPACTION_INTERVAL": "0", "TARN_FLUSH_MAX_AGE": "1h"}
    return {**env, **quiet, "TARN_CACHE_DIRECTORY": str(tmp_path / "cache")}


def fill(service, lake: str, first: int, count: int = 50_000, mode: str = "append") -> None:  # noqa: F811
    rows = pa.table({"v": pa.array(range(first, first + count), pa.int64()), "s": [f"x{i}" for i in range(count)]})
    deltalake.write_deltalake(f"{lake}/db/m", rows, mode=mode, storage_options=service.options)


def metric(server, name: str) -> int:
    text = server.request("GET", "/metrics").body.decode()
    return int(float(re.search(rf"^{name} (\S+)", text, re.M)[1]))


def cost(server) -> tuple[int, int]:
    """Of the last query: what it asked the store for."""
    (row,) = server.sql(
        f"select storage_requests, storage_bytes from system.queries where sql = '{QUERY}' order by started desc limit 1"
    )
    return row["storage_requests"], row["storage_bytes"]


def expected(count: int) -> list[dict]:
    return [{"n": count, "s": count * (count - 1) // 2}]


def test_a_restarted_server_asks_for_no_data_again(service, make_server, lake, cached, tmp_path):  # noqa: F811
    for i in range(3):
        fill(service, lake, i * 50_000)
    server = make_server(lake=lake, env=cached)
    assert server.sql(QUERY) == expected(150_000)
    assert cost(server)[0] > 0
    assert metric(server, "tarn_cache_stored_bytes_total") > 100_000
    assert server.stop() == 0
    server.start()
    assert server.sql(QUERY) == expected(150_000)
    assert cost(server) == (0, 0)
    assert metric(server, "tarn_cache_hits_total") >= 3
    # What came meanwhile is seen, at the price of its own files.
    fill(service, lake, 150_000)
    server.kill()
    server.start()
    assert server.sql(QUERY) == expected(200_000)
    assert 0 < cost(server)[0] < 4
    assert server.stop() == 0

    # Files that were torn, or hold zeros after a power cut, are fetched again.
    for i, path in enumerate(sorted(path for path in (tmp_path / "cache").rglob("*") if path.is_file())):
        bytes_ = path.read_bytes()
        path.write_bytes(bytes_[: len(bytes_) // 2] if i % 2 else bytes(len(bytes_)))
    server.start()
    assert server.sql(QUERY) == expected(200_000)
    assert metric(server, "tarn_cache_damaged_total") > 0
    assert server.stop() == 0


def test_servers_share_a_folder_within_its_bound(service, make_server, lake, cached, tmp_path):  # noqa: F811
    for i in range(4):
        fill(service, lake, i * 50_000)
    small = {**cached, "TARN_CACHE_SIZE": "256KiB"}
    servers = [
        make_server(lake=lake, env={**small, "TARN_STATE_DIRECTORY": str(tmp_path / f"state{i}")}) for i in range(2)
    ]
    for _ in range(5):
        for server in servers:
            assert server.sql(QUERY) == expected(200_000)
    used = sum(path.stat().st_size for path in (tmp_path / "cache").rglob("*") if path.is_file())
    assert used <= (256 + 2 * (256 // 16 + 132)) << 10, "each may be a sixteenth and a block above"
    assert all(server.stop() == 0 for server in servers)


def test_a_table_made_anew_is_not_the_old_one(service, make_server, lake, cached):  # noqa: F811
    fill(service, lake, 0, 1000)
    fill(service, lake, 1000, 1000)
    server = make_server(lake=lake, env=cached)
    assert server.sql(QUERY) == expected(2000)
    assert server.stop() == 0
    store = S3FileSystem(access_key=KEY, secret_key=SECRET, region=REGION, endpoint_override=service.url)
    for info in store.get_file_info(FileSelector(lake.removeprefix("s3://") + "/db/m", recursive=True)):
        if info.is_file:
            store.delete_file(info.path)
    fill(service, lake, 0, 10)
    fill(service, lake, 10, 10)
    server.start()
    assert server.sql(QUERY) == expected(20)
    assert server.stop() == 0


def test_a_folder_that_others_may_enter_is_refused(service, lake, cached, tmp_path):  # noqa: F811
    (tmp_path / "cache").mkdir(mode=0o755)
    refused = run_tarn("serve", "--lake", lake, "--addr-http", "127.0.0.1:0", env=cached)
    assert refused.returncode != 0
    assert "0700" in refused.stderr and str(tmp_path / "cache") in refused.stderr, refused


def test_the_command_line_reads_from_it(service, lake, env, tmp_path):  # noqa: F811
    fill(service, lake, 0)
    cache = ["--cache-directory", str(tmp_path / "cache"), "--cache-size", "64MiB"]
    lakes = {"db.m": ["--lake", lake], "t": ["-t", f"t={lake}/db/m"]}
    for table, at in lakes.items():
        query = ["sql", "-o", "csv", f"select count(*), sum(v) from {table}", *at]
        assert run_tarn(*query, *cache, env=env).stdout.splitlines()[1] == "50000,1249975000"
    assert any((tmp_path / "cache").rglob("*"))
    # What is read again is not asked for again: the file may be gone.
    files = S3FileSystem(
        access_key=KEY, secret_key=SECRET, region=REGION, endpoint_override=service.env["AWS_ENDPOINT_URL"]
    )
    for found in files.get_file_info(FileSelector(f"{lake.removeprefix('s3://')}/db/m", recursive=True)):
        if found.path.endswith(".parquet"):
            files.delete_file(found.path)
    for table, at in lakes.items():
        query = ["sql", "-o", "csv", f"select count(*), sum(v) from {table}", *at]
        assert run_tarn(*query, *cache, env=env).stdout.splitlines()[1] == "50000,1249975000"
        assert run_tarn(*query, env=env).returncode != 0
