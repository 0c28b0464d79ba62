"""The Delta library as other projects use it: installed, found by CMake, linked by a program outside of the tree."""

import os
import re
import subprocess
from pathlib import Path

import deltalake
import pytest
from dev_tasks import build, delta_reference
from dev_tasks.paths import ROOT

EXAMPLE = ROOT / "examples" / "delta_library"


@pytest.fixture(scope="module")
def prefix(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("package") / "prefix"
    made = build.build("release", ["tarn_delta"], quiet=True)
    subprocess.run(
        ["cmake", "--install", made, "--component", "delta", "--prefix", folder], check=True, capture_output=True
    )
    return folder


@pytest.fixture(scope="module")
def program(prefix, tmp_path_factory) -> Path:
    """The example, built as its page says, from a copy that has no Tarn around it."""
    folder = tmp_path_factory.mktemp("outside")
    source = folder / "source"
    source.mkdir()
    for file in EXAMPLE.iterdir():
        (source / file.name).write_bytes(file.read_bytes())
    environment = {key: value for key, value in os.environ.items() if key != "CPLUS_INCLUDE_PATH"}
    for command in (
        ["cmake", "-S", source, "-B", folder / "build", f"-DCMAKE_PREFIX_PATH={prefix}", "-DCMAKE_BUILD_TYPE=Release"],
        ["cmake", "--build", folder / "build"],
    ):
        ran = subprocess.run(command, capture_output=True, text=True, env=environment)
        assert ran.returncode == 0, ran.stdout[-4000:] + ran.stderr[-4000:]
    return folder / "build" / "readings"


def test_the_example_appends_reads_deletes_and_compacts(program, tmp_path):
    table = tmp_path / "readings"
    ran = subprocess.run([program, table], capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.splitlines() == [
        "version 6: 6 files, 52 readings above 26 degrees",
        "version 8: 2 files, 4 readings above 26 degrees",
        "version 3 had 26",
        "  8 OPTIMIZE",
        "  7 DELETE",
        "  6 WRITE",
    ]
    read = deltalake.DeltaTable(table)
    rows = read.to_pyarrow_table().to_pylist()
    assert len(rows) == 2 * 2 * 24
    assert {row["sensor"] for row in rows} == {"roof", "cellar"}
    assert read.version() == 8


def test_an_error_says_what_is_wrong(program, tmp_path):
    table = tmp_path / "readings"
    assert subprocess.run([program, table], capture_output=True).returncode == 0
    again = subprocess.run([program, table], capture_output=True, text=True)
    assert again.returncode == 1
    assert again.stderr.startswith("readings: AlreadyExists: ")


def test_the_package_has_no_header_that_it_does_not_need(prefix):
    installed = {str(path.relative_to(prefix / "include")) for path in (prefix / "include").rglob("*.h")}
    assert {f"tarn/{header}" for header in delta_reference.public_headers()} <= installed
    for header in installed:
        text = (prefix / "include" / header).read_text()
        assert not re.search(r'#include "(?!tarn/)', text), header
        assert not re.search(r"#include <(duckdb|spdlog|simdjson|curl)", text), header
    assert not [header for header in installed if "/testing/" in header]


def test_the_reference_is_written_from_the_headers():
    page = ROOT / "docs" / "delta_library.md"
    assert page.read_text() == delta_reference.page(), "run ./dev docs"
