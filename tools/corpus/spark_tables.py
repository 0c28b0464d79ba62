"""Writes the Spark half of the small corpus: python spark_tables.py JARS OUT.

Each table is a folder OUT/<name>/table with a Delta table and OUT/<name>/expected.parquet with its rows.
"""

import shutil
import sys
from pathlib import Path

from pyspark.sql import SparkSession
from pyspark.sql import functions as F


def session(jars: Path) -> SparkSession:
    return (
        SparkSession.builder.master("local[1]")
        .appName("corpus")
        .config("spark.jars", ",".join(str(jar) for jar in sorted(jars.glob("*.jar"))))
        .config("spark.sql.extensions", "io.delta.sql.DeltaSparkSessionExtension")
        .config("spark.sql.catalog.spark_catalog", "org.apache.spark.sql.delta.catalog.DeltaCatalog")
        .config("spark.sql.session.timeZone", "UTC")
        .config("spark.sql.shuffle.partitions", "1")
        .config("spark.ui.enabled", "false")
        .config("spark.ui.showConsoleProgress", "false")
        .config("spark.databricks.delta.snapshotPartitions", "1")
        .config("spark.driver.bindAddress", "127.0.0.1")
        .config("spark.driver.host", "127.0.0.1")
        .getOrCreate()
    )


class Corpus:
    def __init__(self, spark: SparkSession, out: Path):
        self.spark = spark
        self.out = out

    def path(self, name: str) -> str:
        return str(self.out / name / "table")

    def create(self, name: str, columns: str, partitioned: str = "", properties: str = "") -> str:
        folder = self.out / name
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        table = f"delta.`{self.path(name)}`"
        self.spark.sql(
            f"CREATE TABLE {table} ({columns}) USING delta "
            + (f"PARTITIONED BY ({partitioned}) " if partitioned else "")
            + (f"TBLPROPERTIES ({properties})" if properties else "")
        )
        return table

    def finish(self, name: str) -> None:
        expected = self.out / name / "expected"
        self.spark.read.format("delta").load(self.path(name)).coalesce(1).write.mode("overwrite").parquet(str(expected))
        (part,) = expected.glob("part-*.parquet")
        part.rename(self.out / name / "expected.parquet")
        shutil.rmtree(expected)
        for crc in (self.out / name).rglob(".*.crc"):
            crc.unlink()


PLAIN = "'delta.enableDeletionVectors' = 'false', 'delta.minReaderVersion' = '1', 'delta.minWriterVersion' = '2'"


def main() -> None:
    jars, out = Path(sys.argv[1]), Path(sys.argv[2])
    spark = session(jars)
    corpus = Corpus(spark, out)
    sql = spark.sql

    t = corpus.create("spark-plain", "id BIGINT, name STRING, score DOUBLE", properties=PLAIN)
    sql(f"INSERT INTO {t} VALUES (1, 'a', 1.5), (2, NULL, -0.0), (3, 'ünï', double('NaN'))")
    sql(f"INSERT INTO {t} VALUES (4, '', double('Infinity'))")
    sql(f"DELETE FROM {t} WHERE id = 2")
    corpus.finish("spark-plain")

    t = corpus.create("spark-partitioned", "v INT, p STRING, d DATE, ts TIMESTAMP", "p, d, ts", PLAIN)
    sql(
        f"INSERT INTO {t} VALUES (1, 'a b', DATE'2024-02-29', TIMESTAMP'2024-02-29 12:34:56.789012'),"
        " (2, 'x/y=z%', DATE'1969-12-31', TIMESTAMP'1969-12-31 23:59:59'), (3, NULL, NULL, NULL),"
        " (4, 'é', DATE'2024-02-29', TIMESTAMP'2024-01-01 00:00:00')"
    )
    corpus.finish("spark-partitioned")

    t = corpus.create(
        "spark-types",
        "b BYTE, s SHORT, i INT, l BIGINT, f FLOAT, d DOUBLE, bo BOOLEAN, st STRING, bi BINARY,"
        " da DATE, ts TIMESTAMP, d1 DECIMAL(5,2), d2 DECIMAL(18,9), d3 DECIMAL(38,10),"
        " arr ARRAY<INT>, m MAP<STRING, BIGINT>, r STRUCT<x: INT, y: STRUCT<z: STRING>>",
        properties=PLAIN,
    )
    sql(
        f"INSERT INTO {t} SELECT CAST(1 AS BYTE), CAST(2 AS SHORT), 3, 4L, CAST(5.5 AS FLOAT), 6.25D, true, 'text', X'00FF',"
        " DATE'2020-01-01', TIMESTAMP'2020-01-01 00:00:00.000001', 1.23, 123456789.123456789,"
        " 1234567890123456789012345678.0123456789, array(1, NULL, 3), map('k', 7L), named_struct('x', 1, 'y',"
        " named_struct('z', 'deep'))"
    )
    sql(
        f"INSERT INTO {t} SELECT NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL,"
        " NULL, NULL"
    )
    corpus.finish("spark-types")

    t = corpus.create("spark-checkpoint", "id BIGINT, p INT", "p", PLAIN + ", 'delta.checkpointInterval' = '3'")
    for n in range(8):
        sql(f"INSERT INTO {t} VALUES ({n}, {n % 2})")
    sql(f"DELETE FROM {t} WHERE id = 5")
    corpus.finish("spark-checkpoint")

    t = corpus.create("spark-evolution", "id BIGINT", properties=PLAIN)
    sql(f"INSERT INTO {t} VALUES (1)")
    sql(f"ALTER TABLE {t} ADD COLUMNS (extra STRING, nested STRUCT<a: INT>)")
    sql(f"INSERT INTO {t} VALUES (2, 'two', named_struct('a', 2))")
    corpus.finish("spark-evolution")

    t = corpus.create("spark-optimized", "id BIGINT", properties=PLAIN)
    for n in range(4):
        sql(f"INSERT INTO {t} VALUES ({n})")
    sql(f"OPTIMIZE {t}")
    corpus.finish("spark-optimized")

    t = corpus.create("spark-ntz", "id BIGINT, t TIMESTAMP_NTZ", properties="'delta.enableDeletionVectors' = 'false'")
    sql(f"INSERT INTO {t} VALUES (1, TIMESTAMP_NTZ'2024-05-06 07:08:09.123456'), (2, NULL)")
    corpus.finish("spark-ntz")

    shutil.rmtree(out / "spark-deletion-vectors", ignore_errors=True)
    spark.range(0, 1000, 1, 1).withColumn("k", F.col("id") % 7).write.format("delta").option(
        "delta.enableDeletionVectors", "true"
    ).save(corpus.path("spark-deletion-vectors"))
    sql(f"DELETE FROM delta.`{corpus.path('spark-deletion-vectors')}` WHERE id = 500")
    corpus.finish("spark-deletion-vectors")

    t = corpus.create(
        "spark-column-mapping",
        "id BIGINT, name STRING",
        properties="'delta.columnMapping.mode' = 'name', 'delta.enableDeletionVectors' = 'false'",
    )
    sql(f"INSERT INTO {t} VALUES (1, 'a')")
    sql(f"ALTER TABLE {t} RENAME COLUMN name TO title")
    corpus.finish("spark-column-mapping")
    spark.stop()


if __name__ == "__main__":
    main()
