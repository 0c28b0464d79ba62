"""Where things are: the checkout, the cache, the build folders."""

import os
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
