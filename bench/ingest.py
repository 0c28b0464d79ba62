"""Durable ingest of TSBS-like cpu lines (10 tags, 10 values): the server on one core, one client process on the other."""

import http.client
import json
import os
import random
import statistics
import threading
import time

import harness

HOSTS, LINES_PER_BODY, BODIES, CONNECTIONS = 100, 5000, 160, 4
FIELDS = [
    "usage_user",
    "usage_system",
    "usage_idle",
    "usage_nice",
    "usage_iowait",
    "usage_irq",
    "usage_softirq",
    "usage_steal",
    "usage_guest",
    "usage_guest_nice",
]


def tags(host: int) -> str:
    return (
        f"hostname=host_{host},region=eu-central-1,datacenter=eu-central-1a,rack={host % 100},os=Ubuntu15.10,arch=x86,"
        f"team=SF,service={host % 20},service_version=1,service_environment=test"
    )


def body(number: int, rng: random.Random) -> bytes:
    lines = []
    for n in range(LINES_PER_BODY):
        sequence = number * LINES_PER_BODY + n
        values = ",".join(f"{field}={rng.randrange(101)}i" for field in FIELDS)
        lines.append(
            f"cpu,{tags(sequence % HOSTS)} {values} {1_451_606_400_000_000_000 + sequence // HOSTS * 10_000_000_000}\n"
        )
    return "".join(lines).encode()


def throughput(folder) -> None:
    rng = random.Random(1)
    distinct = [body(number, rng) for number in range(BODIES)]
    cpus = sorted(os.sched_getaffinity(0))
    rates = []
    for run in range(3):
        lake = folder / f"lake{run}"
        server, url = harness.tarn_server(lake, cpus={cpus[0]})
        os.sched_setaffinity(0, {cpus[-1]})
        with server:
            host = url.removeprefix("http://")
            position = iter(range(BODIES))
            lock = threading.Lock()

            def send(host=host, position=position, lock=lock):
                connection = http.client.HTTPConnection(host)
                while True:
                    with lock:
                        number = next(position, None)
                    if number is None:
                        return
                    connection.request("POST", "/api/v2/write?bucket=bench", distinct[number])
                    reply = connection.getresponse()
                    text = reply.read()
                    assert reply.status == 204, (reply.status, text)

            threads = [threading.Thread(target=send) for _ in range(CONNECTIONS)]
            started = time.perf_counter()
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            seconds = time.perf_counter() - started
            count = json.loads(
                harness.post(url + "/api/sql", "select count(*) as n, sum(usage_user) as s from bench.cpu")
            )
            assert count[0]["n"] == BODIES * LINES_PER_BODY, count
            rates.append(BODIES * LINES_PER_BODY * len(FIELDS) / seconds / 1e6)
        os.sched_setaffinity(0, set(cpus))
    harness.report(
        "durable ingest, 1 core", statistics.median(rates), {}, "M values/s acknowledged after fsync", ">= 2.4"
    )


def low_load_latency(folder) -> None:
    server, url = harness.tarn_server(folder / "latency")
    with server:
        connection = http.client.HTTPConnection(url.removeprefix("http://"))
        pause = threading.Event()
        times = []
        for n in range(300):
            line = f"cpu,{tags(n % HOSTS)} usage_user={n}i {n + 1}\n"
            started = time.perf_counter()
            connection.request("POST", "/api/v2/write?bucket=low", line)
            reply = connection.getresponse()
            reply.read()
            times.append((time.perf_counter() - started) * 1000)
            assert reply.status == 204
            pause.wait(0.005)
    harness.report("acknowledgement at low load, p50", statistics.median(times), {}, "ms", "< 2 ms")
    harness.report("acknowledgement at low load, p99", sorted(times)[int(len(times) * 0.99)], {}, "ms", "-")


def main() -> None:
    folder = harness.fresh("ingest")
    throughput(folder)
    low_load_latency(folder)


if __name__ == "__main__":
    main()
