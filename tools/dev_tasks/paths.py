"""Where things are: the checkout and its files, the cache, the build folders."""

import os
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / "build"
SHARED = ROOT.parent / "shared"


def cache() -> Path:
    """Downloads, unpacked toolchains and test parts; safe to delete at any time."""
    base = os.environ.get("TARN_CACHE")
    path = Path(base) if base else Path.home() / ".cache" / "tarn"
    path.mkdir(parents=True, exist_ok=True)
    return path


def tracked(*patterns: str) -> list[str]:
    """Files of the checkout that match, those that are not committed yet included; all when there is no pattern."""
    shown = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "--", *patterns],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    return [path for path in shown.splitlines() if (ROOT / path).exists()]
