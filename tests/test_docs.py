"""The pages are true: generated ones are fresh, links lead somewhere, system tables are described."""

import re
import time

from conftest import run_tarn
from dev_tasks import docs


def test_every_link_between_pages_exists():
    assert docs.broken_links() == []


def test_the_command_line_page_is_what_the_program_prints():
    page = docs.ROOT / "docs" / "command_line.md"
    assert page.read_text() == docs.command_line_page(), "run ./dev docs"


def test_the_examples_of_the_sql_page_run(tmp_path):
    """Each request of its SQL blocks on a table such as they speak of, with four versions."""
    page = (docs.ROOT / "docs" / "sql.md").read_text()
    for n in range(4):
        line = f"room,name=r0 temperature={n} {time.time_ns()}\n"
        done = run_tarn("write", "-", "--to", "home", "--lake", tmp_path / "lake", stdin=line)
        assert done.returncode == 0, done.stderr
    blocks = re.findall(r"```sql\n(.*?)```", page, flags=re.S)
    requests = [[block] if block.startswith("begin") else block.split(";") for block in blocks]
    examples = [text.strip() for block in requests for text in block if text.strip()]
    assert len(examples) > 5
    for example in examples:
        done = run_tarn("sql", "--lake", tmp_path / "lake", example)
        if "timestamp =>" in example and done.returncode == 3:
            assert "before the first commit" in done.stderr, "the table is younger"
        else:
            assert done.returncode == 0 and done.stdout, (example, done)


def test_the_sql_page_has_every_column_of_the_system_tables(server):
    page = (docs.ROOT / "docs" / "sql.md").read_text()
    for table in ("tables", "queries", "commits"):
        (_, section) = page.split(f"`system.{table}` has ")
        rows = re.match(r"[^|]*((?:\|.*\n)+)", section).group(1).splitlines()[2:]
        documented = [name for row in rows for name in re.findall(r"`(\w+)`", row.split("|")[1])]
        columns = [row["column_name"] for row in server.sql(f"describe system.{table}")]
        assert columns == documented, table
