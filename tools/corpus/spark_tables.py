"""Writes the Spark half of the small corpus: python spark_tables.py JARS OUT [NAME ...], all tables without a name.

Each table is a folder OUT/<name>/table with a Delta table and OUT/<name>/expected.parquet with its rows.
"""

import shutil
import sys
from pathlib import Path

from pyspark.sql import SparkSession
from pyspark.sql import functions as F


def session(jars: Path, master: str = "local[1]", settings: dict[str, str] | None = None) -> SparkSession:
    return (
        SparkSession.builder.master(master)
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
        .config(map=settings or {})
        .getOrCreate()
    )


TABLES = {}


def table(function):
    """Registers what writes OUT/spark-<name>."""
    TABLES["spark-" + function.__name__.replace("_", "-")] = function
    return function


class Corpus:
    def __init__(self, spark: SparkSession, out: Path):
        self.spark = spark
        self.sql = spark.sql
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


@table
def plain(corpus: Corpus) -> None:
    t = corpus.create("spark-plain", "id BIGINT, name STRING, score DOUBLE", properties=PLAIN)
    corpus.sql(f"INSERT INTO {t} VALUES (1, 'a', 1.5), (2, NULL, -0.0), (3, 'ünï', double('NaN'))")
    corpus.sql(f"INSERT INTO {t} VALUES (4, '', double('Infinity'))")
    corpus.sql(f"DELETE FROM {t} WHERE id = 2")
    corpus.finish("spark-plain")


@table
def partitioned(corpus: Corpus) -> None:
    t = corpus.create("spark-partitioned", "v INT, p STRING, d DATE, ts TIMESTAMP", "p, d, ts", PLAIN)
    corpus.sql(
        f"INSERT INTO {t} VALUES (1, 'a b', DATE'2024-02-29', TIMESTAMP'2024-02-29 12:34:56.789012'),"
        " (2, 'x/y=z%', DATE'1969-12-31', TIMESTAMP'1969-12-31 23:59:59'), (3, NULL, NULL, NULL),"
        " (4, 'é', DATE'2024-02-29', TIMESTAMP'2024-01-01 00:00:00')"
    )
    corpus.finish("spark-partitioned")


@table
def types(corpus: Corpus) -> None:
    t = corpus.create(
        "spark-types",
        "b BYTE, s SHORT, i INT, l BIGINT, f FLOAT, d DOUBLE, bo BOOLEAN, st STRING, bi BINARY,"
        " da DATE, ts TIMESTAMP, d1 DECIMAL(5,2), d2 DECIMAL(18,9), d3 DECIMAL(38,10),"
        " arr ARRAY<INT>, m MAP<STRING, BIGINT>, r STRUCT<x: INT, y: STRUCT<z: STRING>>",
        properties=PLAIN,
    )
    corpus.sql(
        f"INSERT INTO {t} SELECT CAST(1 AS BYTE), CAST(2 AS SHORT), 3, 4L, CAST(5.5 AS FLOAT), 6.25D, true, 'text', X'00FF',"
        " DATE'2020-01-01', TIMESTAMP'2020-01-01 00:00:00.000001', 1.23, 123456789.123456789,"
        " 1234567890123456789012345678.0123456789, array(1, NULL, 3), map('k', 7L), named_struct('x', 1, 'y',"
        " named_struct('z', 'deep'))"
    )
    corpus.sql(
        f"INSERT INTO {t} SELECT NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL,"
        " NULL, NULL"
    )
    corpus.finish("spark-types")


@table
def skipping(corpus: Corpus) -> None:
    """What statistics cut, round or leave out, and values right beside it: one file for each row of this list."""
    columns = "s STRING, d DOUBLE, f FLOAT, i BIGINT, t TIMESTAMP, y DATE, n DECIMAL(20,2), b BOOLEAN"
    t = corpus.create("spark-skipping", columns, properties=PLAIN)
    nan, infinity, long = "double('NaN')", "double('Infinity')", "x" * 32
    files = [
        f"('{long}', 0D, 0F, 9007199254740993, timestamp'1970-01-01 00:00:00.000999', date'1970-01-01', 0.01, true)",
        f"('{long}y', -0D, -0F, -1, timestamp'1969-12-31 23:59:59.999999', date'0001-01-01', -0.01, false)",
        f"('{'ü' * 40}', {nan}, 1F, 1, timestamp'2023-11-14 22:13:20.999999', NULL, 12345678901234567.89, NULL)",
        f"('{chr(0x1F600) * 33}', {infinity}, NULL, 0, timestamp'2023-11-14 22:13:20.001', date'9999-12-31', NULL, true)",
        f"('', -{infinity}, 16777217F, NULL, NULL, date'2024-02-29', 12345678901234567.88, NULL)",
        f"('{long}{chr(0x10FFFF)}', 0.1D, 0.1F, 9223372036854775807, timestamp'1906-08-16 20:26:39.999001', NULL, 5, NULL)",
        f"(NULL, {nan}, float('NaN'), NULL, NULL, NULL, NULL, NULL), ('a', 1D, 2F, 5, NULL, NULL, 1, false)",
    ]
    for rows in files:
        corpus.sql(f"INSERT INTO {t} VALUES {rows}")


@table
def checkpoint(corpus: Corpus) -> None:
    t = corpus.create("spark-checkpoint", "id BIGINT, p INT", "p", PLAIN + ", 'delta.checkpointInterval' = '3'")
    for n in range(8):
        corpus.sql(f"INSERT INTO {t} VALUES ({n}, {n % 2})")
    corpus.sql(f"DELETE FROM {t} WHERE id = 5")
    corpus.finish("spark-checkpoint")


@table
def evolution(corpus: Corpus) -> None:
    t = corpus.create("spark-evolution", "id BIGINT", properties=PLAIN)
    corpus.sql(f"INSERT INTO {t} VALUES (1)")
    corpus.sql(f"ALTER TABLE {t} ADD COLUMNS (extra STRING, nested STRUCT<a: INT>)")
    corpus.sql(f"INSERT INTO {t} VALUES (2, 'two', named_struct('a', 2))")
    corpus.finish("spark-evolution")


@table
def optimized(corpus: Corpus) -> None:
    t = corpus.create("spark-optimized", "id BIGINT", properties=PLAIN)
    for n in range(4):
        corpus.sql(f"INSERT INTO {t} VALUES ({n})")
    corpus.sql(f"OPTIMIZE {t}")
    corpus.finish("spark-optimized")


@table
def ntz(corpus: Corpus) -> None:
    t = corpus.create("spark-ntz", "id BIGINT, t TIMESTAMP_NTZ", properties="'delta.enableDeletionVectors' = 'false'")
    corpus.sql(f"INSERT INTO {t} VALUES (1, TIMESTAMP_NTZ'2024-05-06 07:08:09.123456'), (2, NULL)")
    corpus.finish("spark-ntz")


@table
def deletion_vectors(corpus: Corpus) -> None:
    shutil.rmtree(corpus.out / "spark-deletion-vectors", ignore_errors=True)
    corpus.spark.range(0, 1000, 1, 1).withColumn("k", F.col("id") % 7).write.format("delta").option(
        "delta.enableDeletionVectors", "true"
    ).save(corpus.path("spark-deletion-vectors"))
    corpus.sql(f"DELETE FROM delta.`{corpus.path('spark-deletion-vectors')}` WHERE id = 500")
    corpus.finish("spark-deletion-vectors")


@table
def column_mapping(corpus: Corpus) -> None:
    t = corpus.create(
        "spark-column-mapping",
        "id BIGINT, name STRING",
        properties="'delta.columnMapping.mode' = 'name', 'delta.enableDeletionVectors' = 'false'",
    )
    corpus.sql(f"INSERT INTO {t} VALUES (1, 'a')")
    corpus.sql(f"ALTER TABLE {t} RENAME COLUMN name TO title")
    corpus.finish("spark-column-mapping")


@table
def column_mapping_nested(corpus: Corpus) -> None:
    t = corpus.create(
        "spark-column-mapping-nested",
        "id BIGINT, s STRUCT<a: INT, b: STRING>, l ARRAY<STRUCT<x: INT, y: INT>>, m MAP<STRING, STRUCT<k: INT>>, p STRING",
        "p",
        "'delta.columnMapping.mode' = 'id', 'delta.enableDeletionVectors' = 'false'",
    )
    corpus.sql(
        f"INSERT INTO {t} VALUES (1, named_struct('a', 10, 'b', 'x'), array(named_struct('x', 1, 'y', 2)),"
        " map('k', named_struct('k', 5)), 'one')"
    )
    # Names are swapped, dropped and given again, so that reading by name would give wrong values.
    corpus.sql(f"ALTER TABLE {t} RENAME COLUMN s.a TO old_a")
    corpus.sql(f"ALTER TABLE {t} RENAME COLUMN s.b TO a")
    corpus.sql(f"ALTER TABLE {t} DROP COLUMN l.element.x")
    corpus.sql(f"ALTER TABLE {t} ADD COLUMN (l.element.x STRING)")
    corpus.sql(f"ALTER TABLE {t} RENAME COLUMN m.value.k TO kk")
    corpus.sql(f"ALTER TABLE {t} RENAME COLUMN p TO part")
    corpus.sql(
        f"INSERT INTO {t} VALUES (2, named_struct('old_a', 20, 'a', 'y'), array(named_struct('y', 4, 'x', 'new')),"
        " map('k', named_struct('kk', 6)), 'two')"
    )
    corpus.finish("spark-column-mapping-nested")


@table
def type_widening(corpus: Corpus) -> None:
    t = corpus.create(
        "spark-type-widening",
        "id INT, b BYTE, s SHORT, i INT, f FLOAT, d DECIMAL(5,2), day DATE, p SHORT",
        "p",
        "'delta.enableTypeWidening' = 'true', 'delta.feature.timestampNtz' = 'supported',"
        " 'delta.enableDeletionVectors' = 'false'",
    )
    corpus.sql(
        f"INSERT INTO {t} VALUES (1, 1, 300, 70000, CAST(0.1 AS FLOAT), 1.25, DATE'2020-02-29', 7),"
        " (2, -128, -32768, -2147483648, CAST(-0.7 AS FLOAT), -999.99, DATE'1969-12-31', 7),"
        " (3, NULL, NULL, NULL, NULL, NULL, NULL, NULL)"
    )
    for column, to in {
        "b": "SHORT",
        "s": "BIGINT",
        "i": "DOUBLE",
        "f": "DOUBLE",
        "d": "DECIMAL(20,4)",
        "day": "TIMESTAMP_NTZ",
        "p": "INT",
    }.items():
        corpus.sql(f"ALTER TABLE {t} ALTER COLUMN {column} TYPE {to}")
    corpus.sql(
        f"INSERT INTO {t} VALUES (4, 1000, 5000000000, 1.5D, 0.1D, 1234567890123456.7891,"
        " TIMESTAMP_NTZ'2024-05-06 07:08:09.123456', 70000)"
    )
    corpus.finish("spark-type-widening")


@table
def v2_checkpoint(corpus: Corpus) -> None:
    t = corpus.create(
        "spark-v2-checkpoint",
        "id BIGINT, p INT",
        "p",
        "'delta.checkpointPolicy' = 'v2', 'delta.checkpointInterval' = '3', 'delta.enableDeletionVectors' = 'true'",
    )
    for n in range(5):
        corpus.sql(f"INSERT INTO {t} VALUES ({n}, {n % 2}), ({n + 100}, {n % 2})")
    corpus.sql(f"DELETE FROM {t} WHERE id = 102")
    corpus.finish("spark-v2-checkpoint")


@table
def in_commit_timestamps(corpus: Corpus) -> None:
    t = corpus.create("spark-in-commit-timestamps", "id BIGINT", properties="'delta.enableDeletionVectors' = 'false'")
    corpus.sql(f"INSERT INTO {t} VALUES (1)")
    corpus.sql(f"ALTER TABLE {t} SET TBLPROPERTIES ('delta.enableInCommitTimestamps' = 'true')")
    corpus.sql(f"INSERT INTO {t} VALUES (2)")
    corpus.finish("spark-in-commit-timestamps")


@table
def change_feed(corpus: Corpus) -> None:
    t = corpus.create(
        "spark-change-feed",
        "id BIGINT, v STRING",
        properties="'delta.enableChangeDataFeed' = 'true', 'delta.enableDeletionVectors' = 'false'",
    )
    corpus.sql(f"INSERT INTO {t} VALUES (1, 'a'), (2, 'b'), (3, 'c')")
    corpus.sql(f"UPDATE {t} SET v = 'bb' WHERE id = 2")
    corpus.sql(f"DELETE FROM {t} WHERE id = 3")
    corpus.sql(f"INSERT INTO {t} VALUES (4, 'd')")
    corpus.finish("spark-change-feed")


def main() -> None:
    jars, out, names = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:]
    corpus = Corpus(session(jars), out)
    for name in names or TABLES:
        TABLES[name](corpus)
    corpus.spark.stop()


if __name__ == "__main__":
    main()
