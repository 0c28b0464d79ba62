"""Start to ready on a lake of 100 tables, and idle memory."""

import statistics

import deltalake
import harness
import pyarrow as pa


def main() -> None:
    folder = harness.fresh("start")
    lake = folder / "lake"
    for number in range(100):
        path = lake / f"db{number % 5}" / f"t{number}"
        path.parent.mkdir(parents=True, exist_ok=True)
        deltalake.write_deltalake(str(path), pa.table({"id": pa.array([number], pa.int64())}))
    ready, memory, roapi_ready, roapi_memory = [], [], [], []
    for _ in range(7):
        server, _url = harness.tarn_server(lake)
        with server:
            ready.append(server.seconds_to_ready * 1000)
            memory.append(server.rss_mib())
        roapi, _url = harness.roapi_server({"t0": lake / "db0" / "t0"})
        with roapi:
            roapi_ready.append(roapi.seconds_to_ready * 1000)
            roapi_memory.append(roapi.rss_mib())
    harness.report(
        "start to ready, 100 tables",
        statistics.median(ready),
        {"ROAPI with one table": statistics.median(roapi_ready)},
        "ms",
        "< 100 ms",
    )
    harness.report(
        "memory when idle",
        statistics.median(memory),
        {"ROAPI with one table": statistics.median(roapi_memory)},
        "MiB RSS",
        "< 60 MB",
    )


if __name__ == "__main__":
    main()
