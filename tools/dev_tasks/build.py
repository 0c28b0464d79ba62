"""Configure and build one preset."""

import contextlib
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from . import setup
from .paths import BUILD, ROOT
from .run import TaskError, check, logged, say

PRESETS = ("release", "dev", "tsan", "fuzz")


def configure(preset: str) -> Path:
    """Makes sure that build/<preset> is configured for today's toolchain; returns the folder."""
    toolchain = setup.build_dependencies()
    if preset != "release":
        setup.debian(["develop"])
    folder = BUILD / preset
    cache_file = folder / "CMakeCache.txt"
    wanted = f"TARN_TOOLCHAIN:PATH={toolchain}"
    if not (folder / "build.ninja").exists() or wanted not in cache_file.read_text():
        logged(
            f"configure {preset}",
            ["cmake", "--preset", preset, f"-DTARN_TOOLCHAIN={toolchain}"],
            BUILD / "build.log",
            cwd=ROOT,
        )
    return folder


def build(preset: str, targets: list[str], quiet: bool = False) -> Path:
    """Builds targets (all when empty); quiet shows one line of progress and keeps the rest in build/build.log."""
    folder = configure(preset)
    command = ["ninja", "-C", folder, *targets]
    if quiet:
        _with_progress(f"build {preset}", command)
    else:
        check(command)
    return folder


@contextlib.contextmanager
def in_background(targets: dict[str, list[str]]) -> Iterator[None]:
    """Builds targets by preset at the lowest priority, while the caller does what mostly waits. Whoever needs them builds
    them again: what failed here fails there, where it is seen."""
    if not targets:
        yield
        return
    commands = [
        ["nice", "-n", "19", "ninja", "-C", str(configure(preset)), *names] for preset, names in targets.items()
    ]
    with open(BUILD / "background.log", "w") as out:
        script = "; ".join(map(shlex.join, commands))
        process = subprocess.Popen(["sh", "-c", script], stdout=out, stderr=subprocess.STDOUT)
        try:
            yield
        finally:
            process.wait()


def _with_progress(title: str, command: list) -> None:
    """Shows ninja's counter on one line that is overwritten; every line goes into the log."""
    log = BUILD / "build.log"
    env = dict(os.environ, NINJA_STATUS="[%f/%t] ")
    with (
        open(log, "a", buffering=1) as out,
        subprocess.Popen(
            [str(part) for part in command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=env
        ) as process,
    ):
        shown = ""
        for line in process.stdout:
            out.write(line)
            counter = re.match(r"\[(\d+)/(\d+)\]", line)
            if counter and counter.group(0) != shown:
                shown = counter.group(0)
                if sys.stdout.isatty():
                    print(f"\r  {title} {shown}   ", end="", flush=True)
    if process.returncode != 0:
        tail = log.read_text(errors="replace").splitlines()[-40:]
        sys.stderr.write("\n".join(["", *tail]) + "\n")
        raise TaskError(f"{title} failed; the whole log is {log}")
    say(f"\r  {title}: done                ")


def program() -> Path:
    """The release build of the program, made when missing or stale."""
    return build("release", ["tarn"], quiet=True) / "tarn"


def main(arguments: list[str]) -> int:
    preset = "release"
    if arguments and arguments[0] in PRESETS:
        preset, arguments = arguments[0], arguments[1:]
    if preset == "release" and not arguments:
        arguments = ["tarn"]
    build(preset, arguments)
    return 0
