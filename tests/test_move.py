"""The program and lib/ beside it are all there is to copy: they run from any folder, with Debian's packages alone."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from conftest import ROOT, TARN


@pytest.fixture
def moved(tmp_path) -> Path:
    """A copy of the program and its libraries, in a folder of its own."""
    shutil.copy2(TARN, tmp_path)
    shutil.copytree(TARN.parent / "lib", tmp_path / "lib")
    return tmp_path / "tarn"


def loaded_libraries(program: Path) -> dict[str, Path]:
    """Each library that the loader would map for a program, by name."""
    shown = subprocess.run(["ldd", program], capture_output=True, text=True, check=True, timeout=60).stdout
    assert "not found" not in shown, shown
    return {name: Path(path) for name, path in re.findall(r"^\s*(\S+) => (/\S+)", shown, re.M)}


def packages_of(files: list[Path]) -> set[str]:
    """The Debian packages that hold files; the package's list may name them with or without /usr."""
    names = {name for file in map(os.path.realpath, files) for name in (file, file.removeprefix("/usr"))}
    shown = subprocess.run(["dpkg", "-S", *names], capture_output=True, text=True, check=False, timeout=60).stdout
    return {line.split(":")[0] for line in shown.splitlines()}


def test_the_moved_program_loads_nothing_but_its_own_folder_and_the_system(moved):
    found = loaded_libraries(moved)
    own = {name for name, path in found.items() if path.parent == moved.parent / "lib"}
    assert own == {path.name for path in (moved.parent / "lib").iterdir()} - {"LICENSES.txt"}
    assert own == {"libarrow.so.2600", "libduckdb.so", "libparquet.so.2600"}
    elsewhere = [path for name, path in found.items() if name not in own]
    assert [path for path in elsewhere if not str(path).startswith(("/lib/", "/lib64/", "/usr/lib/"))] == []


def test_the_licences_of_what_is_shipped_move_along(moved):
    titles = re.findall(r"^={120}\n(.*)\n={120}$", (moved.parent / "lib" / "LICENSES.txt").read_text(), re.M)
    shipped = {path.name.split(".")[0] for path in (moved.parent / "lib").glob("lib*")}
    assert shipped == {name for title in titles for name in re.findall(r"\blib(?:arrow|parquet|duckdb)\b", title)}
    assert any("third_party" in title for title in titles), "what is inside DuckDB"
    notice = (ROOT / "NOTICE").read_text().lower()
    for title in titles:
        if package := re.match(r"(\S+?)(?:\d.*)?-dev, compiled into the program$", title):
            assert package.group(1).removeprefix("lib") in notice, title


def test_the_moved_program_answers(moved):
    # No home: a toolchain below it could not be found.
    env = {"PATH": "/usr/bin:/bin", "HOME": "/nonexistent"}
    done = subprocess.run(
        [moved, "sql", "-o", "csv", "select 42 as answer"],
        capture_output=True, text=True, check=False, timeout=60, env=env, cwd=moved.parent,
    )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (0, "answer\n42\n", "")


@pytest.mark.skipif(not shutil.which("dpkg"), reason="Debian's package names are asked of dpkg, which is not here")
def test_the_packages_in_the_readme_are_those_that_it_needs(moved):
    found = loaded_libraries(moved)
    needed = packages_of([path for path in found.values() if path.parent != moved.parent / "lib"])
    # Loaded by name when a command first talks to a server.
    needed.add("libcurl4")
    always = {"libc6", "libgcc-s1"}
    (listed,) = re.findall(
        r"apt-get install -y --no-install-recommends ((?:.*\\\n)*.*)$", (ROOT / "README.md").read_text(), re.M
    )
    assert set(listed.replace("\\", " ").split()) == needed - always
