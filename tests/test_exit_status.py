"""Each command ends with the status that the error table has for what went wrong."""

import http.server
import json
import socket
import threading

import pytest
from conftest import run_tarn

# Code, HTTP status, exit status: the table of the contract.
TABLE = [
    ("InvalidArgument", 400, 2),
    ("NotFound", 404, 3),
    ("AlreadyExists", 409, 4),
    ("Conflict", 409, 5),
    ("Unsupported", 422, 6),
    ("Corruption", 500, 7),
    ("PermissionDenied", 403, 8),
    ("Unauthenticated", 401, 9),
    ("ResourceExhausted", 429, 10),
    ("Unavailable", 503, 11),
    ("Indeterminate", 500, 12),
    ("Cancelled", 500, 13),
    ("DeadlineExceeded", 504, 14),
    ("Internal", 500, 15),
]


class Answering(http.server.BaseHTTPRequestHandler):
    """Answers each POST as the test says."""

    protocol_version = "HTTP/1.1"

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        status, body = self.server.answer
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def stub():
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answering) as server:
        server.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("code, http_status, exit_status", TABLE)
def test_what_a_server_answers_to_a_query(stub, code, http_status, exit_status):
    stub.answer = (http_status, json.dumps({"code": code, "detail": "so it is", "status": http_status}).encode())
    done = run_tarn("sql", "--server", stub.url, "select 1")
    assert (done.returncode, done.stderr) == (exit_status, "tarn: so it is\n")


@pytest.mark.parametrize(
    "http_status, exit_status",
    [(400, 2), (401, 9), (403, 8), (404, 3), (409, 4), (413, 10), (422, 6), (429, 10), (500, 15), (503, 11), (504, 14)],
)
def test_what_a_server_answers_to_a_write(stub, tmp_path, http_status, exit_status):
    stub.answer = (http_status, b'{"error": "so it is"}')
    lines = tmp_path / "in.lp"
    lines.write_text("m v=1\n")
    done = run_tarn("write", lines, "--to", "b", "--server", stub.url)
    assert (done.returncode, done.stderr) == (exit_status, f"tarn: {lines}: so it is\n")


@pytest.fixture(scope="module")
def lake(tmp_path_factory):
    folder = tmp_path_factory.mktemp("exit") / "lake"
    assert run_tarn("write", "-", "--to", "b", "--lake", folder, stdin="m v=1i 1\n").returncode == 0
    broken = folder / "b" / "broken" / "_delta_log"
    broken.mkdir(parents=True)
    (broken / f"{0:020}.json").write_text("{no json\n")
    foreign = folder / "b" / "future" / "_delta_log"
    foreign.mkdir(parents=True)
    protocol = {
        "minReaderVersion": 3,
        "minWriterVersion": 7,
        "readerFeatures": ["sparkles"],
        "writerFeatures": ["sparkles"],
    }
    columns = {"type": "struct", "fields": [{"name": "v", "type": "long", "nullable": True, "metadata": {}}]}
    table = {"id": "x", "format": {"provider": "parquet", "options": {}}, "schemaString": json.dumps(columns)}
    table |= {"partitionColumns": [], "configuration": {}}
    (foreign / f"{0:020}.json").write_text(json.dumps({"protocol": protocol}) + "\n" + json.dumps({"metaData": table}))
    return folder


def nobody_listens() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{probe.getsockname()[1]}"


@pytest.mark.parametrize(
    "arguments, exit_status",
    [
        ("--help", 0),
        ("version", 0),
        ("version extra", 2),
        ("nonsense", 2),
        ("", 2),
        ("sql --lake LAKE {select v from b.m}", 0),
        ("sql --lake LAKE {selec 1}", 2),
        ("sql --lake LAKE {select nope from b.m}", 2),
        ("sql --lake LAKE -o yaml {select 1}", 2),
        ("sql --lake LAKE --server http://x {select 1}", 2),
        ("sql --lake LAKE", 2),
        ("sql --lake LAKE {select * from b.nope}", 3),
        ("sql --lake LAKE {select * from nope.m}", 3),
        ("sql --lake LAKE {select * from b.m at (version => 99)}", 3),
        ("sql --lake LAKE {select * from b.m at (timestamp => '1999-01-01')}", 3),
        ("sql --lake LAKE {select * from b.m at (timestamp => now())}", 0),
        ("sql --lake TMP/none {select 1}", 3),
        ("sql --lake gs://bucket/lake {select 1}", 6),
        ("sql --lake LAKE {select * from b.future}", 6),
        ("sql --lake LAKE {select * from b.broken}", 7),
        ("sql --lake LAKE {drop table b.m}", 8),
        ("sql --lake LAKE {select getenv('HOME')}", 8),
        ("sql --lake LAKE {select len(range(2000000000))}", 10),
        ("sql --server NOBODY {select 1}", 11),
        ("sql --server http://127.0.0.1:99999 {select 1}", 2),
        ("sql --server ftp://127.0.0.1 {select 1}", 2),
        ("sql -t t=TMP/none.parquet {select * from t}", 3),
        ("sql -t t=TMP {select * from t}", 3),
        ("sql -t t=LAKE/b/m {select * from t}", 0),
        ("sql -t t=LAKE/b/future {select * from t}", 6),
        ("sql -t t=LAKE/b/broken {select * from t}", 7),
        ("write TMP/none.lp --to b --lake LAKE", 3),
        ("write TMP/none.lp --lake LAKE", 2),
        ("write - --to system.m --lake LAKE", 2),
        ("write - --to b --precision h --lake LAKE", 2),
        ("write x.csv --to b --lake LAKE", 6),
        ("write - --to b --lake https://127.0.0.1:1/lake", 6),
        ("table", 2),
        ("table list --lake LAKE", 0),
        ("table list --lake TMP/none", 3),
        ("table describe b.m --lake LAKE", 0),
        ("table describe b --lake LAKE", 2),
        ("table describe b.nope --lake LAKE", 3),
        ("table describe b.future --lake LAKE", 6),
        ("table describe b.broken --lake LAKE", 7),
        ("table history b.m --lake LAKE", 0),
        ("table history b.m --limit 0 --lake LAKE", 2),
        ("table history b.nope --lake LAKE", 3),
        ("table fsck b.m --lake LAKE", 0),
        ("table fsck b.m --check-data --json --lake LAKE", 0),
        ("table fsck b --lake LAKE", 2),
        ("table fsck b.nope --lake LAKE", 3),
        ("table fsck b.broken --lake LAKE", 7),
        ("table fsck LAKE/b/m", 0),
        ("table vacuum b.m --lake LAKE", 0),
        ("table vacuum LAKE/b/m --dry-run --json", 0),
        ("table vacuum b.m --lite --lake LAKE", 0),
        ("table vacuum b.m --retention 1h --lake LAKE", 2),
        ("table vacuum b.m --retention soon --lake LAKE", 2),
        ("table vacuum b.nope --lake LAKE", 3),
        ("table vacuum b.future --lake LAKE", 6),
        ("table vacuum b.broken --lake LAKE", 7),
        ("table cleanup b.m --lake LAKE", 0),
        ("table cleanup b.m --dry-run --json --lake LAKE", 0),
        ("table cleanup b.nope --lake LAKE", 3),
        ("table restore b.m --lake LAKE", 2),
        ("table restore b.m --version 99 --lake LAKE", 3),
        ("table restore b.m --timestamp soon --lake LAKE", 2),
        ("table restore b.m --timestamp 1999-01-01 --lake LAKE", 3),
        ("table restore b.nope --version 0 --lake LAKE", 3),
        ("table fsck b.m --repair --json --lake LAKE", 0),
        ("table checkpoint b.m --json --lake LAKE", 0),
        ("table checkpoint b.future --lake LAKE", 6),
        ("table history b.m --json --lake LAKE", 0),
        ("table optimize b.m --dry-run --json --lake LAKE", 0),
        ("table optimize b.m --json --lake LAKE", 0),
        ("table optimize b.m --lake LAKE", 0),
        ("table optimize b.nope --lake LAKE", 3),
        ("serve -c TMP/none.yaml", 3),
        ("serve --lake LAKE --addr-http nowhere", 2),
        ("serve --lake LAKE --addr-http 0.0.0.0:0", 2),
        ("serve --lake LAKE --flush-max-age soon", 2),
        ("sql --lake LAKE --memory-limit 128MiB {select 1}", 0),
        ("sql --lake LAKE --memory-limit little {select 1}", 2),
        ("sql --server http://127.0.0.1:1 --memory-limit 1GiB {select 1}", 2),
        ("sql --server http://127.0.0.1:1 --partition-timezone Europe/Bern {select 1}", 2),
        ("sql --server http://127.0.0.1:1 --dynamodb-table t {select 1}", 2),
        ("serve --lake https://127.0.0.1:1/lake --addr-http 127.0.0.1:0", 6),
        ("serve --lake memory:// --addr-http 127.0.0.1:0", 6),
    ],
)
def test_what_each_command_exits_with(lake, tmp_path, arguments, exit_status):
    before, _, sql = arguments.partition(" {")
    words = [
        word.replace("LAKE", str(lake)).replace("TMP", str(tmp_path)).replace("NOBODY", nobody_listens())
        for word in before.split()
    ]
    done = run_tarn(*words, *([sql.rstrip("}")] if sql else []), stdin="m v=1i 1\n")
    assert done.returncode == exit_status, done.stderr
    if exit_status:
        assert done.stderr.strip(), "a failure says why"


def test_a_port_that_is_taken(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        done = run_tarn("serve", "--lake", tmp_path / "l", "--addr-http", f"127.0.0.1:{taken.getsockname()[1]}")
    assert done.returncode == 4
    assert "already listens" in done.stderr


def test_a_query_that_takes_too_long(make_server):
    server = make_server(env={"TARN_QUERY_TIMEOUT": "100ms"})
    sql = "select count(*) from range(1000000) a, range(1000000) b where a.range * b.range % 7 = 1"
    assert run_tarn("sql", "--server", server.url, sql).returncode == 14


def test_an_answer_that_breaks_off_and_nobody_knows_why():
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer():
            # The query, and then the question why it broke off.
            for _ in range(2):
                connection, _ = listener.accept()
                with connection:
                    connection.recv(65536)
                    head = b"HTTP/1.1 200 OK\r\nX-Tarn-Query-Id: abc-1\r\nTransfer-Encoding: chunked\r\n\r\n"
                    connection.sendall(head + b"5\r\n[{}, \r\n")

        thread = threading.Thread(target=answer)
        thread.start()
        done = run_tarn("sql", "--server", f"http://127.0.0.1:{listener.getsockname()[1]}", "-o", "json", "select 1")
        thread.join()
    assert done.returncode == 11
    assert "broke off" in done.stderr and "abc-1" in done.stderr
