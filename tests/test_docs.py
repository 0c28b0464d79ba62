"""The pages are true: generated ones are fresh, links lead somewhere, system tables are described."""

import re

from dev_tasks import docs


def test_every_link_between_pages_exists():
    assert docs.broken_links() == []


def test_the_command_line_page_is_what_the_program_prints():
    page = docs.ROOT / "docs" / "command_line.md"
    assert page.read_text() == docs.command_line_page(), "run ./dev docs"


def test_the_sql_page_has_every_column_of_the_system_tables(server):
    page = (docs.ROOT / "docs" / "sql.md").read_text()
    for table in ("tables", "queries", "commits"):
        (_, section) = page.split(f"`system.{table}` has ")
        rows = re.match(r"[^|]*((?:\|.*\n)+)", section).group(1).splitlines()[2:]
        documented = [name for row in rows for name in re.findall(r"`(\w+)`", row.split("|")[1])]
        columns = [row["column_name"] for row in server.sql(f"describe system.{table}")]
        assert columns == documented, table
