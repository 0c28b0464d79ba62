"""Running commands: quiet with a log file, or in the foreground."""

import shlex
import subprocess
import sys
import time
from pathlib import Path


class TaskError(Exception):
    """A task failed; the message is all the user needs to see."""


def say(text: str) -> None:
    print(text, flush=True)


def foreground(command: list[str], **kwargs) -> int:
    """Runs with the terminal attached and returns the exit status."""
    return subprocess.run([str(part) for part in command], check=False, **kwargs).returncode


def check(command: list[str], **kwargs) -> None:
    """Runs with the terminal attached; a non-zero exit is a TaskError."""
    status = foreground(command, **kwargs)
    if status != 0:
        shown = shlex.join(map(str, command))
        raise TaskError(f"failed with status {status}: {shown[:200]}{' …' if len(shown) > 200 else ''}")


def logged(title: str, command: list[str], log: Path, **kwargs) -> None:
    """Runs quietly, appending all output to `log`; on failure shows the log's tail."""
    log.parent.mkdir(parents=True, exist_ok=True)
    print(f"  {title} ... ", end="", flush=True)
    started = time.monotonic()
    with open(log, "ab") as out:
        out.write(f"\n$ {shlex.join(map(str, command))}\n".encode())
        out.flush()
        status = subprocess.run(
            [str(part) for part in command], stdout=out, stderr=subprocess.STDOUT, check=False, **kwargs
        ).returncode
    took = time.monotonic() - started
    if status == 0:
        say(f"{took:.1f} s")
        return
    say("failed")
    tail = log.read_text(errors="replace").splitlines()[-40:]
    sys.stderr.write("\n".join(tail) + "\n")
    raise TaskError(f"{title} failed; the whole log is {log}")
