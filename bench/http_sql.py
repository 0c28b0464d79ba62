"""Small SQL over HTTP, 50 connections, against ROAPI reading the same Delta table (load by wrk)."""

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
    roapi, roapi_url = harness.roapi_server({"cities": path})
    with server, roapi:
        ours = sorted(json.loads(harness.post(url + "/api/sql", sql.format(t="b.cities"))), key=lambda row: row["id"])
        theirs = sorted(
            json.loads(harness.post(roapi_url + "/api/sql", sql.format(t="cities"))), key=lambda row: row["id"]
        )
        assert len(ours) == len(theirs) == 10
        assert all(row["city"] == "city1234" and row.keys() == {"id", "city", "lat"} for row in ours + theirs)
        rounds = [
            (wrk(url, sql.format(t="b.cities"), folder), wrk(roapi_url, sql.format(t="cities"), folder))
            for _ in range(3)
        ]
    mine, peer = ([sorted(r[side][figure] for r in rounds)[1] for figure in (0, 1)] for side in (0, 1))
    harness.report("small SQL over HTTP, 50 connections", mine[0], {"ROAPI": peer[0]}, "requests/s", ">= 4x")
    harness.report("its 99th percentile", mine[1], {"ROAPI": peer[1]}, "ms", "below ROAPI's")


if __name__ == "__main__":
    main()
