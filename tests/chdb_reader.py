"""Reads Delta tables with chDB: python chdb_reader.py REQUESTS, where REQUESTS is a JSON file of {table, version, out}.
Of a table that it refuses, `out` is a text file that says why. It reads only below the folder that it is started in."""

import json
import sys
from pathlib import Path

import chdb


def main() -> None:
    for request in json.loads(Path(sys.argv[1]).read_text()):
        query = f"select * from deltaLakeLocal('{request['table']}') settings session_timezone = 'UTC'"
        if request["version"] is not None:
            query += f", delta_lake_snapshot_version = {request['version']}"
        try:
            answer = chdb.query(query, "Parquet").bytes()
        except RuntimeError as error:
            answer = str(error).encode()
        Path(request["out"]).write_bytes(answer)


if __name__ == "__main__":
    main()
