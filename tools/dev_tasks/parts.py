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
SPARK = ["pyspark==4.2.0", "delta-spark==4.4.0", "pyarrow==26.0.1"]
DELTA_JAR = "io.delta:delta-spark_4.2_2.13:4.4.0"


def telegraf() -> Path:
    """Telegraf built from the Go module proxy (about a minute, once)."""
    program = cache() / f"telegraf-{TELEGRAF}" / "telegraf"
    if program.exists():
        return program
    if not shutil.which("go"):
        raise TaskError("Telegraf is built from source: Go 1.26 or newer must be on the PATH")
    env = dict(os.environ, GOBIN=str(program.parent), GOFLAGS="-trimpath")
    logged(
        f"build Telegraf {TELEGRAF}",
        ["go", "install", f"-tags={TELEGRAF_TAGS}", f"github.com/influxdata/telegraf/cmd/telegraf@{TELEGRAF}"],
        setup.LOG,
        env=env,
    )
    return program


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
