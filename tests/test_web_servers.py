"""Delta tables that a web server shows, which nobody can list."""

import functools
import http.server
import json
import threading
from contextlib import contextmanager
from pathlib import Path

import deltalake
import pyarrow as pa
from conftest import run_tarn

# No key of the service is about.
ANYBODY = {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "", "AWS_ENDPOINT_URL": ""}


def sql(uri: str, text: str, env: dict[str, str] | None = None) -> str:
    done = run_tarn("sql", "-o", "csv", "-t", f"t={uri}", text, env=env or ANYBODY)
    assert done.returncode == 0, done.stderr
    return done.stdout


def rows(start: int, count: int) -> pa.Table:
    return pa.table({"n": list(range(start, start + count)), "text": [f"ü{i * 7919}" for i in range(count)]})


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_arguments) -> None:
        pass


class Everything(Quiet):
    """As sites of one page: whatever is not there is their page."""

    def send_head(self):
        path = Path(self.translate_path(self.path))
        if not path.is_file():
            self.path = "/index.html"
        return super().send_head()


class Denying(Quiet):
    """As S3 towards those who may not list."""

    def send_error(self, code, message=None, explain=None):
        super().send_error(403 if code == 404 else code, message, explain)


class Untimed(Quiet):
    """As servers that make their pages anew each time."""

    def send_header(self, keyword, value):
        super().send_header(*(("ETag", '"1"') if keyword == "Last-Modified" else (keyword, value)))


class Rude(Quiet):
    """Says what a terminal would take for a command."""

    def end_headers(self):
        self.send_header("Content-Encoding", "\x1b]0;owned\x07")
        super().end_headers()


@contextmanager
def web_server(folder: Path, handler=Quiet):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(handler, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_a_table_that_an_object_store_shows_to_everybody(service):
    service.show_objects_to_everybody()
    theirs, shown = "s3://lake/shown", f"{service.url}/lake/shown"
    for commit in range(12):
        deltalake.write_deltalake(theirs, rows(commit * 20_000, 20_000), mode="append", storage_options=service.options)
        if commit in (3, 8):
            deltalake.DeltaTable(theirs, storage_options=service.options).create_checkpoint()
    done = run_tarn("table", "alter", theirs, "--set", "delta.enableDeletionVectors=true", env=service.env)
    assert done.returncode == 0, done.stderr
    sql(theirs, "delete from t where n % 1000 = 1", env=service.env)
    question = "select count(*), sum(n), count(distinct text), max(n) from t"
    assert sql(shown, question) == sql(theirs, question, env=service.env)
    for version in (0, 2, 3, 7, 8, 10, 13):
        at = f"select count(*), sum(n) from t at (version => {version})"
        assert sql(shown, at) == sql(theirs, at, env=service.env)
    history = [
        run_tarn("table", "history", "--json", uri, env=env) for uri, env in ((shown, ANYBODY), (theirs, service.env))
    ]
    assert history[0].stdout == history[1].stdout and len(json.loads(history[0].stdout)["commits"]) == 14
    done = run_tarn("table", "fsck", "--check-data", shown, env=ANYBODY)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_server_that_says_403_for_what_is_not_there(tmp_path):
    for start in (0, 10):
        deltalake.write_deltalake(tmp_path / "t", rows(start, 10), mode="append")
    with web_server(tmp_path, Denying) as url:
        assert sql(f"{url}/t", "select count(*) as c from t") == "c\n20\n"
        # There might be a table.
        done = run_tarn("sql", "-t", f"t={url}/elsewhere", "select 1", env=ANYBODY)
        assert done.returncode == 8 and "answered 403" in done.stderr, done


def test_nothing_is_written_to_a_web_server(tmp_path):
    for start in (0, 10):
        deltalake.write_deltalake(tmp_path / "t", rows(start, 10), mode="append")
    before = sorted(tmp_path.rglob("*"))
    with web_server(tmp_path) as url:
        for statement in ("insert into t values (1, 'a')", "delete from t where n = 1", "update t set n = 0"):
            done = run_tarn("sql", "-t", f"t={url}/t", statement, env=ANYBODY)
            assert done.returncode == 6 and "cannot write over HTTP" in done.stderr, done
        for words in (
            ("optimize",),
            ("checkpoint",),
            ("restore", "--version", "0"),
            ("alter", "--add-column", "c=long"),
        ):
            done = run_tarn("table", words[0], f"{url}/t", *words[1:], env=ANYBODY)
            assert done.returncode == 6 and "cannot write over HTTP" in done.stderr, done
        for words in (("sql", "--lake", url, "select * from t.t"), ("table", "list", "--lake", url)):
            done = run_tarn(*words, env=ANYBODY)
            assert done.returncode == 6 and "-t" in done.stderr, done
    assert sorted(tmp_path.rglob("*")) == before


def test_a_server_without_ranges_shows_small_files_alone(tmp_path):
    deltalake.write_deltalake(tmp_path / "small", rows(0, 100))
    deltalake.write_deltalake(tmp_path / "large", rows(0, 100_000))
    with web_server(tmp_path) as url:
        assert sql(f"{url}/small", "select count(*) as c, sum(n) as s from t") == "c,s\n100,4950\n"
        done = run_tarn("sql", "-t", f"t={url}/large", "select sum(n) from t", env=ANYBODY)
        assert done.returncode == 6 and "does not serve ranges" in done.stderr, done


def test_a_site_that_has_a_page_for_everything_has_no_table(tmp_path):
    (tmp_path / "index.html").write_text("<html>hello</html>")
    deltalake.write_deltalake(tmp_path / "t", rows(0, 10))
    with web_server(tmp_path, Everything) as url:
        for name in ("t", "elsewhere"):
            done = run_tarn("sql", "-t", f"t={url}/{name}", "select * from t", env=ANYBODY)
            assert done.returncode == 6 and "answers for files that it does not have" in done.stderr, done


def test_single_files_are_not_read(tmp_path):
    (tmp_path / "a.csv").write_text("a\n1\n")
    with web_server(tmp_path) as url:
        done = run_tarn("sql", "-t", f"t={url}/a.csv", "select * from t", env=ANYBODY)
        assert done.returncode == 3 and "only Delta tables are read from web servers" in done.stderr, done


def test_a_log_on_a_web_server_does_not_decide_what_else_is_read(tmp_path):
    secret = tmp_path / "secret"
    deltalake.write_deltalake(secret, rows(0, 10))
    file = next(secret.glob("*.parquet"))
    with web_server(secret) as other, web_server(tmp_path / "shown") as url:
        for place in (f"file://{file}", f"{other}/{file.name}", f"../secret/{file.name}"):
            table = tmp_path / "shown" / "t"
            log = table / "_delta_log" / f"{0:020}.json"
            log.parent.mkdir(parents=True, exist_ok=True)
            commit = (secret / "_delta_log" / log.name).read_text()
            log.write_text(commit.replace(f'"path":"{file.name}"', f'"path":"{place}"'))
            assert place in log.read_text()
            done = run_tarn("sql", "-t", f"t={url}/t", "select sum(n) from t", env=ANYBODY)
            assert done.returncode == 8 and place in done.stderr, done


def test_a_server_that_tells_no_times_has_versions_alone(tmp_path):
    deltalake.write_deltalake(tmp_path / "t", rows(0, 10))
    deltalake.write_deltalake(tmp_path / "t", rows(10, 10), mode="append")
    with web_server(tmp_path, Untimed) as url:
        assert sql(f"{url}/t", "select count(*) as c from t at (version => 0)") == "c\n10\n"
        done = run_tarn("sql", "-t", f"t={url}/t", "select * from t at (timestamp => now())", env=ANYBODY)
        assert done.returncode == 6 and "Last-Modified" in done.stderr, done
        # The writer's own clock.
        history = run_tarn("table", "history", f"{url}/t", env=ANYBODY)
        assert history.returncode == 0 and "1970" not in history.stdout, history
        for flags in ([], ["--json"]):
            shown = run_tarn("table", "describe", f"{url}/t", *flags, env=ANYBODY)
            assert shown.returncode == 0 and "1970" not in shown.stdout, shown
        assert '"timestamp":null' in shown.stdout


def test_a_commit_that_is_missing_is_not_the_end(tmp_path):
    for n in range(5):
        deltalake.write_deltalake(tmp_path / "t", rows(n, 1), mode="append")
    (tmp_path / "t" / "_delta_log" / f"{3:020}.json").unlink()
    with web_server(tmp_path) as url:
        done = run_tarn("sql", "-t", f"t={url}/t", "select count(*) from t", env=ANYBODY)
        assert done.returncode == 7 and "the log lacks version 3" in done.stderr, done
        done = run_tarn("table", "fsck", f"{url}/t", env=ANYBODY)
        assert done.returncode != 0 and "version 3" in done.stdout + done.stderr, done


def test_urls_are_taken_as_people_write_them(tmp_path):
    deltalake.write_deltalake(tmp_path / "my tablé", rows(0, 10))
    with web_server(tmp_path) as url:
        for place in (f"{url}/my tablé", f"{url}/my%20tabl%C3%A9/", f"HTTP{url[4:]}/my tablé"):
            assert sql(place, "select count(*) as c from t") == "c\n10\n"
    for url in ("http://", "http:///t", "https://a host/t"):
        done = run_tarn("sql", "-t", f"t={url}", "select * from t", env=ANYBODY)
        assert done.returncode == 2 and "names no host" in done.stderr, done


def test_what_a_server_or_a_log_says_is_only_text(tmp_path):
    deltalake.write_deltalake(tmp_path / "t", rows(0, 10))
    with web_server(tmp_path, Rude) as url:
        done = run_tarn("sql", "-t", f"t={url}/t", "select count(*) from t", env=ANYBODY)
        assert done.returncode == 6 and "owned" in done.stderr and "\x1b" not in done.stderr, done
    log = tmp_path / "t" / "_delta_log" / f"{0:020}.json"
    file = next((tmp_path / "t").glob("*.parquet"))
    log.write_text(log.read_text().replace(file.name, "gone\\u001b[2J\\r\\u007f\\u009b\\u202e.parquet"))
    done = run_tarn("sql", "-t", f"t={tmp_path}/t", "select sum(n) from t")
    assert done.returncode != 0 and "gone\\x1b[2J\\x0d\\x7f\\u009b\\u202e.parquet" in done.stderr, done
    assert not set(done.stderr) & {"\x1b", "\r", "\x7f", "\x9b", "\u202e"}
