"""One text with the licences of what a build contains, taken from the dependencies themselves."""

import re
import tarfile
import zipfile
from pathlib import Path

# In the toolchain's folder, and in lib/ beside a program.
FILE = "LICENSES.txt"
# Debian's packages whose headers are compiled into the program; what it links at run time is Debian's to ship.
COMPILED_IN = [
    "libboost1.81-dev", "libcli11-dev", "libfmt-dev", "libsimdjson-dev", "libspdlog-dev", "libyaml-cpp-dev",
    "prometheus-cpp-dev",
]  # fmt: skip
# Boost's list of every file and its authors is two megabytes; the parts used here are under this licence.
ONLY_STANZA = {"libboost1.81-dev": "BSL-1.0"}
BAR = "=" * 120


def _arrow(wheel: Path, version: str) -> list[str]:
    with zipfile.ZipFile(wheel) as archive:
        names = [name for name in archive.namelist() if ".dist-info/licenses/" in name and not name.endswith("/")]
        texts = [archive.read(name).decode() for name in sorted(names)]
    return [f"{BAR}\nApache Arrow and Apache Parquet {version}: libarrow, libparquet\n{BAR}\n", *texts]


def _duckdb(sources: Path, prefix: str, version: str) -> list[str]:
    parts = []
    with tarfile.open(sources) as archive:
        for member in archive:
            inner = member.name.removeprefix(prefix + "/")
            shipped = inner == "LICENSE" or inner.startswith(("extension/", "src/", "third_party/"))
            if member.isfile() and shipped and Path(inner).name in ("LICENSE", "NOTICE", "NOTICES"):
                title = f"DuckDB {version}: libduckdb" + ("" if inner == "LICENSE" else f", {Path(inner).parent}")
                text = archive.extractfile(member).read().decode(errors="replace")
                parts.append((inner, f"{BAR}\n{title}\n{BAR}\n\n{text}"))
    # DuckDB's own first.
    return [text for _, text in sorted(parts, key=lambda part: (part[0] != "LICENSE", part[0]))]


def _debian(package: str) -> str:
    text = Path(f"/usr/share/doc/{package}/copyright").read_text(errors="replace")
    if wanted := ONLY_STANZA.get(package):
        text = re.search(rf"^License: {re.escape(wanted)}\n [^\n]*\n(?: [^\n]*\n)+(?=\n)", text, re.M).group(0)
    return f"{BAR}\n{package}, compiled into the program\n{BAR}\n\n{text}"


def text(pins: dict, wheel: Path, sources: Path) -> str:
    """The licences of Arrow's wheel, DuckDB's sources and Debian's headers, each under the name of its component."""
    arrow = pins["arrow"]["package"].split("==")[1]
    duckdb = pins["duckdb_headers"]["package"].split("==")[1]
    parts = ["The licences of the software in Tarn's program and in the libraries beside it.\n"]
    parts += _arrow(wheel, arrow)
    parts += _duckdb(sources, pins["duckdb_headers"]["prefix"], duckdb)
    parts += [_debian(package) for package in COMPILED_IN]
    return "\n".join(part.rstrip("\n") + "\n" for part in parts)
