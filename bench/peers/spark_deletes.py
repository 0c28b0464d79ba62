"""Deletes rows with Spark: python spark_deletes.py JARS, then a line {"table": …, "row": …} of standard input for each;
answers with a line {"seconds": …}."""

import json
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tools" / "corpus"))

from spark_tables import session


def main() -> None:
    spark = session(Path(sys.argv[1]), "local[*]")
    for line in sys.stdin:
        request = json.loads(line)
        began = time.perf_counter()
        spark.sql(f"DELETE FROM delta.`{request['table']}` WHERE id = {request['row']}").collect()
        print(json.dumps({"seconds": time.perf_counter() - began}), flush=True)
    spark.stop()


if __name__ == "__main__":
    main()
