"""This host's own metrics out of /proc, as line protocol: what `./dev demo` feeds the lake with."""

import os
import re
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")
TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
TOP_PROCESSES = 40

CPU_STATES = ("user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal")
DISK_FIELDS = {"reads": 3, "sectors_read": 5, "read_ms": 6, "writes": 7, "sectors_written": 9, "write_ms": 10}
NET_FIELDS = {"rx_bytes": 0, "rx_packets": 1, "rx_errors": 2, "tx_bytes": 8, "tx_packets": 9, "tx_errors": 10}


@dataclass(frozen=True)
class Point:
    """One line: a measurement, its tags in order, its fields, its time."""

    measurement: str
    tags: tuple[tuple[str, str], ...]
    fields: tuple[tuple[str, int | float], ...]
    time_ns: int

    def line(self) -> str:
        tags = "".join(f",{key}={_escape(value)}" for key, value in self.tags)
        fields = ",".join(
            f"{key}={value}i" if isinstance(value, int) else f"{key}={value!r}" for key, value in self.fields
        )
        return f"{self.measurement}{tags} {fields} {self.time_ns}"


def _escape(value: str) -> str:
    return re.sub(r"([,= ])", r"\\\1", value.replace("\\", "/")) or "unknown"


class HostMetrics:
    """Reads counters and turns them into rates where a rate is what one looks at."""

    def __init__(self) -> None:
        self._cpu: dict[str, list[int]] = {}
        self._process_ticks: dict[int, tuple[int, int]] = {}

    def sample(self, time_ns: int) -> list[Point]:
        points = [*self._cpus(time_ns), self._memory(time_ns), self._load(time_ns)]
        points += self._disks(time_ns)
        points += self._networks(time_ns)
        points += self._processes(time_ns)
        return points

    def _cpus(self, time_ns: int):
        for line in (PROC / "stat").read_text().splitlines():
            if not line.startswith("cpu"):
                break
            name, *ticks = line.split()
            now = [int(tick) for tick in ticks[: len(CPU_STATES)]]
            before = self._cpu.get(name, now)
            self._cpu[name] = now
            passed = sum(now) - sum(before)
            share = [100.0 * (a - b) / passed if passed > 0 else 0.0 for a, b in zip(now, before, strict=True)]
            idle = share[CPU_STATES.index("idle")] + share[CPU_STATES.index("iowait")]
            busy = max(0.0, 100.0 - idle) if passed > 0 else 0.0
            fields = (
                ("busy", round(busy, 3)),
                *((state, round(value, 3)) for state, value in zip(CPU_STATES, share, strict=True)),
            )
            yield Point("cpu", (("core", "all" if name == "cpu" else name[3:]),), fields, time_ns)

    def _memory(self, time_ns: int) -> Point:
        wanted = {
            "MemTotal": "total",
            "MemFree": "free",
            "MemAvailable": "available",
            "Cached": "cached",
            "Dirty": "dirty",
            "SwapFree": "swap_free",
        }
        fields = []
        for line in (PROC / "meminfo").read_text().splitlines():
            key, value = line.split(":")
            if key in wanted:
                fields.append((wanted[key], int(value.split()[0]) * 1024))
        return Point("mem", (), tuple(fields), time_ns)

    def _load(self, time_ns: int) -> Point:
        one, five, fifteen, running, _ = (PROC / "loadavg").read_text().split()
        runnable, threads = running.split("/")
        return Point(
            "load",
            (),
            (
                ("load1", float(one)),
                ("load5", float(five)),
                ("load15", float(fifteen)),
                ("runnable", int(runnable)),
                ("threads", int(threads)),
            ),
            time_ns,
        )

    def _disks(self, time_ns: int):
        for line in (PROC / "diskstats").read_text().splitlines():
            parts = line.split()
            if parts[2].startswith(("loop", "ram", "zram")):
                continue
            fields = tuple((name, int(parts[index])) for name, index in DISK_FIELDS.items())
            yield Point("disk", (("device", parts[2]),), fields, time_ns)

    def _networks(self, time_ns: int):
        for line in (PROC / "net" / "dev").read_text().splitlines()[2:]:
            name, counters = line.split(":", 1)
            values = counters.split()
            fields = tuple((key, int(values[index])) for key, index in NET_FIELDS.items())
            yield Point("net", (("interface", name.strip()),), fields, time_ns)

    def _processes(self, time_ns: int):
        found = []
        ticks_now: dict[int, tuple[int, int]] = {}
        for entry in PROC.iterdir():
            if not entry.name.isdigit():
                continue
            try:
                text = (entry / "stat").read_text()
            except OSError:
                continue  # it ended meanwhile
            name = text[text.index("(") + 1 : text.rindex(")")]
            rest = text[text.rindex(")") + 2 :].split()
            pid = int(entry.name)
            used = int(rest[11]) + int(rest[12])
            ticks_now[pid] = (used, time_ns)
            before, then = self._process_ticks.get(pid, (used, time_ns))
            seconds = (time_ns - then) / 1e9
            cpu = 100.0 * (used - before) / TICKS_PER_SECOND / seconds if seconds > 0 else 0.0
            found.append((cpu, used, pid, name, int(rest[17]), int(rest[21]) * PAGE_BYTES))
        self._process_ticks = ticks_now
        found.sort(reverse=True)
        for cpu, used, pid, name, threads, rss in found[:TOP_PROCESSES]:
            yield Point(
                "process",
                (("name", name), ("pid", str(pid))),
                (("cpu_percent", round(cpu, 3)), ("cpu_ticks", used), ("rss_bytes", rss), ("threads", threads)),
                time_ns,
            )
