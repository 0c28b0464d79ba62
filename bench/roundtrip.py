"""Write and read back under load; and how long until a foreign Delta reader sees an acknowledged row."""

import http.client
import json
import threading
import time

import deltalake
import harness


def call(connection, path: str, body: str) -> bytes:
    connection.request("POST", path, body)
    reply = connection.getresponse()
    text = reply.read()
    assert reply.status in (200, 204), (reply.status, text)
    return text


def main() -> None:
    folder = harness.fresh("roundtrip")
    server, url = harness.tarn_server(folder / "lake")
    host = url.removeprefix("http://")
    with server:
        stop = threading.Event()

        def load(name: str) -> None:
            connection = http.client.HTTPConnection(host)
            n = 0
            while not stop.is_set():
                lines = "".join(
                    f"load,w={name},k=k{k} v={n + k}i,f={k}.5 {1_700_000_000_000_000_000 + n + k}\n" for k in range(500)
                )
                call(connection, "/api/v2/write?bucket=rt", lines)
                n += 500
                stop.wait(0.02)

        writers = [threading.Thread(target=load, args=(name,)) for name in "ab"]
        for writer in writers:
            writer.start()
        connection = http.client.HTTPConnection(host)
        times = []
        for n in range(400):
            started = time.perf_counter()
            call(connection, "/api/v2/write?bucket=rt", f"probe v={n}i {n + 1}\n")
            rows = json.loads(call(connection, "/api/sql", f"select count(*) as n from rt.probe where v = {n}"))
            times.append((time.perf_counter() - started) * 1000)
            assert rows == [{"n": 1}], rows
            stop.wait(0.02)
        foreign = []
        for n in range(10):
            call(connection, "/api/v2/write?bucket=rt", f"foreign v={n}i {n + 1}\n")
            started = time.perf_counter()
            while True:
                try:
                    table = deltalake.DeltaTable(str(folder / "lake" / "rt" / "foreign"))
                    if table.to_pyarrow_table(columns=["v"]).num_rows == n + 1:
                        break
                except deltalake.exceptions.TableNotFoundError:
                    pass
                stop.wait(0.02)
            foreign.append((time.perf_counter() - started) * 1000)
        stop.set()
        for writer in writers:
            writer.join()
    harness.report("write and read back under load, p99", sorted(times)[int(len(times) * 0.99)], {}, "ms", "<= 100 ms")
    harness.report("acknowledged to visible for delta-rs, worst of 10", max(foreign), {}, "ms", "<= 5000 ms")


if __name__ == "__main__":
    main()
