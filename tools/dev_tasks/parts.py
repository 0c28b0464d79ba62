"""Real parts that tests run against: each is installed pinned into the cache, once, by its own function."""

import os
import shutil
from pathlib import Path

from . import setup
from .paths import ROOT, cache
from .run import TaskError, logged

TELEGRAF = "v1.37.2"
TELEGRAF_TAGS = (
    "custom,inputs.cpu,inputs.mem,inputs.file,outputs.influxdb,outputs.influxdb_v2,parsers.influx,serializers.influx"
)
VERSITYGW = "v1.8.0"
MINIO = "v0.0.0-20260212201848-7aac2a2c5b7c"
MOTO = ["moto[dynamodb,server]==5.2.5"]
SPARK = ["pyspark==4.2.0", "delta-spark==4.4.0", "pyarrow==26.0.1"]
CHDB = ["chdb-core==26.9.0"]
DELTA_JAR = "io.delta:delta-spark_4.2_2.13:4.4.0"


def _go_program(name: str, package: str, version: str, *options: str) -> Path:
    """A program built from the Go module proxy (some minutes, once)."""
    program = cache() / f"{name}-{version}" / name
    if program.exists():
        return program
    if not shutil.which("go"):
        raise TaskError(f"{name} is built from source: Go 1.26 or newer must be on the PATH")
    env = dict(os.environ, GOBIN=str(program.parent), GOFLAGS="-trimpath")
    logged(f"build {name} {version}", ["go", "install", *options, f"{package}@{version}"], setup.LOG, env=env)
    return program


def telegraf() -> Path:
    """Telegraf with the plugins that the tests and the demo use."""
    return _go_program("telegraf", "github.com/influxdata/telegraf/cmd/telegraf", TELEGRAF, f"-tags={TELEGRAF_TAGS}")


def versitygw() -> Path:
    """An S3 service over a folder (Apache-2.0)."""
    return _go_program("versitygw", "github.com/versity/versitygw/cmd/versitygw", VERSITYGW)


def minio() -> Path:
    """Another S3 service. AGPL: run by tests, never linked or shipped."""
    return _go_program("minio", "github.com/minio/minio", MINIO)


def moto() -> Path:
    """The interpreter that has moto, of which the tests use DynamoDB (Apache-2.0)."""
    return setup.venv("moto", MOTO)


def chdb() -> Path:
    """The interpreter that has chDB, which is ClickHouse in a library (Apache-2.0; 180 MB to fetch, 530 MB on disk)."""
    return setup.venv("chdb", CHDB)


def influx_cli() -> Path:
    """The influx command-line client as Debian ships it."""
    if not shutil.which("influx"):
        setup.debian(["influx"])
    return Path(shutil.which("influx") or "/usr/bin/influx")


def spark() -> tuple[Path, Path]:
    """(interpreter with pyspark, folder of the Delta jars and what they need)."""
    python = setup.venv("spark", SPARK)
    jars = cache() / f"spark-jars-{DELTA_JAR.rsplit(':', 1)[1]}"
    if (jars / ".complete").exists():
        return python, jars
    if not shutil.which("mvn"):
        raise TaskError("Spark's Delta jars come through Maven: mvn must be on the PATH")
    group, artifact, version = DELTA_JAR.split(":")
    shutil.rmtree(jars, ignore_errors=True)
    jars.mkdir(parents=True)
    (jars / "pom.xml").write_text(
        "<project><modelVersion>4.0.0</modelVersion><groupId>tarn</groupId><artifactId>jars</artifactId>"
        "<version>1</version><dependencies><dependency>"
        f"<groupId>{group}</groupId><artifactId>{artifact}</artifactId><version>{version}</version>"
        "</dependency></dependencies></project>"
    )
    logged(
        "fetch Spark's Delta jars",
        [
            "mvn",
            "-q",
            "-B",
            "-f",
            jars / "pom.xml",
            "dependency:copy-dependencies",
            f"-DoutputDirectory={jars}",
            "-DincludeScope=runtime",
            f"-DincludeGroupIds={group},org.antlr",
        ],
        setup.LOG,
        cwd=ROOT,
    )
    (jars / ".complete").touch()
    return python, jars
