"""Clients of InfluxDB write to us unchanged."""

import subprocess

import influxdb_client
import influxdb_client_3
from conftest import Server
from dev_tasks import parts
from influxdb_client.client.write_api import SYNCHRONOUS

SAMPLE = "".join(f"weather,city=c{n % 3} temp={n}.5,ok=true {1700000000 + n}000000000\n" for n in range(200))


def test_influxdb_client_v2(server: Server):
    with influxdb_client.InfluxDBClient(url=server.url, token="any", org="any") as client:
        assert client.ping()
        assert client.health().status == "pass"
        with client.write_api(write_options=SYNCHRONOUS) as api:
            api.write(bucket="v2", record=SAMPLE.splitlines())
            api.write(bucket="v2", record=influxdb_client.Point("pt").tag("t", "x y").field("f", 1.25).field("n", 3))
    assert server.value("select count(*) from v2.weather") == 200
    assert server.sql("select t, f, n from v2.pt") == [{"t": "x y", "f": 1.25, "n": 3}]


def test_influxdb_client_v3(server: Server):
    with influxdb_client_3.InfluxDBClient3(
        host=server.url,
        token="any",
        database="v3",
        write_client_options=influxdb_client_3.write_client_options(write_options=influxdb_client_3.SYNCHRONOUS),
    ) as client:
        client.write(SAMPLE.splitlines())
    assert server.value("select count(*), min(city) as c from v3.weather".replace(", min(city) as c", "")) == 200


def test_influx_command_line_v1(server: Server, tmp_path):
    host, port = server.url.removeprefix("http://").split(":")
    influx = parts.influx_cli()
    done = subprocess.run(
        [influx, "-host", host, "-port", port, "-execute", "create database v1"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    (tmp_path / "in.txt").write_text("# DML\n# CONTEXT-DATABASE: v1\n" + SAMPLE)
    done = subprocess.run(
        [influx, "-host", host, "-port", port, "-import", f"-path={tmp_path / 'in.txt'}"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Failed 0 inserts" in done.stderr + done.stdout, done
    assert server.value("select count(*) from v1.weather") == 200


def test_telegraf(server: Server, tmp_path):
    (tmp_path / "lines.txt").write_text(SAMPLE)
    (tmp_path / "telegraf.conf").write_text(f"""
[agent]
  omit_hostname = true
  flush_interval = "200ms"
  interval = "1s"
[[inputs.file]]
  files = ["{tmp_path / "lines.txt"}"]
  data_format = "influx"
[[outputs.influxdb_v2]]
  urls = ["{server.url}"]
  token = "any"
  organization = "any"
  bucket = "telegraf2"
[[outputs.influxdb]]
  urls = ["{server.url}"]
  database = "telegraf1"
""")
    done = subprocess.run(
        [parts.telegraf(), "--config", tmp_path / "telegraf.conf", "--once"],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert " E! " not in done.stderr, done.stderr
    for database in ("telegraf2", "telegraf1"):
        assert server.value(f"select count(*) from {database}.weather") == 200


def test_gzip_multi_member_and_chunked(server: Server):
    import gzip
    import http.client

    half = len(SAMPLE.splitlines()) // 2
    lines = SAMPLE.splitlines(keepends=True)
    body = gzip.compress("".join(lines[:half]).encode()) + gzip.compress("".join(lines[half:]).encode())
    connection = http.client.HTTPConnection(server.url.removeprefix("http://"))
    pieces = (body[at : at + 1000] for at in range(0, len(body), 1000))
    connection.request(
        "POST",
        "/api/v2/write?bucket=gz",
        body=pieces,
        encode_chunked=True,
        headers={"Content-Encoding": "gzip", "Transfer-Encoding": "chunked"},
    )
    reply = connection.getresponse()
    assert (reply.status, reply.read()) == (204, b"")
    assert server.value("select count(*) from gz.weather") == 200
