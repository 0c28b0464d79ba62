"""Small SQL over HTTP, 50 connections, against ROAPI over the same Delta table (load by wrk).

ROAPI runs twice: reading the table's files at each query, as Tarn does, and in its default mode, in which it answers from
a copy in memory that was made at its start and never sees a change.
"""

import json
import re
import subprocess

import deltalake
import harness
import pyarrow as pa

ROWS = 100_000
SECONDS = 8


def wrk(url: str, sql: str, folder) -> tuple[float, float]:
    """(requests per second, p99 in ms); any non-2xx answer fails."""
    script = folder / "post.lua"
    script.write_text(f'wrk.method = "POST"\nwrk.body = [[{sql}]]\nwrk.headers["Content-Type"] = "text/plain"\n')
    shown = subprocess.run(
        ["wrk", "-t1", "-c50", f"-d{SECONDS}s", "--latency", "-s", str(script), url + "/api/sql"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert "Non-2xx" not in shown and "Socket errors" not in shown, shown
    value, unit = re.search(r"99%\s+([\d.]+)(us|ms|s)", shown).groups()
    return float(re.search(r"Requests/sec:\s+([\d.]+)", shown).group(1)), float(value) * {
        "us": 1e-3,
        "ms": 1,
        "s": 1e3,
    }[unit]


def main() -> None:
    folder = harness.fresh("http_sql")
    path = folder / "lake" / "b" / "cities"
    path.parent.mkdir(parents=True)
    deltalake.write_deltalake(
        str(path),
        pa.table(
            {
                "id": pa.array(range(ROWS), pa.int64()),
                "city": [f"city{n % 5000}" for n in range(ROWS)],
                "lat": [n / 1000 for n in range(ROWS)],
                "lng": [n / 2000 for n in range(ROWS)],
                "note": [f"row number {n}" for n in range(ROWS)],
            }
        ),
    )
    sql = "select id, city, lat from {t} where city = 'city1234' limit 10"
    server, url = harness.tarn_server(folder / "lake")
    roapi, roapi_url = harness.roapi_server({"cities": path}, in_memory=False)
    copy, copy_url = harness.roapi_server({"cities": path}, in_memory=True)
    with server, roapi, copy:
        contenders = {
            "Tarn": (url, sql.format(t="b.cities")),
            "ROAPI": (roapi_url, sql.format(t="cities")),
            "ROAPI from a copy in memory": (copy_url, sql.format(t="cities")),
        }
        answers = [
            sorted(json.loads(harness.post(at + "/api/sql", text)), key=lambda row: row["id"])
            for at, text in contenders.values()
        ]
        for rows in answers:
            assert len(rows) == 10
            assert all(row["city"] == "city1234" and row.keys() == {"id", "city", "lat"} for row in rows)
        rounds = [{name: wrk(*which, folder) for name, which in contenders.items()} for _ in range(3)]
    for figure, title, unit, target in (
        (0, "small SQL over HTTP, 50 connections", "requests/s", ">= 4x of ROAPI reading the table"),
        (1, "its 99th percentile", "ms", "below ROAPI's"),
    ):
        medians = {name: sorted(each[name][figure] for each in rounds)[1] for name in contenders}
        harness.report(title, medians.pop("Tarn"), medians, unit, target)


if __name__ == "__main__":
    main()
