"""Appends with Spark, by entries in DynamoDB: python spark_writer.py JARS MORE TABLE NAME COMMITS REGION ENDPOINT.

JARS and MORE are folders: Delta's jars, and those of its log store for DynamoDB with what it needs. Rows are (NAME, 0), (NAME, 1), … one commit each; the number of
each is printed once it is committed, and on stderr what was refused.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tools" / "corpus"))

from spark_tables import session


def main() -> None:
    jars, more, table, name, commits, region, endpoint = sys.argv[1:]
    spark = session(
        Path(jars),
        settings={
            "spark.jars": ",".join(str(jar) for folder in (jars, more) for jar in sorted(Path(folder).glob("*.jar"))),
            "spark.delta.logStore.s3a.impl": "io.delta.storage.S3DynamoDBLogStore",
            "spark.io.delta.storage.S3DynamoDBLogStore.ddb.region": region,
            "spark.hadoop.fs.s3a.endpoint": endpoint,
            "spark.hadoop.fs.s3a.endpoint.region": region,
            "spark.hadoop.fs.s3a.path.style.access": "true",
        },
    )
    for number in range(int(commits)):
        row = spark.createDataFrame([(name, number)], "writer string, n bigint")
        try:
            row.coalesce(1).write.format("delta").mode("append").save(table)
            print(number, flush=True)
        except Exception as error:
            print(str(error)[:2000], file=sys.stderr)
    spark.stop()


if __name__ == "__main__":
    main()
