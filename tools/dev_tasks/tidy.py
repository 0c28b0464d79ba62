"""The rules of the house that a compiler does not check: room order, banned calls, dead files, sizes.

Runs as a test of its own (tests/test_tidy.py) and in `./dev lint`.
"""

import re
from pathlib import Path

from . import fuzz
from .paths import ROOT, tracked

# Top to bottom: a room includes itself and rooms above it only.
ROOMS = [
    "base",
    "storage",
    "wal",
    "columnar",
    "delta",
    "catalog",
    "lake",
    "engine",
    "providers",
    "ingest",
    "maintenance",
    "functions",
    "frontends",
    "site",
    "server",
    "cli",
]

# Pairs that the order alone would allow (DESIGN.md section 3, "may not know").
FORBIDDEN = {
    ("columnar", "wal"),
    ("delta", "wal"),
    ("engine", "wal"),
    ("ingest", "engine"),
    ("maintenance", "engine"),
    ("maintenance", "ingest"),
    ("frontends", "maintenance"),
}

DUCKDB_ROOM = "engine"

# (pattern, where it is allowed, why it is banned)
BANNED = [
    (r"std::this_thread::sleep|\busleep\(|\bnanosleep\(", r"^$", "wait through Clock or a condition variable"),
    (
        r"std::chrono::(system|steady|high_resolution)_clock",
        r"^src/base/clock\.cc$|_bench\.cc$|^tests/|^bench/",
        "time comes from Clock",
    ),
    (
        r"\bstd::(random_device|mt19937|default_random_engine)|\brand\(\)",
        r"^src/base/random\.cc$",
        "randomness comes from Random",
    ),
    (r"std::thread\b(?!::hardware)", r"^src/base/executor\.(h|cc)$", "threads come from Executor or Thread"),
    (r"\bstd::mutex\b", r"^src/base/mutex\.h$|^src/engine/", "use the annotated Mutex"),
    (r"\bthrow\b(?!;)", r"^src/engine/|/testing/", "our own code returns Status"),
    (r"\.detach\(\)", r"^$", "threads are joined"),
    (r"\bFIXME\b|\bXXX\b|\bHACK\b", r"^$", "finish it or file it"),
    (r"#include <iostream>", r"^$", "log through base/log.h, print through the command line's output"),
]

MAX_LINES = 800
MAX_BLOB_BYTES = 400_000
BAD_NAMES = re.compile(r"(^|[_/])(utils?|helpers?|common|manager|misc)([_./]|$)")


def _strip(text: str) -> str:
    """Blanks out comments and string literals, keeping line numbers."""
    pattern = r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"'

    def blank(match: re.Match) -> str:
        if match.group(0).startswith('"'):
            return '""'
        return re.sub(r"[^\n]", " ", match.group(0))

    return re.sub(pattern, blank, text, flags=re.S)


def _room(path: str) -> str | None:
    parts = Path(path).parts
    return parts[1] if len(parts) > 2 and parts[0] == "src" else None


def _check_includes(path: str, text: str) -> list[str]:
    found = []
    room = _room(path)
    if room is None:
        return found
    if room not in ROOMS:
        return [f"{path}: '{room}' is not a room"]
    testing = path.endswith(("_test.cc", "_fuzz.cc", "_bench.cc")) or "/testing/" in path
    for number, line in enumerate(text.splitlines(), 1):
        include = re.match(r'\s*#include\s+["<]([^">]+)[">]', line)
        if not include:
            continue
        target = include.group(1)
        if target.startswith("duckdb") and room != DUCKDB_ROOM:
            found.append(f"{path}:{number}: DuckDB headers only in {DUCKDB_ROOM}/")
        other = target.split("/")[0] if "/" in target else None
        if other not in ROOMS or not (ROOT / "src" / target).exists():
            continue
        if ROOMS.index(other) > ROOMS.index(room) or (room, other) in FORBIDDEN:
            found.append(f"{path}:{number}: {room}/ may not know {other}/")
        if "/testing/" in target and not testing:
            found.append(f"{path}:{number}: product code includes test support {target}")
    return found


def _check_text(path: str, text: str) -> list[str]:
    found = []
    stripped = _strip(text)
    for pattern, allowed, why in BANNED:
        if re.search(allowed, path):
            continue
        for match in re.finditer(pattern, text if "FIXME" in pattern else stripped):
            number = stripped.count("\n", 0, match.start()) + 1
            found.append(f"{path}:{number}: '{match.group(0).strip()}' is banned: {why}")
    lines = text.count("\n")
    if lines > MAX_LINES:
        found.append(f"{path}: {lines} lines; two rooms in one? (limit {MAX_LINES})")
    if path.endswith(".h") and "#pragma once" not in text:
        found.append(f"{path}: no #pragma once")
    return found


def _dead_headers(sources: dict[str, str]) -> list[str]:
    included = {match for text in sources.values() for match in re.findall(r'#include "([^"]+)"', text)}
    return [
        f"{path}: no file includes it"
        for path in sources
        if path.startswith("src/") and path.endswith(".h") and path.removeprefix("src/") not in included
    ]


def problems() -> list[str]:
    """Every breach, as 'file:line: what'."""
    found = []
    sources = {path: (ROOT / path).read_text() for path in tracked("*.cc", "*.h")}
    for path, text in sources.items():
        found += _check_includes(path, text)
        found += _check_text(path, text)
        if BAD_NAMES.search(path):
            found.append(f"{path}: a name that says nothing")
        if path.endswith("_fuzz.cc") and not fuzz.seeds(Path(path).stem):
            found.append(f"{path}: nothing to begin with; put inputs into tests/fixtures/fuzz/{Path(path).stem}/")
    found += _dead_headers(sources)
    for path in tracked():
        size = (ROOT / path).stat().st_size
        if size > MAX_BLOB_BYTES:
            found.append(f"{path}: {size} bytes; large blobs do not belong here")
    for folder in sorted({_room(path) for path in sources} - {None}):
        if not (ROOT / "src" / folder / "README.md").exists():
            found.append(f"src/{folder}/: no README.md")
    return found
