"""Reads Delta tables with Spark: python spark_reader.py JARS REQUESTS, where REQUESTS is a JSON file of
{table, version, out}, with a timestamp in UTC in the version's place if need be; {sql} runs a statement."""

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tools" / "corpus"))

from spark_tables import session


def main() -> None:
    jars, requests = Path(sys.argv[1]), json.loads(Path(sys.argv[2]).read_text())
    spark = session(jars)
    for request in requests:
        if "sql" in request:
            spark.sql(request["sql"])
            continue
        reader = spark.read.format("delta")
        if request["version"] is not None:
            reader = reader.option("versionAsOf", request["version"])
        elif "timestamp" in request:
            reader = reader.option("timestampAsOf", request["timestamp"])
        reader.load(request["table"]).coalesce(1).write.mode("overwrite").parquet(request["out"])
    spark.stop()


if __name__ == "__main__":
    main()
