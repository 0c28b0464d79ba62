"""Pinned dependencies: Debian packages, Arrow out of the pyarrow wheel, DuckDB out of npm and PyPI.

Everything lands in the cache folder under a name derived from the pins, so that a changed pin never
meets an old file and several checkouts share one copy. A second run only checks a stamp.
"""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

from . import elf, licences
from .paths import BUILD, ROOT, cache
from .run import TaskError, logged, say

PINS = json.loads((ROOT / "tools" / "pins.json").read_text())
LOG = BUILD / "setup.log"
# Raised whenever what is unpacked, or how, changes without a pin changing.
LAYOUT = 2


def _digest(path: Path) -> str:
    sha = hashlib.sha256()
    with open(path, "rb") as file:
        while chunk := file.read(1 << 20):
            sha.update(chunk)
    return sha.hexdigest()


def missing_packages(groups: list[str]) -> list[str]:
    """Debian packages of the groups that are not installed."""
    wanted = [name for group in groups for name in PINS["debian"][group]]
    shown = subprocess.run(
        ["dpkg-query", "-W", "-f", "${Package} ${db:Status-Status}\n", *wanted],
        capture_output=True,
        text=True,
        check=False,
    ).stdout
    installed = {line.split()[0] for line in shown.splitlines() if line.endswith(" installed")}
    return [name for name in wanted if name not in installed]


def debian(groups: list[str]) -> None:
    """Installs the packages of the groups that are missing (needs root or sudo only then)."""
    missing = missing_packages(groups)
    if not missing:
        return
    sudo = [] if os.geteuid() == 0 else ["sudo"]
    if sudo and not shutil.which("sudo"):
        raise TaskError(
            "Debian packages are missing and neither root nor sudo is at hand; install: " + " ".join(missing)
        )
    env = dict(os.environ, DEBIAN_FRONTEND="noninteractive")
    logged("refresh Debian's package list", [*sudo, "apt-get", "update", "-qq"], LOG, env=env)
    logged(
        f"install {len(missing)} Debian packages",
        [*sudo, "apt-get", "install", "-y", "-qq", "--no-install-recommends", *missing],
        LOG,
        env=env,
    )


def venv(name: str, requirements: list[str]) -> Path:
    """A Python environment in the cache, named by its requirements; returns its interpreter."""
    key = hashlib.sha256("\n".join([sys.version, *requirements]).encode()).hexdigest()[:12]
    folder = cache() / f"venv-{name}-{key}"
    python = folder / "bin" / "python"
    if (folder / ".complete").exists():
        return python
    shutil.rmtree(folder, ignore_errors=True)
    logged(f"create the Python environment '{name}'", [sys.executable, "-m", "venv", folder], LOG)
    if requirements:
        logged(
            f"install {', '.join(requirements)}",
            [python, "-m", "pip", "install", "-q", "--disable-pip-version-check", *requirements],
            LOG,
        )
    (folder / ".complete").touch()
    return python


def _fetch(pin: dict) -> Path:
    """Downloads one pinned archive through its registry's own client and checks its hash."""
    downloads = cache() / "downloads"
    downloads.mkdir(exist_ok=True)
    path = downloads / pin["file"]
    if path.exists() and _digest(path) == pin["sha256"]:
        return path
    path.unlink(missing_ok=True)
    title = f"download {pin['file']}"
    if pin["from"] == "npm":
        logged(title, ["npm", "pack", "--silent", pin["package"]], LOG, cwd=downloads)
    else:
        python = venv("pip", [])
        logged(
            title,
            [
                python,
                "-m",
                "pip",
                "download",
                "-q",
                "--disable-pip-version-check",
                "--no-deps",
                *pin["options"],
                pin["package"],
            ],
            LOG,
            cwd=downloads,
        )
    if not path.exists():
        raise TaskError(f"{pin['package']} did not arrive as {path}")
    if (found := _digest(path)) != pin["sha256"]:
        path.unlink()
        raise TaskError(f"{pin['file']} has SHA-256 {found}, not the pinned {pin['sha256']}")
    return path


def _unpack_arrow(target: Path) -> None:
    with zipfile.ZipFile(_fetch(PINS["arrow"])) as wheel:
        for name in wheel.namelist():
            library = Path(name).name in PINS["arrow"]["libraries"]
            header = name.startswith("pyarrow/include/")
            notice = ".dist-info/licenses/" in name
            if not (library or header or notice) or name.endswith("/"):
                continue
            folder = {library: "lib", header: "include", notice: "licenses"}[True]
            inner = name.removeprefix("pyarrow/include/") if header else Path(name).name
            out = target / "arrow" / folder / inner
            out.parent.mkdir(parents=True, exist_ok=True)
            out.write_bytes(wheel.read(name))
    # libparquet exports a whole libcrypto of its own; beside the system's that would mix two builds.
    crypto = {
        symbol
        for library in ("libcrypto.so.3", "libssl.so.3")
        for symbol in elf.defined_dynamic_symbols(_system_library(library))
    }
    parquet = target / "arrow" / "lib" / "libparquet.so.2600"
    # It exports the simdjson inside it too, of another version than ours, whose calls would end up there.
    simdjson = {symbol for symbol in elf.defined_dynamic_symbols(parquet) if "simdjson" in symbol}
    elf.hide_dynamic_symbols(parquet, crypto | simdjson)


def _system_library(name: str) -> Path:
    for folder in ("/usr/lib/x86_64-linux-gnu", "/lib/x86_64-linux-gnu", "/usr/lib64", "/usr/lib"):
        if (path := Path(folder) / name).exists():
            return path
    raise TaskError(f"{name} is not installed")


def _unpack_duckdb(target: Path) -> None:
    with tarfile.open(_fetch(PINS["duckdb_library"])) as archive:
        library = archive.extractfile("package/libduckdb.so")
        out = target / "duckdb" / "lib" / "libduckdb.so"
        out.parent.mkdir(parents=True, exist_ok=True)
        with open(out, "wb") as file:
            shutil.copyfileobj(library, file)
    if _digest(out) != PINS["duckdb_library"]["library_sha256"]:
        raise TaskError("libduckdb.so is not the pinned build")
    prefix = PINS["duckdb_headers"]["prefix"]
    wanted = tuple(f"{prefix}/{folder}/" for folder in PINS["duckdb_headers"]["folders"])
    with tarfile.open(_fetch(PINS["duckdb_headers"])) as archive:
        for member in archive:
            if member.isfile() and (member.name.startswith(wanted) or member.name == f"{prefix}/LICENSE"):
                out = target / "duckdb" / "include" / member.name.removeprefix(prefix + "/")
                out.parent.mkdir(parents=True, exist_ok=True)
                out.write_bytes(archive.extractfile(member).read())


def _write_licences(target: Path) -> None:
    text = licences.text(PINS, _fetch(PINS["arrow"]), _fetch(PINS["duckdb_headers"]))
    partial = target / f"{licences.FILE}.partial.{os.getpid()}"
    partial.write_text(text)
    partial.rename(target / licences.FILE)


def toolchain() -> Path:
    """The folder with Arrow, DuckDB and the licences, unpacked at the first call."""
    linked = {name: pin for name, pin in PINS.items() if name != "debian"}
    key = hashlib.sha256(json.dumps([LAYOUT, linked], sort_keys=True).encode())
    folder = cache() / f"toolchain-{key.hexdigest()[:12]}"
    if (folder / ".complete").exists():
        if not (folder / licences.FILE).exists():
            _write_licences(folder)
        return folder
    partial = folder.with_name(folder.name + f".partial.{os.getpid()}")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    _unpack_arrow(partial)
    _unpack_duckdb(partial)
    _write_licences(partial)
    (partial / ".complete").touch()
    shutil.rmtree(folder, ignore_errors=True)
    partial.rename(folder)
    return folder


def build_dependencies() -> Path:
    """All that a build of the program needs, and nothing for tests."""
    LOG.parent.mkdir(parents=True, exist_ok=True)
    debian(["build"])
    return toolchain()


def main(arguments: list[str]) -> int:
    """./dev setup: install pinned dependencies (log in build/setup.log)"""
    build_dependencies()
    debian(["develop"])
    say("setup complete")
    return 0
