"""What Spark makes of expressions that constraints use: python spark_expressions.py JARS OUT.

Writes OUT/spark-expressions/table, a Delta table of rows, and OUT/spark-expressions/expressions.json: for each
expression and each row, in the order of `id`, the truth under ANSI rules and without them: "true", "false", "null" or
"error".
"""

import json
import sys
from pathlib import Path

from spark_tables import Corpus, session

COLUMNS = {
    "id": "INT",
    "b": "TINYINT",
    "i": "INT",
    "l": "BIGINT",
    "f": "FLOAT",
    "d": "DOUBLE",
    "x": "DECIMAL(10,2)",
    "s": "STRING",
    "flag": "BOOLEAN",
    "day": "DATE",
    "at": "TIMESTAMP",
    "n": "STRUCT<a: INT, `b-c`: STRING>",
}
ROWS = [
    "(1, 1, 2, 3, 0.1F, 1.5D, 1.50, 'abc', true, DATE'2024-02-29', TIMESTAMP'2024-02-29 12:34:56.000001', "
    "named_struct('a', 7, 'b-c', 'q'))",
    "(2, -128, -2147483648, 9007199254740993, FLOAT('NaN'), DOUBLE('NaN'), -99999999.99, '', false, DATE'1969-12-31', "
    "TIMESTAMP'1969-12-31 23:59:59.999999', named_struct('a', CAST(NULL AS INT), 'b-c', ''))",
    "(3, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)",
    "(4, 0, 0, 0, -0.0F, 0.0D, 0.00, ' 12 ', true, DATE'0001-01-01', TIMESTAMP'2100-01-01 00:00:00', "
    "named_struct('a', 0, 'b-c', 'a%b'))",
    "(5, 127, 2147483647, 9223372036854775807, FLOAT('Infinity'), DOUBLE('-Infinity'), 99999999.99, 'a%é_\\\\', NULL, "
    "DATE'9999-12-31', TIMESTAMP'9999-12-31 23:59:59.999999', named_struct('a', -1, 'b-c', 'x'))",
]
EXPRESSIONS = r"""
i > 0
i >= 2 AND l < 10
i = 2.0
i <> 2
i <=> NULL
i IS DISTINCT FROM 2
NOT i = 2 AND true
flag OR i IS NULL
flag AND NULL
flag IS TRUE
flag IS NOT FALSE
!flag
i IN (1, 2, NULL)
i NOT IN (1, 2)
i BETWEEN 0 AND 2 AND flag
i NOT BETWEEN 0 AND 2
d = d
d > 1e300
d = 0
d <> CAST('0' AS INT)
f = 0.1
f = CAST(0.1 AS FLOAT)
f < d
f >= i
0.0D = -0.0D
l = 9007199254740992D
l = 9007199254740993
l > d
x = 1.5
x > i
x < 99999999.991
x + 1 > x
x * 2 = 3
x / 3 = 0.5
x % 1 = 0.5
x - 0.001 < x
x * x > 0
x / 7 > 0.21
-x < 0
b + b > 1
b + 1 > 1
b * b = 1
i + 1 > 0
-i < 0
abs(i) >= 0
abs(b) < 128
i / 2 = 1
i / 0 > 1
d / 0 > 1
i % 2 = 0
l - 1 < l
l % 2 = 1
1 + 2 * 3 - -4 = 11
2147483648 > i
-2147483648 = i
s = 'abc'
s > 'abb'
s LIKE 'a%'
s LIKE 'a\%_\_%'
s NOT LIKE '%c'
s LIKE 'a!%%' ESCAPE '!'
s LIKE ''
length(s) > 2
char_length(s) = 3
trim(s) = '12'
s < "b"
s >= 'a\u0062'
CAST(s AS INT) = 12
CAST(i AS STRING) = '2'
CAST(x AS STRING) = '1.50'
CAST(x AS INT) = 1
CAST(d AS INT) = 1
CAST(i AS TINYINT) = 2
CAST(l AS DOUBLE) = 3
CAST(flag AS INT) = 1
CAST(i AS BOOLEAN)
CAST(x AS DECIMAL(5,1)) = 1.5
day > '2000-01-01'
day = DATE '2024-02-29'
day < at
at >= TIMESTAMP '2024-02-29 12:34:56.000001'
at > '2000-01-01 00:00:00'
year(day) = 2024
month(at) = 2
day(day) = 29
CAST(day AS STRING) = '2024-02-29'
CAST(at AS DATE) = day
n.a > 0
n.`b-c` = 'q'
N.A IS NULL
n IS NOT NULL
isnull(n.a)
isnotnull(s)
isnan(d)
NOT isnan(f)
coalesce(i, 1) > 0
coalesce(flag, i > 0, true)
nullif(i, 2) IS NULL
if(flag, i, l) > 0
CASE WHEN i > 0 THEN flag WHEN i < 0 THEN d > 0 END
CASE i WHEN 2 THEN 'two' WHEN 0 THEN 'none' ELSE s END = 'two'
CASE WHEN flag THEN i ELSE 1.5 END > 1
i = i = flag
i + 1 IS NULL OR i + 1 > 0
NULL
true
""".strip().splitlines()


def truth(value) -> str:
    return "null" if value is None else str(value).lower()


def truths(spark, expression: str, ids: list[int]) -> list[str]:
    some = ", ".join(map(str, ids))
    try:
        rows = spark.sql(f"SELECT id, CAST(({expression}) AS BOOLEAN) AS t FROM r WHERE id IN ({some})").collect()
        return [truth(row.t) for row in sorted(rows, key=lambda row: row.id)]
    except Exception as error:
        if "ParseException" in type(error).__name__ or "AnalysisException" in type(error).__name__:
            raise
        # Which of the rows is it?
        return ["error"] if len(ids) == 1 else [truths(spark, expression, [id])[0] for id in ids]


def write_expressions(spark, out: Path) -> None:
    # No file is read, and what has no type of its own gets none from statistics.
    casts = ", ".join(f"CAST({name} AS {type}) AS {name}" for name, type in COLUMNS.items())
    spark.sql(f"SELECT {casts} FROM VALUES {', '.join(ROWS)} AS v({', '.join(COLUMNS)})").createOrReplaceTempView("r")
    ids = list(range(1, len(ROWS) + 1))
    lines = []
    for expression in EXPRESSIONS:
        result = {"expression": expression}
        for mode in ("ansi", "lenient"):
            spark.conf.set("spark.sql.ansi.enabled", mode == "ansi")
            result[mode] = truths(spark, expression, ids)
        lines.append(json.dumps(result, ensure_ascii=False))
    (out / "spark-expressions" / "expressions.json").write_text("[\n" + ",\n".join(lines) + "\n]\n")


def main() -> None:
    spark = session(Path(sys.argv[1]))
    corpus = Corpus(spark, Path(sys.argv[2]))
    table = corpus.create("spark-expressions", ", ".join(f"{name} {type}" for name, type in COLUMNS.items()))
    spark.sql(f"INSERT INTO {table} VALUES {', '.join(ROWS)}")
    corpus.finish("spark-expressions")
    write_expressions(spark, corpus.out)
    spark.stop()


if __name__ == "__main__":
    main()
