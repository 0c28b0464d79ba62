"""The pages are true: generated ones are fresh, links lead somewhere."""

from dev_tasks import docs


def test_every_link_between_pages_exists():
    assert docs.broken_links() == []


def test_the_command_line_page_is_what_the_program_prints():
    page = docs.ROOT / "docs" / "command_line.md"
    assert page.read_text() == docs.command_line_page(), "run ./dev docs"
