"""Which folder of a lake is which table: spellings, encodings, links, and paths that lead out of a table."""

import json
import shutil

import pytest
from conftest import run_tarn


def error(reply) -> tuple[int, str]:
    return reply.status, reply.json()["detail"]


def values(server, table: str) -> list[int]:
    return [row["v"] for row in server.sql(f"select v from {table} order by v")]


@pytest.fixture
def lake(make_server, tmp_path):
    """A lake with the table home.room, its server stopped."""
    server = make_server()
    assert server.write("home", "room v=1i 1\n").status == 204
    assert server.stop() == 0
    return tmp_path / "lake"


def check_two_spellings(server, lake):
    assert values(server, "home.room")[0] == 1
    assert server.value('select count(*) from "home".room as a join home.ROOM as b using (v)') == len(
        values(server, "home.room")
    )
    assert server.value("select count(*) from home.room as a join Home.room as b using (v) where v = 2") == 0
    status, message = error(server.request("POST", "/api/sql", "select * from HOME.room"))
    assert status == 400
    assert "'Home' and 'home'" in message
    listed = {(row["database"], row["table"]) for row in server.sql("select * from system.tables")}
    assert listed == {("home", "room"), ("Home", "room")}
    assert {row["name"] for row in server.sql("show tables")} == {"home.room", "Home.room"}
    names = server.sql("select table_schema as d from information_schema.tables where table_name = 'room' order by 1")
    assert [row["d"] for row in names] == ["Home", "home"]
    # And without a server.
    listing = run_tarn("table", "list", "--lake", lake).stdout
    assert "home.room" in listing
    assert "Home.room" in listing
    assert "ambiguous" in run_tarn("sql", "--lake", lake, "from HOME.room").stderr


def test_databases_that_differ_only_in_case(make_server, lake):
    shutil.copytree(lake / "home", lake / "Home")
    server = make_server()
    assert server.write("home", "room v=2i 2\n").status == 204
    assert server.write("Home", "room v=3i 3\n").status == 204
    assert server.write("HOME", "room v=4i 4\n").status == 400
    for _ in range(2):
        assert values(server, "home.room") == [1, 2]
        assert values(server, '"Home".room') == [1, 3]
        check_two_spellings(server, lake)
        assert server.stop() == 0
        warnings = [line for line in server.log if "differ only in case" in line]
        assert len(warnings) == 1, warnings
        assert "folder=Home  other=home" in warnings[0]
        server = make_server()


def test_measurements_that_differ_only_in_case(make_server, lake):
    server = make_server()
    refused = server.write("home", "Room v=2i 2\n")
    assert refused.status == 400
    assert "home.Room differs only in case from home.room" in refused.json()["message"]
    assert server.stop() == 0
    shutil.copytree(lake / "home" / "room", lake / "home" / "Room")
    server = make_server()
    assert server.write("home", "Room v=2i 2\n").status == 204
    assert server.write("home", "room v=3i 3\n").status == 204
    # One body for both, and for new names.
    reply = server.write("home", "room v=4i 4\nRoom v=5i 5\nHall v=1i 1\nhall v=2i 2\nROOM v=6i 6\n")
    assert reply.status == 400
    assert "line 4: measurement 'hall' differs only in case from 'Hall'" in reply.json()["message"]
    assert "line 5: " in reply.json()["message"]
    assert values(server, "home.Hall") == [1]
    for _ in range(2):
        assert values(server, "home.room") == [1, 3, 4]
        assert values(server, "home.Room") == [1, 2, 5]
        status, message = error(server.request("POST", "/api/sql", "select * from home.ROOM"))
        assert status == 400
        assert "'home/Room' and 'home/room'" in message
        server.kill()
        server = make_server()


def test_two_encodings_of_one_name(make_server, lake):
    (lake / "home" / "room").rename(lake / "home" / "my room")
    server = make_server()
    assert server.write("home", "my\\ room v=2i 2\n").status == 204
    assert values(server, 'home."my room"') == [1, 2]
    assert server.stop() == 0
    shutil.copytree(lake / "home" / "my room", lake / "home" / "my%20room")
    server = make_server()
    assert server.write("home", "my\\ room v=3i 3\n").status == 204
    assert values(server, 'home."my room"') == [1, 2, 3]
    assert len(server.sql("select * from system.tables")) == 1
    assert server.stop() == 0
    warnings = [line for line in server.log if "one name" in line]
    assert len(warnings) == 1, warnings
    assert 'folder=home/my%20room  other="home/my room"' in warnings[0]
    assert (lake / "home" / "my%20room" / "_delta_log" / f"{2:020}.json").exists()


def test_links(make_server, lake, tmp_path):
    (lake / "home").rename(tmp_path / "elsewhere")
    (lake / "home").symlink_to(tmp_path / "elsewhere")
    (lake / "loop").symlink_to(lake)
    (lake / "self").symlink_to(lake / "self")
    (lake / "gone").symlink_to(tmp_path / "gone")
    (lake / "home" / "alias").symlink_to("room")
    server = make_server()
    assert server.write("home", "room v=2i 2\nalias v=3i 3\n").status == 204
    for _ in range(2):
        assert values(server, "home.room") == [1, 2, 3]
        assert values(server, "home.alias") == [1, 2, 3]
        names = [(row["database"], row["table"]) for row in server.sql("select * from system.tables")]
        assert names == [("home", "alias"), ("home", "room")]
        assert server.stop() == 0
        server = make_server()


@pytest.mark.parametrize(
    "path", ["../../../secret.parquet", "/etc/hostname", "file:///etc/hostname", "a/../../../../x.parquet"]
)
def test_a_log_cannot_point_out_of_its_lake(make_server, lake, path):
    log = lake / "home" / "room" / "_delta_log"
    add = {"path": path, "size": 1, "partitionValues": {}, "modificationTime": 0, "dataChange": True}
    (log / f"{1:020}.json").write_text(json.dumps({"add": {**add, "partitionValues": {"time_date": "1970-01-01"}}}))
    server = make_server()
    status, message = error(server.request("POST", "/api/sql", "select * from home.room"))
    assert status == 403
    assert f"{path} lies outside of the table" in message
    assert str(lake) not in message and str(lake.parent) not in message


def test_clients_do_not_see_where_the_lake_lies(make_server, tmp_path):
    lake = tmp_path / "lake"
    server = make_server()
    tables = ["missing", "garbage", "folder", "looped", "fine"]
    assert server.write("db", "".join(f"{table} v=1i 1\n" for table in tables)).status == 204
    assert server.stop() == 0
    files = {table: next((lake / "db" / table).rglob("*.parquet")) for table in tables}
    for table in ("missing", "folder", "looped"):
        files[table].unlink()
    files["garbage"].write_bytes(b"garbage " * 20)
    files["folder"].mkdir()
    files["looped"].symlink_to(files["looped"])
    server = make_server()
    for table in tables[:-1]:
        refused = server.request("POST", "/api/sql", f"from db.{table}")
        assert refused.status >= 400
        detail = refused.json()["detail"]
        assert f"db.{table} " in detail
        assert files[table].relative_to(lake / "db" / table).as_posix() in detail
        assert str(tmp_path) not in detail
    assert server.value("select filename from db.fine") == f"tarn://{files['fine'].relative_to(lake).as_posix()}"
